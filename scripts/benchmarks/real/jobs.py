"""Jobs on the real test sets: every party's files, and the command that runs them."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from parties.config.yaml import dump

T = TypeVar("T")

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"

THREE = "default_credit_3p"
"""The set that is cut among a bank and two hosts."""

SETS = ("german", "breast", "caravan", "default_credit", THREE, "give_credit")


class Tables(Protocol):
    """Institutions' tables, and what a job says of them."""

    @property
    def name(self) -> str:
        """What they are called."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Who brings columns beside the bank."""

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
    """A real set, the kind of features, and whether the insurer's ids come as people type them.

    `gradient_bits`: bits of each number of a gradient that its party learns, None for all.
    `arbiter`: whether one holds the key, or the two parties decrypt for each other.
    """

    name: str
    features: str = "woe"
    dirty: bool = False
    gradient_bits: int | None = None
    arbiter: bool = True

    @property
    def folder(self) -> Path:
        """Where the set lies."""
        return DATA / self.name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Who brings columns beside the bank."""
        return ("insurer", "lender2") if self.name == THREE else ("insurer",)

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
        if self.name in (
            "breast",
            "caravan",
        ):  # 20 and 42 columns for 141 and 240 rows of the rarer class
            kind = [*kind, "few_rows"]
        return [*kind, "many_iterations"] if self.is_far else kind

    @property
    def is_far(self) -> bool:
        """Whether the optimum lies more gradients away than the gate lets pass: nearly separable."""
        return self.name == "breast" and self.features == "standard"

    @property
    def model(self) -> dict[str, Any]:
        """What the fit's rules are, but for their defaults."""
        return {"C": 1.0} | ({"max_iter": 80} if self.is_far else {})

    @property
    def baseline(self) -> str:
        """The name under which the data's own baselines have this model."""
        return "lr_std" if self.features == "standard" else "woe10_lr"

    @property
    def files(self) -> dict[str, Path]:
        """Each party's table."""
        stems = {name: f"{name}_dirty" if self.dirty and name == "insurer" else name for name in self.hosts}
        return {name: self.folder / f"{stem}.csv" for name, stem in ({"bank": "bank"} | stems).items()}

    def data(self, party: str) -> dict[str, Any]:
        """Return the party's section `data`."""
        own = {"label": "label", "split": "split", "drop": ["apply_month"]} if party == "bank" else {}
        categorical = self.schema["parties"][party]["categorical"]
        table = self.files.get(party, self.folder / f"{party}.csv")
        return {"table": str(table), "id": "id", "categorical": categorical, **own}


def write_job(case: Tables, folder: Path, gradient_bits: int | None = None, *, arbiter: bool = True) -> Path:
    """Write the job of a regression and all its parties' files; return the job's path."""
    roles = {"bank": "guest"} | dict.fromkeys(case.hosts, "host")
    if arbiter:
        roles["trustee"] = "arbiter"
    sections = {
        "job": f"{case.name}-{case.features}".replace("_", "-"),
        "alignment": case.alignment,
        "features": {"kind": case.features, "bins": 10},
        "model": case.model,
        "disclosure": {"scores": "exact", "gradient_bits": gradient_bits},
        "gates": {"allow": case.gates},
    }
    return write_files(folder, roles, sections, case.data)


def write_files(
    folder: Path, roles: dict[str, str], sections: dict[str, Any], data: Callable[[str], dict[str, Any]]
) -> Path:
    """Write a job and each of its parties' files; return the job's path.

    `roles`: every party's role by its name, who dials before whom it dials; `data`: a party's section.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = {
        "vfl": 1,
        "purpose": "A benchmark on public records; for no decision.",
        "parties": {name: {"role": role} for name, role in roles.items()},
    }
    dump(job | sections, folder / "job.yaml")
    for name, role in roles.items():
        party = {
            "vfl": 1,
            "party": name,
            "listen": "127.0.0.1:7443",
            "identity": {"certificate": f"{name}.crt", "key": f"{name}.key"},
            "peers": _peers(name, roles),
            "timeouts": {"message": 3600.0},
        }
        own = {} if role == "arbiter" else {"data": data(name)}
        dump(party | own, folder / f"{name}.yaml")
    return folder / "job.yaml"


def _peers(name: str, roles: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return how a party meets the others: hosts do not meet, and everybody dials who comes later."""
    order = list(roles)
    met = [other for other in order if other != name and not roles[other] == roles[name] == "host"]
    # `vfl local` puts its own addresses and certificates in place of these.
    return {
        other: {"certificate": f"{other}.crt"}
        | ({"dial": "127.0.0.1:7443"} if order.index(other) > order.index(name) else {})
        for other in met
    }


def run(job: Path, out: Path) -> None:
    """Train and score with `vfl local`; raise CalledProcessError where it fails."""
    command = [sys.executable, "-m", "parties", "local", str(job), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def on_real_tables(
    parser: argparse.ArgumentParser, tables: Iterable[Path], out: Path | None, measured: Callable[[Path], T]
) -> T:
    """Return what is measured in a folder: `out`, or one that goes again.

    Ends the command where a table is not there, and where a command that it runs fails.
    """
    missing = [path for path in tables if not path.exists()]
    if missing:
        parser.error(f"{missing[0]} is not there: the real test sets are not part of the repository")
    with tempfile.TemporaryDirectory(prefix="vfl-") as temporary:
        try:
            return measured(out or Path(temporary))
        except subprocess.CalledProcessError as failed:
            sys.exit(failed.returncode)
