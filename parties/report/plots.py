"""Plots of a run as inline SVG, drawn without pyplot and coloured by the page.

Each function returns one `<svg>` element with a title and a description in words.  Text stays text,
and every colour is a CSS variable (--ink, --muted, --grid, --joint, --alone), so one drawing serves
light and dark pages.  Drawings of the same points are the same bytes.  Legends stand above the axes,
where no curve can be.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Points = Mapping[str, Any]

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
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
LONGEST_TITLE = 24
"""Characters of a column's name over a small drawing."""
PD_TICKS = (0.001, 0.005, 0.02, 0.1, 0.3, 0.7, 0.95)


def roc(models: Mapping[str, Points]) -> str:
    """Draw the share of bads refused over the share of goods refused, of each model."""
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("share of goods refused", "share of bads refused")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        for name, points in models.items():
            axes.plot(points["goods"], points["bads"], **STYLES[name])
        said = "; ".join(
            f"{STYLES[name]['label']}: refusing 20 % of the goods finds {_at(points, 0.2):.0%} of the bads"
            for name, points in models.items()
        )
        return _svg(axes, "roc", "ROC curves", said)


def ks(points: Points) -> str:
    """Draw how many bads and goods the riskiest share of the customers holds, and the widest gap."""
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("share of customers, riskiest first", "share found")
        axes.plot(points["customers"], points["bads"], color=JOINT, label="bads")
        axes.plot(points["customers"], points["goods"], color=MUTED, linestyle="-.", label="goods")
        x, low, high = points["widest"]
        axes.plot([x, x], [low, high], color=INK, linewidth=1.4, marker="_")
        axes.annotate(
            f"KS {high - low:.3f}", (x, (low + high) / 2), xytext=(6, 0), textcoords="offset points"
        )
        found = f"the riskiest {x:.0%} hold {high:.0%} of the bads, {low:.0%} of the goods"
        return _svg(
            axes, "ks", "Kolmogorov-Smirnov curves of the joint model", f"KS is {high - low:.3f}: {found}"
        )


def gain(models: Mapping[str, Sequence[Points]]) -> str:
    """Draw the share of bads found over the share of customers, riskiest first, by tenths of `lift_table`."""
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("share of customers, riskiest first", "share of bads found")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        said = []
        for name, tenths in models.items():
            sizes = np.cumsum([0, *(row["rows"] for row in tenths)])
            found = [0.0, *(row["captured"] for row in tenths)]
            axes.plot(sizes / sizes[-1], found, **STYLES[name], marker="o", markersize=3.5)
            said.append(f"{STYLES[name]['label']}: the riskiest tenth holds {found[1]:.0%} of the bads")
        return _svg(axes, "gain", "Gain curves", "; ".join(said))


def calibration(models: Mapping[str, Sequence[Points]]) -> str:
    """Draw the observed default rate of each tenth of the customers over its mean PD, with 95 % bars."""
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("mean PD of a tenth of the customers", "observed default rate")
        highest = 0.0
        for name, tenths in models.items():
            pd, low, rate, high = (
                np.array([row[key] for row in tenths]) for key in ("mean_pd", "rate_low", "rate", "rate_high")
            )
            bars = [rate - low, high - rate]
            axes.errorbar(pd, rate, bars, **STYLES[name], marker="o", markersize=4, elinewidth=1)
            highest = max(highest, pd.max(), high.max())
        axes.plot([0, highest], [0, highest], color=MUTED, linewidth=1, linestyle=":")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
            axis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        said = "; ".join(
            f"{STYLES[name]['label']}: {_true(tenths)} of {len(tenths)} tenths have the rate that their PD "
            "says, within 95 % intervals"
            for name, tenths in models.items()
        )
        return _svg(axes, "calibration", "Calibration by tenths", said)


def scores(bars: Points) -> str:
    """Draw the distribution of the joint model's scores for bads and goods, on the scale of the log odds."""
    edges = bars["edges"]
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("PD (scale of the log odds)", "share of the class")
        for name, colour, line in (("goods", MUTED, "-."), ("bads", JOINT, "-")):
            axes.stairs(bars[name], edges, fill=True, color=colour, alpha=0.18)
            axes.stairs(bars[name], edges, color=colour, linewidth=1.6, linestyle=line, label=name)
        axes.set_xticks(*_pd_ticks(edges[0], edges[-1]))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        said = ", ".join(
            f"half of the {name} have a PD below {_median(edges, bars[name]):.1%}"
            for name in ("goods", "bads")
        )
        return _svg(axes, "scores", "Score distribution of bads and goods", said)


def _pd_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Return log odds between two, and their PDs in words: round ones, where as many as three fit."""
    places = [odds for p in PD_TICKS if low <= (odds := float(np.log(p / (1 - p)))) <= high]
    if len(places) < 3:
        places = np.linspace(low, high, 5)[1:-1].tolist()
    return places, [f"{100 / (1 + np.exp(-odds)):.3g} %" for odds in places]


def stability(found: Points) -> str:
    """Draw the shares of the training and the test rows in each tenth of the training scores."""
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("tenths of the training rows, safest first", "share of the rows")
        places = np.arange(1, len(found["then"]) + 1)
        axes.bar(places - 0.2, found["then"], 0.4, color=MUTED, label="train")
        axes.bar(places + 0.2, found["now"], 0.4, color=JOINT, label="test")
        axes.set_xticks(places, [str(place) for place in places])
        axes.grid(False, axis="x")
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        said = f"the population stability index is {found['index']:.4f}"
        return _svg(axes, "stability", "Shares of training and test rows by score", said)


def months(found: Sequence[Points], columns: Sequence[str]) -> str:
    """Draw the indices of the score and of some columns by month, each in a drawing of its own."""
    shown = {"score": [row.get("score") for row in found]} if any("score" in row for row in found) else {}
    shown |= {f"column {name}": [row.get("columns", {}).get(name) for row in found] for name in columns}
    top = max([0.3, *(1.1 * index for indices in shown.values() for index in indices if index is not None)])
    with matplotlib.rc_context(SETTINGS):
        height = 1.5 * -(-len(shown) // 2) + 0.3
        figure = Figure(figsize=(5.0, height), layout="constrained", facecolor="none")
        panels = figure.subplots(-(-len(shown) // 2), 2, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, (name, indices) in zip(panels, shown.items(), strict=False):
            axes.set_title(_short(name), fontsize=9.5, loc="left")
            for bound in (0.1, 0.25):
                axes.axhline(bound, color=MUTED, linewidth=0.8, linestyle=":")
            values = [np.nan if index is None else index for index in indices]
            axes.plot(range(len(found)), values, color=JOINT, marker="o", markersize=3)
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
        places = sorted({0, len(found) - 1})
        panels[0].set_ylim(0, top)
        panels[0].set_xticks(places, [found[place]["month"] for place in places])
        said = "; ".join(f"{name} at most {_most(indices)}" for name, indices in shown.items())
        return _drawn(figure, "months", "Population stability indices by month", said)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_TITLE else name[: LONGEST_TITLE - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _most(indices: Sequence[float | None]) -> str:
    known = [index for index in indices if index is not None]
    return f"{max(known):.4f}" if known else "unknown"


def penalties(path: Sequence[Points], chosen: float) -> str:
    """Draw the mean log-loss of held-out rows over C, with a standard error up and down."""
    strengths, means, errors = (
        np.array([row[key] for row in path]) for key in ("C", "mean", "standard_error")
    )
    with matplotlib.rc_context(SETTINGS):
        axes = _axes("C, the inverse strength of the penalty", "log-loss of held-out rows")
        axes.set_xscale("log")
        axes.axvline(chosen, color=INK, linewidth=1, linestyle=":", label="chosen")
        axes.errorbar(
            strengths,
            means,
            errors,
            color=JOINT,
            marker="o",
            markersize=4,
            elinewidth=1,
            label="mean and standard error",
        )
        said = "; ".join(f"{mean:.5f} at C {C:g}" for C, mean in zip(strengths, means, strict=True))
        return _svg(
            axes, "penalties", "Log-loss of held-out rows by penalty", f"{said}; C {chosen:g} is chosen"
        )


def _true(tenths: Sequence[Points]) -> int:
    return sum(row["rate_low"] <= row["mean_pd"] <= row["rate_high"] for row in tenths)


def _at(points: Points, goods: float) -> float:
    return float(np.interp(goods, points["goods"], points["bads"]))


def _median(edges: Sequence[float], shares: Sequence[float]) -> float:
    """Return the PD below which half of a class lies, read off its bars."""
    so_far = np.cumsum([0.0, *shares])
    return float(1 / (1 + np.exp(-np.interp(0.5, so_far, edges))))


def _axes(x: str, y: str) -> Axes:
    axes = Figure(figsize=(5.0, 3.7), layout="constrained", facecolor="none").add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return axes


def _svg(axes: Axes, prefix: str, title: str, said: str) -> str:
    """Return the drawing of one diagram, with its legend above."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
    figure = axes.figure
    assert isinstance(figure, Figure)
    return _drawn(figure, prefix, title, said)


def _drawn(figure: Figure, prefix: str, title: str, said: str) -> str:
    """Return the drawing as an element that fits its container, its ids made unique by the prefix."""
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": prefix}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', _opening(prefix, title, said), text, count=1)
    text = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "system-ui, sans-serif", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text


def _opening(prefix: str, title: str, said: str) -> str:
    words = (
        f'<title id="{prefix}-title">{escape(title)}</title><desc id="{prefix}-desc">{escape(said)}.</desc>'
    )
    names = f'aria-labelledby="{prefix}-title" aria-describedby="{prefix}-desc"'
    return rf'<svg viewBox="\1" role="img" {names}>{words}'
