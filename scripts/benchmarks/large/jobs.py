"""Jobs on large tables: what they ask for, what their runs took, what one analyst would have fitted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parties.cost.work import Rates
from scripts.benchmarks.cost import compared
from scripts.benchmarks.generated.book import Book
from scripts.benchmarks.real.jobs import write_files
from scripts.benchmarks.real.pooled import chosen, fitted
from scripts.benchmarks.real.tree_oracle import Pooled, boosted
from vfl.stats.metrics import evaluate

ROLES = {"bank": "guest", "insurer": "host", "trustee": "arbiter"}
FOLDERS = {"guest": "guest", "insurer": "insurer", "arbiter": "arbiter"}

TREES = {
    "kind": "trees",
    "n_estimators": 20,
    "max_depth": 4,
    "learning_rate": 0.3,
    "reg_lambda": 1.0,
    "gamma": 0.0,
    "min_child_weight": 1.0,
    "max_bin": 32,
    "first_tree": "all",
}

REGRESSION = {"C": 1.0, "tolerance": 1e-4}
"""A coefficient may be 1e-4 off, which on half a million rows is a hundredth of its standard error."""

MEASURES = ("auc", "ks", "logloss", "mean_pd")


@dataclass(frozen=True, slots=True)
class Large:
    """A training of one kind on large tables; `phase`: lr, trees, or score for a regression beforehand."""

    phase: str
    book: Book

    @property
    def name(self) -> str:
        """What the job is called."""
        return f"big-{self.phase}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The insurer alone."""
        return self.book.hosts

    @property
    def institutions(self) -> tuple[str, ...]:
        """Both parties with tables."""
        return self.book.institutions

    @property
    def features(self) -> str:
        """Weights of evidence."""
        return self.book.features

    @property
    def alignment(self) -> dict[str, Any]:
        """The ids are clean."""
        return self.book.alignment

    @property
    def gates(self) -> list[str]:
        """Blanks and rare categories may fall into small bins."""
        return ["small_bins"]

    @property
    def model(self) -> dict[str, Any]:
        """The job's section `model`."""
        return TREES if self.phase == "trees" else REGRESSION

    def data(self, party: str) -> dict[str, Any]:
        """Return the party's section `data`."""
        return self.book.data(party)

    def write(self, folder: Path) -> Path:
        """Write the job and its parties' files; return the job's path."""
        sections: dict[str, Any] = {
            "job": self.name,
            "alignment": {**self.alignment, "max_ids": 1 << 25},
            "model": self.model,
            "gates": {"allow": self.gates},
        }
        if self.phase == "trees":
            sections["encryption"] = {"decryptions": 1_000_000}
        else:
            sections |= {"features": {"kind": "woe", "bins": 10}, "disclosure": {"scores": "exact"}}
        return write_files(folder, ROLES, sections, self.data)

    def forecast(self, folder: Path, rates: Rates) -> list[tuple[str, float, float]]:
        """Return what was foretold of the run in `folder` beside what it took."""
        lines = compared(folder / "job" / "job.yaml", folder / "out", rates, apart=False)
        return [(line.what, line.foretold, line.measured) for line in lines]


def taken(out: Path, task: str) -> dict[str, Any]:
    """Return seconds and bytes by phase, peak memory by party, and facts of a run or a scoring."""
    paths = {party: out / folder / f"{task}.json" for party, folder in FOLDERS.items()}
    books = {party: read(path) for party, path in paths.items() if path.exists()}
    guest = books["guest"]
    phases = {
        name: {
            "seconds": cost["seconds"],
            "sent": sum(b["phases"].get(name, {}).get("sent", 0) for b in books.values()),
        }
        for name, cost in guest["phases"].items()
    }
    told = ("rows", "iterations", "sampled", "converged", "degrees", "scored", "unmatched")
    return {
        "seconds": guest["seconds"],
        "cpu_seconds": {party: one["cpu_seconds"] for party, one in books.items()},
        "phases": phases,
        "memory_mb": {party: one["peak_memory_mb"] for party, one in books.items()},
        "facts": {name: guest[name] for name in told if name in guest},
    }


def peer_of(case: Large, out: Path) -> dict[str, Any]:
    """Return the seconds of a pooled fit of the same rows, and both models' numbers side by side."""
    ours = read(out / "guest" / "run.json")
    joint = chosen(ours["splits"]["test"]["joint"])
    if case.phase == "trees":
        return _xgboost(case, joint)
    pooled = fitted(case)
    own = (
        read(out / "guest" / "model.json")["coefficients"]
        | read(out / "insurer" / "model.json")["coefficients"]
    )
    furthest = max(pooled.coefficients, key=lambda name: abs(own[name] - pooled.coefficients[name]))
    beside = [(f"coefficient {furthest}", own[furthest], pooled.coefficients[furthest])]
    beside += [(f"test {name}", joint[name], pooled.splits["test"][name]) for name in MEASURES]
    return {"name": "scikit-learn", "seconds": pooled.seconds, "beside": beside}


def _xgboost(case: Large, joint: dict[str, float]) -> dict[str, Any]:
    pooled = Pooled.read(case)
    seconds, pds = boosted(pooled, case.model)
    theirs = chosen(evaluate(pooled.y[~pooled.train], pds[~pooled.train]))
    beside = [(f"test {name}", joint[name], theirs[name]) for name in MEASURES]
    return {"name": "xgboost", "seconds": seconds, "beside": beside}


def read(path: Path) -> dict[str, Any]:
    """Return a JSON file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
