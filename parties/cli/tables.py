"""Results as lines of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

METRICS = ("auc", "ks", "gini")


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
    rows = []
    for split, models in run["splits"].items():
        for name, title in (("joint", "joint"), ("guest_only", f"{guest} alone")):
            if model := models.get(name):
                rows.append((f"{split}: {title}", *(f"{model[metric]:.4f}" for metric in METRICS)))
    yield from table(
        ("", *(metric.upper() if len(metric) < 4 else metric.title() for metric in METRICS)), rows
    )


def summary_lines(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield one line per value, under its dotted name."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from summary_lines(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}: {value:.6g}" if isinstance(value, float) else f"{prefix}{key}: {value}"
