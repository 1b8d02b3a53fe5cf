"""Results as lines of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

METRICS = ("auc", "ks", "gini", "logloss")
RATES = ("mean_pd", "event_rate")
AMOUNTS = ("deviance", "d2", "rmse", "mae", "mean", "mean_prediction")
UNKNOWN = "–"
LONGEST = 14
"""Letters of a party's name in a table of 80 columns."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table: the first column flush left, the others flush right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(cells).rstrip()


def comparison(run: dict[str, Any], guest: str) -> Iterator[str]:
    """Yield what the joint model reaches beside the guest's own, for each split that was measured."""
    if not run["splits"]:
        yield "the joint model was not measured: disclosure.metrics is empty"
        return
    if "family" in run:
        yield from amounts(run["splits"], guest)
        return
    rows = []
    for split, models in run["splits"].items():
        measured = {
            "joint": models["joint"],
            "joint, to one point": run.get("rounding", {}).get(split),
            f"{shortened(guest)} alone": models["guest_only"],
        }
        rows += [(f"{split}: {title}", *_measures(m)) for title, m in measured.items() if m]
    yield from table(("", "AUC", "KS", "Gini", "log-loss", "mean PD", "bad rate"), rows)
    if calibration := run.get("calibration"):
        yield ""
        yield from bias(calibration["splits"])


def amounts(splits: dict[str, dict[str, Any]], guest: str) -> Iterator[str]:
    """Yield how well both models predict an outcome that is no label, for each split."""
    rows = [
        (f"{split}: {title}", *(_six(models[model][key]) for key in AMOUNTS))
        for split, models in splits.items()
        for model, title in (("joint", "joint"), ("guest_only", f"{shortened(guest)} alone"))
    ]
    yield from table(("", "deviance", "D2", "RMSE", "MAE", "mean", "predicted"), rows)


def bias(splits: dict[str, dict[str, float]]) -> Iterator[str]:
    """Yield by how much the straight line for a sigmoid misses the bad rate, and its correction."""
    rows = [
        (split, *(f"{found[key]:.2%}" for key in ("mean_pd_before", "mean_pd_after", "event_rate")))
        for split, found in splits.items()
    ]
    yield from table(("sigmoid: taylor", "mean PD before", "calibrated", "bad rate"), rows)


def efforts(guest: dict[str, Any], books: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield what the training took each party, and how many cores all of them kept busy."""
    rows = [
        (f"training: {shortened(name)}", book["seconds"], book["cpu_seconds"]) for name, book in books.items()
    ]
    rows.append(("all parties", guest["seconds"], sum(cpu for _, _, cpu in rows)))
    yield from table(
        ("", "seconds", "CPU seconds", "cores busy"),
        [(what, f"{wall:.1f}", f"{cpu:.1f}", f"{cpu / wall:.2f}") for what, wall, cpu in rows],
    )


def _measures(found: dict[str, Any]) -> list[str]:
    ranks = [UNKNOWN if (m := found[key]) is None else f"{m:.4f}" for key in METRICS]
    return [*ranks, *(f"{found[key]:.2%}" for key in RATES)]


def _six(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.5g}"


def shortened(name: str, longest: int = LONGEST) -> str:
    """Return a name of so many letters at most."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def summary_lines(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield one line per value, under its dotted name."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from summary_lines(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}: {value:.6g}" if isinstance(value, float) else f"{prefix}{key}: {value}"
