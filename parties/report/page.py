"""A run as one HTML file: no scripts, nothing loaded, readable on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from numpy.typing import NDArray

from parties.report import content, plots

TEMPLATE = "report.html.jinja"
MODELS = ("joint", "guest_only")
UNKNOWN = "–"


def render(
    run: Mapping[str, Any],
    ledgers: list[dict[str, Any]],
    curves: Mapping[str, Mapping[str, NDArray[Any]]],
) -> str:
    """Return the report of a run, a page of HTML.

    `run` is run.json; `ledgers` one {"party", "entries"} per party whose ledger may be shown;
    `curves` holds by split the arrays "y", "joint" and "guest_only" (PDs), and may be empty.  What
    is missing in any of them is left out of the page.
    """
    entries = content.disclosures(ledgers)
    split = content.main_split(run, curves)
    scores = {name: np.asarray(values) for name, values in curves.get(split, {}).items()}
    page = _environment().get_template(TEMPLATE)
    return page.render(
        run=run,
        split=split,
        verdict=content.verdict(run, curves),
        headline=content.headline(run, curves),
        measures=content.measures(run),
        coefficients=content.coefficients(run),
        joined=content.joint_coefficients(run),
        bias=content.bias(run),
        bands=content.bands(run, split),
        disclosed=content.disclosed_by_trees(run),
        importances=content.importances(run),
        trees=content.trees(run),
        guest=content.role(run, "guest"),
        information=content.information(run),
        woe=content.woe_tables(run),
        entries=entries,
        learned=content.learned(entries),
        trust=content.trust(run),
        lift=content.lift(scores["y"], scores["joint"]) if _plottable(scores) else [],
        drawings=_drawings(scores) if _plottable(scores) else [],
    )


def _plottable(scores: Mapping[str, NDArray[Any]]) -> bool:
    return "y" in scores and "joint" in scores and 0 < np.sum(scores["y"]) < len(scores["y"])


def _drawings(scores: Mapping[str, NDArray[Any]]) -> list[tuple[str, Markup]]:
    y = scores["y"]
    models = {name: scores[name] for name in MODELS if name in scores}
    joint = models["joint"]
    # The only text that enters the page unescaped: drawn here, from numbers.
    return [
        ("ROC", Markup(plots.roc(y, models))),
        ("KS", Markup(plots.ks(y, joint))),
        ("Calibration", Markup(plots.calibration(y, models))),
        ("Score distribution", Markup(plots.scores(y, joint))),
    ]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": number,
        "count": count,
        "percent": percent,
        "size": size,
        "points": points,
    }
    return environment


def number(value: Any, digits: int = 4) -> str:
    """Return a number with so many decimals, a dash for none."""
    return f"{value:.{digits}f}" if isinstance(value, int | float) else UNKNOWN


def count(value: Any) -> str:
    """Return an integer with its thousands apart, a dash for none."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else UNKNOWN


def percent(value: Any, digits: int = 2) -> str:
    """Return a share in per cent, a dash for none."""
    return f"{100 * value:.{digits}f} %" if isinstance(value, int | float) else UNKNOWN


def points(value: Any) -> str:
    """Return points with their sign and one decimal, those of one unit of a number with three digits."""
    if not isinstance(value, int | float):
        return UNKNOWN
    return f"{value:+.1f}" if abs(value) >= 0.1 or not value else f"{value:+.3g}"


def size(value: Any) -> str:
    """Return a number of bytes in the unit that reads best, a dash for none."""
    if not isinstance(value, int | float):
        return UNKNOWN
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"
