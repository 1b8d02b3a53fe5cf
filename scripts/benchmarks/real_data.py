"""A joint model of a real set through `vfl local`, against the pooled fit in the same run."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.benchmarks.measuring.comparison import Comparison, beside
from scripts.benchmarks.real.evidence import published_evidence, published_values
from scripts.benchmarks.real.jobs import SETS, Case, on_real_tables, run, write_job
from scripts.benchmarks.real.pooled import Model, chosen, fitted, published

COEFFICIENT = 1e-4
"""Largest difference of a coefficient."""

REPORT = "guest/run.json"

DECIMALS = {"auc": 4, "ks": 4, "logloss": 3, "mean_pd": 3}
"""Decimals to which a measure must agree."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the parties of a finished run wrote down."""

    folder: Path
    hosts: tuple[str, ...]
    seconds: float

    def read(self, name: str) -> dict[str, Any]:
        """Return a file of a party's folder."""
        found: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return found

    @property
    def model(self) -> Model:
        """The joint model, put together from all parts."""
        report = self.read(REPORT)
        parts = [self.read(f"{party}/model.json")["coefficients"] for party in self.holders]
        splits = {split: chosen(models["joint"]) for split, models in report["splits"].items()}
        return Model(report["rows"], _joined(parts), splits, report["seconds"])

    @property
    def holders(self) -> tuple[str, ...]:
        """The folders of who holds a part of the model."""
        return ("guest", *self.hosts)


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def compared(case: Case, ours: Model, pooled: Model) -> Iterator[Comparison]:
    """Yield every number that must agree: counts, the coefficient furthest off, measures by split."""
    yield Comparison("common customers", sum(ours.rows.values()), sum(pooled.rows.values()), 0)
    for split, n in pooled.rows.items():
        yield Comparison(f"{split} rows", ours.rows[split], n, 0)
    name = furthest(ours.coefficients, pooled.coefficients)
    yield Comparison(f"coefficient {name}", ours.coefficients[name], pooled.coefficients[name], COEFFICIENT)
    for split, measures in pooled.splits.items():
        for m, value in measures.items():
            yield Comparison(f"{split} {m}", ours.splits[split][m], value, 0.5 * 10 ** -DECIMALS[m])


def furthest(ours: dict[str, float], pooled: dict[str, float]) -> str:
    """Return the name of the coefficient that is furthest off; both must have the same names."""
    assert ours.keys() == pooled.keys()
    return max(pooled, key=lambda name: abs(ours[name] - pooled[name]))


def scores(done: Run, case: Case) -> Comparison:
    """Compare the PDs of the test rows, one by one, with the published ones; return the one furthest off."""
    published = pd.read_csv(case.folder / "expected_scores.csv", dtype={"id": str}).set_index("id")
    wanted = published[case.baseline].rename("pooled")
    both = pd.read_parquet(done.folder / "guest" / "scores.parquet").set_index("id").join(wanted, how="right")
    row = both.iloc[int((both["pd"] - both["pooled"]).abs().to_numpy().argmax())]
    return Comparison("PD of a test row", row["pd"], row["pooled"], 1e-3)


def evidence(done: Run, case: Case) -> list[Comparison]:
    """Compare weights of evidence and information values with those of the published counts."""
    tables = [done.read(f"{party}/model.json")["features"] for party in done.holders]
    values = [
        done.read(f"{party}/run.json")["information_value"]["guest" if party == "guest" else "host"]
        for party in done.holders
    ]
    return [*published_evidence(case, _joined(tables)), published_values(case, _joined(values))]


def resources(done: Run, case: Case) -> dict[str, Any]:
    """Return gradients, and seconds, bytes and peak memory by phase or party."""
    parties = [*done.holders, *(["arbiter"] if case.arbiter else [])]
    reports = {party: done.read(f"{party}/run.json") for party in parties}
    guest, costs = reports["guest"], [report["phases"] for report in reports.values()]
    return {
        "seconds": done.seconds,
        "training_seconds": guest["seconds"],
        "phases": {
            name: {"seconds": cost["seconds"], "sent": sum(c[name]["sent"] for c in costs if name in c)}
            for name, cost in guest["phases"].items()
        },
        "peak_memory_mb": {party: report["peak_memory_mb"] for party, report in reports.items()},
        **{key: guest[key] for key in ("iterations", "converged", "degrees")},
    }


def measured(case: Case, folder: Path) -> dict[str, Any]:
    """Run the job in `folder`, fit its peer, and return everything that is printed."""
    job = write_job(case, folder, case.gradient_bits, arbiter=case.arbiter)
    begun = time.perf_counter()
    run(job, folder / "out")
    done = Run(folder / "out", case.hosts, time.perf_counter() - begun)
    peer = fitted(case)
    # No figures are published for the dirty ids' 888 customers.
    pooled = peer if case.dirty else published(case)
    held = [*compared(case, done.model, pooled), *([] if case.dirty else [scores(done, case)])]
    held += [] if case.dirty or case.features == "standard" else evidence(done, case)
    return {
        "case": asdict(case),
        "comparisons": held,
        "apart_from_sklearn": max(
            abs(w - peer.coefficients[name]) for name, w in done.model.coefficients.items()
        ),
        "rounded_to_one_point": {
            split: chosen(m) for split, m in done.read(REPORT).get("rounding", {}).items()
        },
        "sklearn_seconds": peer.seconds,
        **resources(done, case),
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the table of a run."""
    case = found["case"]
    title = f"{case['name']}, {case['features']}{', dirty ids' if case['dirty'] else ''}"
    if case["gradient_bits"]:
        title += f", {case['gradient_bits']} bits"
    if not case["arbiter"]:
        title += ", without an arbiter"
    yield f"{title:40}{'vfl':>12}{'pooled':>12}{'apart':>10}{'limit':>9}"
    for c in found["comparisons"]:
        yield c.line
    pooled = {c.what: c.pooled for c in found["comparisons"]}
    for split, measures in found["rounded_to_one_point"].items():
        for m, value in measures.items():
            yield beside(f"{split} {m}, hosts rounded to a point", value, pooled[f"{split} {m}"])
    yield f"{'coefficients, scikit-learn in this run':64}{found['apart_from_sklearn']:10.1e}"
    yield ""
    state = "converged" if found["converged"] else "NOT converged"
    yield f"{found['iterations']} gradients, {state}, degrees {' '.join(map(str, found['degrees']))}"
    yield f"{'':16}{'seconds':>12}{'MB sent':>12}"
    for name, cost in found["phases"].items():
        yield f"{name:16}{cost['seconds']:12.2f}{cost['sent'] / 1e6:12.2f}"
    sent = sum(cost["sent"] for cost in found["phases"].values()) / 1e6
    yield f"{'training':16}{found['training_seconds']:12.2f}{sent:12.2f}"
    yield f"{'whole command':16}{found['seconds']:12.2f}"
    peer = found["sklearn_seconds"]
    ratio = found["training_seconds"] / peer
    yield f"{'scikit-learn':16}{peer:12.3f}    pooled; training takes {ratio:.0f} times as long"
    yield "peak memory     " + ", ".join(f"{party} {mb} MB" for party, mb in found["peak_memory_mb"].items())


def main() -> None:
    """Print the table, or JSON; exit with 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=SETS, required=True)
    parser.add_argument("--features", choices=["woe", "standard"], default="woe")
    parser.add_argument("--dirty", action="store_true", help="the insurer's ids as people type them (german)")
    parser.add_argument(
        "--without-arbiter", action="store_true", help="guest and host decrypt for each other"
    )
    parser.add_argument("--gradient-bits", type=int, help="disclosure.gradient_bits; without it all bits")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the job and every party's folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    case = Case(
        options.set, options.features, options.dirty, options.gradient_bits, not options.without_arbiter
    )
    found = on_real_tables(parser, case.files.values(), options.out, partial(measured, case))
    print(json.dumps(found, default=Comparison.as_json) if options.json else "\n".join(lines(found)))
    sys.exit(0 if all(c.met for c in found["comparisons"]) else 1)


if __name__ == "__main__":
    main()
