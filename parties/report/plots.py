"""Plots of a run as inline SVG, drawn without pyplot and coloured by the page.

Each function returns one `<svg>` element.  Text stays text, and every colour is a CSS variable
(--ink, --muted, --grid, --joint, --alone), so one drawing serves light and dark pages.  Drawings
of the same data are the same bytes.  `y` is 0 or 1 (1 = bad), a model's PDs are in [0, 1], and
`models` maps "joint" and "guest_only" to PDs of shape (n,).
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

Floats = NDArray[np.float64]
Models = Mapping[str, Floats]

INK, MUTED, GRID, JOINT, ALONE = "#010101", "#020202", "#030303", "#040404", "#050505"
VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", JOINT: "--joint", ALONE: "--alone"}
STYLES: dict[str, dict[str, Any]] = {
    "joint": {"color": JOINT, "linestyle": "-", "label": "joint"},
    "guest_only": {"color": ALONE, "linestyle": "--", "label": "guest only"},
}
# Any, because the type that matplotlib gives its settings differs between its releases.
SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
MOST_POINTS = 400
TENTHS = 10
PD_TICKS = (0.001, 0.005, 0.02, 0.1, 0.3, 0.7, 0.95)
LEAST_PD = 1e-4


def roc(y: NDArray[Any], models: Models) -> str:
    """Draw the share of bads caught over the share of goods refused."""
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("share of goods refused", "share of bads refused")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        for name, pd in models.items():
            goods, bads, _ = roc_curve(y, pd)
            keep = _thinned(len(goods))
            axes.plot(goods[keep], bads[keep], **_line(name))
        axes.legend(loc="lower right")
        return _svg(axes, "roc", "ROC curves")


def ks(y: NDArray[Any], pd: Floats) -> str:
    """Draw how many bads and goods the riskiest share of the customers holds, and the widest gap."""
    order = np.argsort(-pd, kind="stable")
    bads, goods = (np.cumsum(y[order] == c) / np.sum(y == c) for c in (1, 0))
    customers = np.arange(1, len(y) + 1) / len(y)
    last_of_ties = np.append(pd[order][1:] != pd[order][:-1], True)
    widest = int(np.argmax(np.where(last_of_ties, bads - goods, -np.inf)))
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("share of customers, riskiest first", "share found")
        keep = _thinned(len(y))
        axes.plot(customers[keep], bads[keep], color=JOINT, label="bads")
        axes.plot(customers[keep], goods[keep], color=MUTED, linestyle="-.", label="goods")
        x, low, high = customers[widest], goods[widest], bads[widest]
        axes.plot([x, x], [low, high], color=INK, linewidth=1.4, marker="_")
        axes.annotate(
            f"KS {high - low:.3f}", (x, (low + high) / 2), xytext=(6, 0), textcoords="offset points"
        )
        axes.legend(loc="lower right")
        return _svg(axes, "ks", "Kolmogorov-Smirnov curves of the joint model")


def calibration(y: NDArray[Any], models: Models) -> str:
    """Draw the observed default rate of each tenth of the customers over its mean PD, with 95 % bars."""
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("mean PD of a tenth of the customers", "observed default rate")
        highest = 0.0
        for name, pd in models.items():
            tenths = np.array_split(np.argsort(pd, kind="stable"), min(TENTHS, len(y)))
            predicted = np.array([pd[rows].mean() for rows in tenths])
            low, rate, high = np.array([wilson(int(y[rows].sum()), len(rows)) for rows in tenths]).T
            axes.errorbar(
                predicted,
                rate,
                [rate - low, high - rate],
                **_line(name),
                marker="o",
                markersize=4,
                elinewidth=1,
            )
            highest = max(highest, predicted.max(), high.max())
        axes.plot([0, highest], [0, highest], color=MUTED, linewidth=1, linestyle=":")
        axes.legend(loc="upper left")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
            axis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        return _svg(axes, "calibration", "calibration by tenths")


def scores(y: NDArray[Any], pd: Floats) -> str:
    """Draw the distribution of the joint model's scores for bads and goods, on the scale of the log odds."""
    logit = np.log(np.clip(pd, LEAST_PD, 1 - LEAST_PD) / (1 - np.clip(pd, LEAST_PD, 1 - LEAST_PD)))
    edges = np.linspace(logit.min() - 1e-9, logit.max() + 1e-9, 31)
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("PD (scale of the log odds)", "share of the class")
        for label, name, colour, line in ((0, "goods", MUTED, "-."), (1, "bads", JOINT, "-")):
            share = np.histogram(logit[y == label], edges)[0] / max(np.sum(y == label), 1)
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.18)
            axes.stairs(share, edges, color=colour, linewidth=1.6, linestyle=line, label=name)
        shown = [p for p in PD_TICKS if edges[0] <= np.log(p / (1 - p)) <= edges[-1]]
        axes.set_xticks([float(np.log(p / (1 - p))) for p in shown], [f"{100 * p:g} %" for p in shown])
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        axes.legend(loc="upper right")
        return _svg(axes, "scores", "score distribution of bads and goods")


def wilson(events: int, rows: int) -> tuple[float, float, float]:
    """Return the 95 % interval of a rate and the rate between: (low, rate, high) (Wilson 1927)."""
    rate, z2 = events / rows, 1.96**2 / rows
    centre = (rate + z2 / 2) / (1 + z2)
    reach = (rate * (1 - rate) * z2 + z2 * z2 / 4) ** 0.5 / (1 + z2)
    return min(centre - reach, rate), rate, max(centre + reach, rate)


def _line(name: str) -> dict[str, Any]:
    return STYLES.get(name, {"color": INK, "linestyle": ":", "label": name})


def _thinned(n: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, MOST_POINTS).astype(np.int64))


def _axes(x: str, y: str) -> Axes:
    axes = Figure(figsize=(5.0, 3.7), layout="constrained", facecolor="none").add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return axes


def _svg(axes: Axes, prefix: str, title: str) -> str:
    """Return the drawing as an element that fits its container, its ids made unique by the prefix."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": prefix}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', _opening(title), text, count=1)
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "system-ui, sans-serif", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text


def _opening(title: str) -> str:
    return rf'<svg viewBox="\1" role="img" aria-label="{title}">'
