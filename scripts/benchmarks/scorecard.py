"""A monotone scorecard from raw files and YAML alone, against its pooled twin on the same bins.

Runs `configs/SET/monotone.yaml` through `vfl local`.  The twin is what one analyst would fit who
had all tables and both parties' bins: it reads both models, as only an auditor could.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from parties.config.job import Job
from scripts.benchmarks.measuring.comparison import Comparison
from scripts.benchmarks.real.evidence import APART, pooled_bins
from scripts.benchmarks.real.jobs import Case, on_real_tables, run
from scripts.benchmarks.real.pooled import pooled_table
from vfl.stats.binning import NumericBins
from vfl.stats.counted import CountedBins
from vfl.stats.scorecard import Scorecard

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SETS = tuple(sorted(path.parent.name for path in CONFIGS.glob("*/monotone.yaml")))
COEFFICIENT, POINT = 1e-4, 0.01
"""Largest differences of a coefficient, and of a bin's points before they are rounded."""

Table = NDArray[np.float64]
Bins = dict[str, tuple[CountedBins, Table]]


def is_monotone(column: CountedBins) -> bool:
    """Tell whether WOE rises or falls from interval to interval; levels need no trend."""
    if not isinstance(column.binning, NumericBins):
        return True
    steps = [b - a for a, b in pairwise(column.woe[: column.binning.ordered])]
    return all(s > 0 for s in steps) or all(s < 0 for s in steps)


def points(weight: float, table: Table, scale: Scorecard) -> Table:
    """Return the points that each bin of a column adds, before they are rounded."""
    return np.asarray(-weight * table / scale.one_point)


def compared(ours: dict[str, float], twin: dict[str, float], bins: Bins, scale: Scorecard) -> Iterator[Any]:
    """Yield the numbers that must agree, each by its member that is furthest off."""
    bad = [name for name, (column, _) in bins.items() if not is_monotone(column)]
    yield Comparison(f"columns without a trend, of {len(bins)}", len(bad), 0, 0)
    pairs = {
        "WOE of a bin": [(table, column.woe) for column, table in bins.values()],
        "coefficient": [(np.array([ours[name]]), np.array([twin[name]])) for name in ours],
        "points of a bin": [
            (points(ours[name], table, scale), points(twin[name], column.woe, scale))
            for name, (column, table) in bins.items()
        ],
    }
    for (what, found), limit in zip(pairs.items(), (APART, COEFFICIENT, POINT), strict=True):
        a, b = (np.concatenate(side) for side in zip(*found, strict=True))
        k = int(np.abs(a - b).argmax())
        yield Comparison(what, float(a[k]), float(b[k]), limit)
    rounded = [(np.rint(a) != np.rint(b)).sum() for a, b in pairs["points of a bin"]]
    yield Comparison("bins whose whole points differ", float(sum(rounded)), 0, 0)


def measured(name: str, folder: Path) -> dict[str, Any]:
    """Run the job, fit its twin, and return everything that is printed."""
    run(CONFIGS / name / "monotone.yaml", folder)
    job = Job.load(CONFIGS / name / "monotone.yaml")
    columns, y, train = pooled_table(Case(name))
    bins: Bins = {}
    folders = ("guest", *job.hosts)
    for party in folders:
        path = folder / party / "model.json"
        held = json.loads(path.read_text(encoding="utf-8"))["columns"]
        bins |= pooled_bins(path, {column: columns[column] for column in held}, y, train)
    x = np.column_stack(
        [
            column.woe[column.binning.codes(columns[name]) % column.binning.slots]
            for name, (column, _) in bins.items()
        ]
    )
    fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12, max_iter=500).fit(x[train], y[train])
    twin = dict(zip(["intercept", *bins], [*fit.intercept_, *fit.coef_[0]], strict=True))
    ours: dict[str, float] = {}
    for party in folders:
        ours |= json.loads((folder / party / "model.json").read_text())["coefficients"]
    report = json.loads((folder / "guest" / "run.json").read_text())
    return {
        "set": name,
        "comparisons": list(compared(ours, twin, bins, Scorecard(pdo=job.scorecard.pdo))),
        "columns": {
            column: {
                "bins": len(counted.rows()),
                "information_value": counted.information_value,
                "coefficient": ours[column],
            }
            for column, (counted, _) in bins.items()
        },
        "test": {model: report["splits"]["test"][model]["auc"] for model in ("guest_only", "joint")},
        "seconds": report["seconds"],
        "gradients": report["iterations"],
        "gates": report["gates_overridden"],
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the table of a run."""
    yield f"{found['set'] + ', monotone':40}{'vfl':>12}{'pooled':>12}{'apart':>10}{'limit':>9}"
    for c in found["comparisons"]:
        yield c.line
    yield f"\n{'column':40}{'bins':>5}{'IV':>10}{'coefficient':>13}"
    for name, column in found["columns"].items():
        value, weight = column["information_value"], column["coefficient"]
        yield f"{name[:39]:40}{column['bins']:5}{value:10.4f}{weight:13.4f}"
    test = found["test"]
    yield f"\ntest AUC {test['joint']:.4f}, of the bank alone {test['guest_only']:.4f}"
    gates = ", ".join(found["gates"]) or "closed"
    yield f"training {found['seconds']:.0f} s, {found['gradients']} gradients, gates {gates}"


def main() -> None:
    """Print the table, or JSON; exit with 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=SETS, required=True)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep every party's folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tables = Case(options.set).files.values()
    found = on_real_tables(parser, tables, options.out, partial(measured, options.set))
    print(json.dumps(found, default=Comparison.as_json) if options.json else "\n".join(lines(found)))
    sys.exit(0 if all(c.met for c in found["comparisons"]) else 1)


if __name__ == "__main__":
    main()
