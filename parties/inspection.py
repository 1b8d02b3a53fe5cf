"""What a party's own table and keys say before any peer is met.

Raises what a run would raise later: DataError and ConfigError for the table, ContractError for a
closed gate or a policy, SecurityError for a certificate that is not the pinned one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.policy import check_policy
from parties.programs.limits import check_events, check_leaves, check_outcomes, check_weights
from parties.programs.model import levels_in
from parties.programs.stored import read_batch
from parties.sources import batch_source, read_training
from vfl.errors import ContractError, DataError, SecurityError
from vfl.gates import FEW_HOST_COLUMNS, Gates
from vfl.linear.family import FAMILIES, Target
from vfl.table.ids import CleanIds, IdRules, normalised
from vfl.table.read import check_columns
from vfl.table.table import Categorical, Column, Table
from vfl.table.texts import Ids

if TYPE_CHECKING:
    from vfl.wire.certificates import Identity


def inspect(job: Job, party: Party, gates: Gates, *, fits: bool = False) -> dict[str, Any]:
    """Return what is there of one party, as plain values; `fits`: also how far its own logits spread."""
    role = job.parties[party.party].role
    check_policy(job, party.policy)
    found: dict[str, Any] = {"party": party.party, "role": role, "identity": _identity(job, party)}
    if party.data is None:
        return found
    table = read_training(party.data)
    check_columns(table)
    found["train"] = described(job, table) | {"splits": _splits(job, table, gates)}
    if fits and role == "guest" and job.model.kind == "logistic" and job.features.kind == "woe":
        # Imported late, with scikit-learn.
        from parties.cost.strength import strength

        found["train"]["strength"] = strength(job, table.take(np.flatnonzero(training_rows(table))))
    if role == "host" and len(table.columns) < FEW_HOST_COLUMNS:
        gates.refuse("few_host_columns", table.source, f"{len(table.columns)} columns take part")
    if (source := batch_source(party.data)) is not None:
        batch = read_batch(levels_in(table), source, party.data.id, party.data.types)
        check_columns(batch, constant=False)
        found["score"] = described(job, batch)
    return found


def training_rows(table: Table) -> NDArray[np.bool_]:
    """Return which rows train: all without a split; any value but train and test is refused."""
    if table.split is None:
        return np.ones(len(table), np.bool_)
    unknown = sorted(set(table.split.tolist()) - {"train", "test"})
    if unknown:
        what = f"the split has the value {unknown[0]!r}"
        raise DataError(table.source, what, "it knows train and test only")
    return np.asarray(table.split == "train", np.bool_)


class Listed(Protocol):
    """What has ids: a table, or a batch."""

    @property
    def ids(self) -> Ids: ...

    @property
    def source(self) -> str: ...


def clean_ids(job: Job, table: Listed) -> CleanIds:
    """Return a table's ids as the job compares them; what it refuses is a DataError."""
    rules = IdRules(**job.alignment.model_dump(exclude={"min_intersection", "max_ids"}))
    clean, most = normalised(table.ids, rules, table.source), job.alignment.max_ids
    if len(clean) > most:
        what = f"{len(clean)} ids, at most {most} were agreed"
        raise ContractError(table.source, what, "see alignment.max_ids in the job")
    return clean


def _enough_ids(job: Job, table: Table) -> CleanIds:
    ids, fewest = clean_ids(job, table), job.alignment.min_intersection
    if len(ids) < fewest:
        what = f"{len(ids)} customers cannot have {fewest} in common with others"
        raise ContractError(table.source, what, "see alignment.min_intersection in the job")
    return ids


def described(job: Job, table: Table) -> dict[str, Any]:
    """Return a table in numbers; too few ids for the job are a ContractError."""
    ids = _enough_ids(job, table)
    return {
        "file": table.source,
        "rows": len(table),
        "customers": len(ids),
        "blank_ids": ids.blanks,
        "repeated_ids": ids.duplicates,
        "columns": [
            {
                "name": name,
                "kind": "categorical" if isinstance(column, Categorical) else "numeric",
                "blank": int(column.blank.sum()),
                "distinct": _distinct(column),
            }
            for name, column in table.columns.items()
        ],
    }


def _distinct(column: Column) -> int:
    shown = column.values[~column.blank]
    return len(set(shown.tolist())) if isinstance(column, Categorical) else len(np.unique(shown))


def _splits(job: Job, table: Table, gates: Gates) -> Mapping[str, Mapping[str, float]]:
    """Return rows and events by split, of amounts their sum; nothing for a table without either."""
    if table.outcome is not None:
        return _outcomes(job, table, gates)
    if table.label is None:
        return {}
    train = training_rows(table)
    parts: dict[str, dict[str, int]] = {}
    for name, rows in (("train", train), ("test", ~train)):
        label = table.label[rows]
        if len(label):
            parts[name] = {"rows": len(label), "events": int(label.sum())}
    if not train.any():
        raise DataError(table.source, "no row is in the split train", "see data.split")
    training = table.take(np.flatnonzero(train))
    check_events(gates, training)
    if job.model.kind == "trees":
        check_leaves(gates, job.trees, len(training.counted))
    else:
        check_weights(gates, table.source, training)
    return parts


def _outcomes(job: Job, table: Table, gates: Gates) -> dict[str, dict[str, float]]:
    assert table.outcome is not None
    train = training_rows(table)
    check_outcomes(gates, table.source, FAMILIES[job.model.kind], known_of(table, train).take(train))
    found = (("train", table.outcome[train]), ("test", table.outcome[~train]))
    return {name: {"rows": len(y), "total": float(y.sum())} for name, y in found if len(y)}


def known_of(table: Table, train: NDArray[np.bool_]) -> Target:
    """Return what the guest knows of its rows, with weights whose mean is 1 over those that train."""
    assert table.outcome is not None
    n = len(table)
    weight = np.ones(n) if table.weight is None else table.weight / (table.weight[train].mean() or 1.0)
    return Target(table.outcome, weight, np.zeros(n) if table.offset is None else table.offset)


def _identity(job: Job, party: Party) -> str:
    """Return whether the party's certificate is the pinned one."""
    if job.parties[party.party].certificate is None:
        return "not pinned"
    pinned_certificates(job, party)
    return "pinned"


def pinned_certificates(job: Job, party: Party) -> tuple[Identity, dict[str, bytes]]:
    """Return a pinned party's identity and its pinned peers' certificates.

    Raises SecurityError for the first that is not the one the job pins.
    """
    from vfl.wire.certificates import fingerprint, load_certificate, load_identity

    own = load_identity(party.party, party.identity.key, party.identity.certificate)
    paths = {
        name: link.certificate
        for name, link in party.peers.items()
        if job.parties[name].certificate is not None
    }
    known = {name: load_certificate(path) for name, path in paths.items()}
    paths[party.party] = party.identity.certificate
    for name, pem in {party.party: own.certificate_pem, **known}.items():
        if fingerprint(pem) != job.parties[name].certificate:
            raise SecurityError(str(paths[name]), f"is not the certificate that the job pins for {name}")
    return own, known
