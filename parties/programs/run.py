"""What every program needs: links, ids, features, and the files it leaves."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.config.job import Job
from parties.config.party import Party
from vfl import __version__
from vfl.crypto.modular import Gmp
from vfl.crypto.paillier import RANDOMISER_BITS, PublicKey
from vfl.errors import DataError, SecurityError
from vfl.linear.logistic import Rules
from vfl.stats.binning import Binning, fit_bins, from_json
from vfl.stats.standard import Standardiser
from vfl.table.ids import IdRules, normalised
from vfl.table.read import check_columns
from vfl.table.table import Table
from vfl.wire.certificates import Identity, fingerprint, load_certificate, load_identity
from vfl.wire.network import Hello, Session


def workers(party: Party) -> int:
    """Return the processes this party may use."""
    return party.compute.processes or os.cpu_count() or 1


def identity(job: Job, party: Party) -> Identity:
    """Return the party's identity, which must be the one the job pins."""
    own = load_identity(party.party, party.identity.key, party.identity.certificate)
    _pinned(job, party.party, own.certificate_pem)
    return own


def certificates(job: Job, party: Party) -> dict[str, bytes]:
    """Return each peer's certificate, which must be the one the job pins."""
    found = {name: load_certificate(link.certificate) for name, link in party.peers.items()}
    for name, pem in found.items():
        _pinned(job, name, pem)
    return found


def _pinned(job: Job, name: str, pem: bytes) -> None:
    if fingerprint(pem) != job.pins[name]:
        raise SecurityError(name, "its certificate is not the one that the job pins")


def hello(job: Job, party: Party, run: str, task: str) -> Hello:
    """Return what this party says first on a link."""
    return Hello(contract=job.contract_hash(), run=run, task=task, party=party.party)


def public_key(job: Job, party: Party, modulus: int) -> PublicKey:
    """Return the arbiter's key with this party's processes behind it."""
    bits = RANDOMISER_BITS[str(job.encryption.randomiser_bits)]
    return PublicKey(modulus, Gmp(workers(party)), bits)


def fit_rules(job: Job) -> Rules:
    """Return how the descent ends."""
    return Rules(job.model.tolerance, job.model.max_iter, job.model.sigmoid == "taylor")


def cleaned(job: Job, table: Table) -> tuple[NDArray[np.object_], Table]:
    """Return the normalised ids and the table's rows in their order."""
    rules = IdRules(**job.alignment.model_dump(exclude={"min_intersection"}))
    clean = normalised(table.ids, rules, table.source)
    return clean.ids, table.take(clean.rows)


def domain(job: Job, run: str) -> bytes:
    """Return what separates this run's group elements from every other run's."""
    return f"{job.contract_hash()}/{run}".encode()


@dataclass(frozen=True, slots=True)
class Bins:
    """How a party's columns become codes: one binning a column."""

    binnings: dict[str, Binning]

    @classmethod
    def fit(cls, table: Table, train: NDArray[np.bool_], bins: int) -> Bins:
        """Learn from the training rows alone."""
        return cls({name: fit_bins(c.values, train, bins) for name, c in table.columns.items()})

    def codes(self, table: Table) -> list[NDArray[np.int64]]:
        """Return each column's slot of each row."""
        return [b.codes(table.columns[name].values) % b.slots for name, b in self.binnings.items()]

    @property
    def slots(self) -> list[int]:
        """The slots of each column."""
        return [b.slots for b in self.binnings.values()]


def check_training(table: Table, train: NDArray[np.bool_]) -> None:
    """Refuse columns that say nothing in the training rows."""
    check_columns(table.take(np.flatnonzero(train)))


def features_json(
    kind: str, bins: Bins | None, tables: list[NDArray[np.float64]], std: Standardiser | None
) -> Any:
    """Return the description of the features for a model file."""
    if kind == "standard":
        assert std is not None
        return std.as_json()
    assert bins is not None
    return {
        name: {"bins": b.as_json(), "woe": t.tolist()}
        for (name, b), t in zip(bins.binnings.items(), tables, strict=True)
    }


def design(model: Mapping[str, Any], table: Table) -> NDArray[np.float64]:
    """Return the design matrix of a table by a model file's features."""
    columns = {name: c.values for name, c in table.columns.items()}
    if model["features_kind"] == "standard":
        return Standardiser.from_json(model["features"]).transform(columns)
    out = []
    for name, spec in model["features"].items():
        if name not in columns:
            raise DataError(table.source, f"has no column {name}, which the model needs")
        out.append(np.asarray(spec["woe"])[from_json(spec["bins"]).codes(columns[name])])
    return np.column_stack(out)


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all, for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.chmod(0o600)
    part.replace(path)


def books(job: Job, run: str, task: str, session: Session, seconds: float) -> dict[str, Any]:
    """Return what every party's run.json begins with."""
    return {
        "vfl": __version__,
        "job": job.job,
        "purpose": job.purpose,
        "contract": job.contract_hash(),
        "run": run,
        "task": task,
        "parties": {name: p.role for name, p in job.parties.items()},
        "seconds": round(seconds, 3),
        "phases": {
            name: {"seconds": round(c.seconds, 3), "sent": c.sent, "received": c.received}
            for name, c in session.phases.items()
        },
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
