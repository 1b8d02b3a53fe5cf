"""Jobs on the real test sets: three parties' files, and the command that runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from parties.config.yaml import dump

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"

SETS = ("german", "breast", "caravan", "default_credit", "give_credit")

BREAST = {"max_iter": 80, "tolerance": 1e-4}
"""Nearly separable: the optimum lies 56 gradients away, more than the gate lets pass."""


class Tables(Protocol):
    """Two institutions' tables, and what a job says of them."""

    @property
    def name(self) -> str:
        """What they are called."""

    @property
    def features(self) -> str:
        """woe or standard."""

    @property
    def alignment(self) -> dict[str, Any]:
        """The rules by which the ids are made comparable."""

    @property
    def gates(self) -> list[str]:
        """The limits that the tables breach, by name."""

    @property
    def model(self) -> dict[str, Any]:
        """The job's section `model`."""

    def data(self, party: str) -> dict[str, Any]:
        """Return a party's section `data`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A real set, the kind of features, and whether the insurer's ids come as people type them."""

    name: str
    features: str = "woe"
    dirty: bool = False

    @property
    def folder(self) -> Path:
        """Where the set lies."""
        return DATA / self.name

    @property
    def schema(self) -> dict[str, Any]:
        """What the set says of itself."""
        schema: dict[str, Any] = json.loads((self.folder / "schema.json").read_text(encoding="utf-8"))
        return schema

    @property
    def alignment(self) -> dict[str, Any]:
        """The rules by which the ids are made comparable."""
        if self.dirty:
            return {"strip": True, "case": "lower", "blanks": "drop", "duplicates": "drop"}
        return {"strip": True, "case": "keep", "blanks": "refuse", "duplicates": "refuse"}

    @property
    def gates(self) -> list[str]:
        """The limits that the set's size or shape breaches, by name."""
        if self.features == "standard":  # raw amounts have long tails, and few rows share some levels
            kind = ["large_values", "rare_values"]
        else:
            kind = [] if self.name == "give_credit" else ["small_bins"]
        return [*kind, "many_iterations"] if self.name == "breast" else kind

    @property
    def model(self) -> dict[str, Any]:
        """What the fit's rules are, but for their defaults."""
        return {"C": 1.0, **(BREAST if self.name == "breast" else {})}

    @property
    def baseline(self) -> str:
        """The name under which the data's own baselines have this model."""
        return "lr_std" if self.features == "standard" else "woe10_lr"

    @property
    def files(self) -> dict[str, Path]:
        """Each party's table."""
        insurer = "insurer_dirty" if self.dirty else "insurer"
        return {"bank": self.folder / "bank.csv", "insurer": self.folder / f"{insurer}.csv"}

    def data(self, party: str) -> dict[str, Any]:
        """Return the party's section `data`."""
        own = {"label": "label", "split": "split", "drop": ["apply_month"]} if party == "bank" else {}
        categorical = self.schema["parties"][party]["categorical"]
        return {"table": str(self.files[party]), "id": "id", "categorical": categorical, **own}


def write_job(case: Tables, folder: Path) -> Path:
    """Write the job and its three parties' files; return the job's path."""
    folder.mkdir(parents=True, exist_ok=True)
    roles = {"bank": "guest", "insurer": "host", "trustee": "arbiter"}
    job = {
        "vfl": 1,
        "job": f"{case.name}-{case.features}".replace("_", "-"),
        "purpose": "A benchmark on public records; for no decision.",
        "parties": {name: {"role": role} for name, role in roles.items()},
        "alignment": case.alignment,
        "features": {"kind": case.features, "bins": 10},
        "model": case.model,
        "disclosure": {"scores": "exact"},
        "gates": {"allow": case.gates},
    }
    dump(job, folder / "job.yaml")
    for k, name in enumerate(roles):
        # `vfl local` puts its own addresses and certificates in place of these.
        dialled = {other: {"dial": "127.0.0.1:7443"} for other in list(roles)[k + 1 :]}
        party = {
            "vfl": 1,
            "party": name,
            "listen": "127.0.0.1:7443",
            "identity": {"certificate": f"{name}.crt", "key": f"{name}.key"},
            "peers": {
                other: {"certificate": f"{other}.crt"} | dialled.get(other, {})
                for other in roles
                if other != name
            },
            "timeouts": {"message": 3600.0},
        }
        data = {} if name == "trustee" else {"data": case.data(name)}
        dump(party | data, folder / f"{name}.yaml")
    return folder / "job.yaml"


def run(job: Path, out: Path) -> None:
    """Train and score with `vfl local`; raise CalledProcessError where it fails."""
    command = [sys.executable, "-m", "parties", "local", str(job), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
