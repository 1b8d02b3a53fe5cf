"""Jobs of boosted trees on the real test sets: one host or two, with an arbiter or without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmarks.real.jobs import DATA, SETS, THREE, Case, write_files

FATE = "fate_default_credit"
TREE_SETS = (*SETS, FATE)

SMALL = ("german", "breast", "caravan")
"""Sets with too few rows for fifty trees of depth four."""


@dataclass(frozen=True, slots=True)
class TreeCase:
    """A real set, the trees to grow from it, and whether an arbiter holds the key."""

    name: str
    arbiter: bool = True
    trees: int = 50
    depth: int = 4
    hidden: bool = False
    """Hosts see no rows of nodes."""

    @classmethod
    def usual(
        cls, name: str, *, arbiter: bool, trees: int | None = None, depth: int | None = None
    ) -> TreeCase:
        """Return a case with the numbers left out: 50 trees of depth 4, FATE's set 20 of depth 5."""
        most, deepest = (20, 5) if name == FATE else (50, 4)
        return cls(name, arbiter, trees or most, depth or deepest)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The parties that hold columns alone."""
        return ("insurer", "lender2") if self.name == THREE else ("insurer",)

    @property
    def institutions(self) -> tuple[str, ...]:
        """All parties that hold columns, in the order in which splits are searched."""
        return ("bank", *self.hosts)

    @property
    def files(self) -> dict[str, Path]:
        """Each institution's table."""
        folder = DATA / self.name
        if self.name == FATE:
            return {"bank": folder / "guest.csv", "insurer": folder / "host.csv"}
        return {party: folder / f"{party}.csv" for party in self.institutions}

    @property
    def scores(self) -> Path | None:
        """Published scores of the test rows, where there are any of such trees."""
        if self.name == FATE or (self.trees, self.depth) != (50, 4):
            return None
        return DATA / self.name / "expected_scores.csv"

    @property
    def gates(self) -> list[str]:
        """The limits that the set's size or shape breaches, by name."""
        few = [] if self.name == "give_credit" else ["small_bins"]
        return [*few, "many_leaves"] if self.name in SMALL else few

    @property
    def model(self) -> dict[str, Any]:
        """The job's section `model`: the first tree is grown from all columns, as the pooled one."""
        return {
            "kind": "trees",
            "n_estimators": self.trees,
            "max_depth": self.depth,
            "learning_rate": 0.3,
            "reg_lambda": 1.0,
            "gamma": 0.0,
            "min_child_weight": 1.0,
            "max_bin": 32,
            "first_tree": "all",
            "node_rows": "hidden" if self.hidden else "shown",
        }

    def data(self, party: str) -> dict[str, Any]:
        """Return an institution's section `data`."""
        if self.name == FATE:
            label = {"label": "y"} if party == "bank" else {}
            return {"table": str(self.files[party]), "id": "id", **label}
        return Case(self.name).data(party)

    def write(self, folder: Path) -> Path:
        """Write the job and its parties' files; return the job's path."""
        roles = {"bank": "guest"} | dict.fromkeys(self.hosts, "host")
        if self.arbiter:
            roles["trustee"] = "arbiter"
        sections = {
            "job": f"{self.name}-trees".replace("_", "-"),
            "model": self.model,
            "encryption": {"decryptions": 1_000_000},
            "gates": {"allow": self.gates},
        }
        return write_files(folder, roles, sections, self.data)
