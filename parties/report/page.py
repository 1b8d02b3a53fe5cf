"""A run as one HTML file: no scripts, nothing loaded, readable on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from parties.report import content, plots, verdict

TEMPLATE = "report.html.jinja"
UNKNOWN = "–"


def render(
    run: Mapping[str, Any], ledgers: list[dict[str, Any]], curves: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the report of a run, a page of HTML.

    `run` is run.json; `ledgers` one {"party", "entries"} per party whose ledger may be shown;
    `curves` holds by split the points that `validation.curves` gives, and may be empty.  What is
    missing in any of them is left out of the page.
    """
    entries = content.disclosures(ledgers)
    split = verdict.main_split(run)
    page = _environment().get_template(TEMPLATE)
    return page.render(
        run=run,
        split=split,
        verdict=verdict.verdict(run),
        helps=verdict.helps(run),
        consequence=verdict.consequence(run),
        headline=verdict.headline(run),
        limits=verdict.limits(run),
        validation=run.get("validation", {}),
        measures=content.measures(run),
        measured=content.measured(run),
        swapped=content.swapped(run),
        drift=content.drift,
        drifts=content.drifts(run),
        months=content.months(run),
        coefficients=content.coefficients(run),
        joined=content.joint_coefficients(run),
        bias=content.bias(run),
        bands=content.bands(run, split),
        disclosed=content.disclosed_by_trees(run),
        importances=content.importances(run),
        trees=content.trees(run),
        guest=verdict.role(run, "guest"),
        host=verdict.role(run, "host"),
        information=content.information(run),
        left_out=content.left_out(run),
        alike=content.alike(run),
        woe=content.woe_tables(run),
        entries=entries,
        senders=sorted({str(entry["from"]) for entry in entries}),
        learned=content.learned(entries),
        trust=content.trust(run),
        months_drawn=_months_drawn(run),
        folds=run.get("cross_validation", {}),
        path_drawn=_path_drawn(run),
        drawings=_drawings(run.get("validation", {}), curves.get(split, {})),
    )


def _months_drawn(run: Mapping[str, Any]) -> Markup | None:
    months = run.get("months", [])
    known = [row for row in months if row.keys() & {"score", "columns"}]
    return Markup(plots.months(months, content.moved_most(run))) if len(known) > 1 else None


def _path_drawn(run: Mapping[str, Any]) -> Markup | None:
    found = run.get("cross_validation", {})
    return Markup(plots.penalties(found["path"], found["C"])) if found else None


def _drawings(validation: Mapping[str, Any], points: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """Return titles and drawings of what is known: the only text that enters the page unescaped."""
    drawn = []
    if "roc" in points:
        drawn.append(("ROC", plots.roc(points["roc"])))
    if "ks" in points:
        drawn.append(("KS", plots.ks(points["ks"])))
    if "lift" in validation:
        drawn.append(("Gain", plots.gain(validation["lift"])))
    if "calibration" in validation:
        tenths = {name: found["tenths"] for name, found in validation["calibration"].items()}
        drawn.append(("Calibration", plots.calibration(tenths)))
    if "scores" in points:
        drawn.append(("Score distribution", plots.scores(points["scores"])))
    if "stability" in validation:
        drawn.append(("Stability of the score", plots.stability(validation["stability"])))
    return [(title, Markup(drawing)) for title, drawing in drawn]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": number,
        "signed": signed,
        "count": count,
        "percent": percent,
        "size": size,
        "as": written,
        "points": points,
    }
    return environment


def written(value: Any, kind: str) -> str:
    """Return a value as its kind is written: a count, a percent or a number."""
    return {"count": count, "percent": percent}.get(kind, number)(value)


def number(value: Any, digits: int = 4) -> str:
    """Return a number with so many decimals, a dash for none."""
    return f"{value:.{digits}f}" if isinstance(value, int | float) else UNKNOWN


def signed(value: Any, digits: int = 4) -> str:
    """Return a difference with its sign, a dash for none."""
    return f"{value:+.{digits}f}" if isinstance(value, int | float) else UNKNOWN


def count(value: Any) -> str:
    """Return an integer with its thousands apart, a dash for none."""
    return verdict.count(value) if isinstance(value, int) else UNKNOWN


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
