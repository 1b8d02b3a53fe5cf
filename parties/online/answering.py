"""The host's part of online scoring: one list of blinded ids, then an answer to each question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from parties.contract.mandate import Mandate
from parties.online.quota import Quota
from parties.programs.alignment import cleaned
from parties.programs.model import Half
from parties.programs.run import Run
from parties.programs.stored import check_batch, read_batch
from parties.sources import batch_source
from psi import lookup
from vfl.errors import ContractError
from vfl.linear import halves, scoring
from vfl.table.table import Table

OFF = "disclosure.online"


def check_online(run: Run) -> None:
    """Raise ContractError where the contract does not let customers be scored one at a time."""
    if not run.job.disclosure.online:
        raise ContractError(OFF, "customers are scored in batches alone", "agree on disclosure.online: true")


async def answering(run: Run, table: Table, model: Path) -> dict[str, Any]:
    """Answer the guest's questions until it ends; return how many there were.

    The table is read when the session begins: later customers are found in the next one.
    """
    check_online(run)
    half = Half.load(model) if model.exists() else None
    if half:
        Mandate(run.job, run.party, run.id, run.task).check_model(half.run)
    await halves.host(half.run if half else None, guest=run.guest)
    assert half is not None
    data = run.party.data
    assert data is not None
    if (batch := batch_source(data)) is not None:
        table = read_batch(half.levels, batch, data.id, data.types)
    check_batch(half.levels, table)
    ids, rows = cleaned(run.job, table)
    logits, counts = half.logit(rows), {"asked": 0, "scored": 0}
    quota, one_point = Quota(run.job, run.party), run.scorecard.one_point

    async def answer(row: int | None) -> None:
        counts["asked"] += 1
        if row is not None:
            counts["scored"] += 1
            part = logits[np.array([row])]
            await scoring.host(part, one_point=one_point, exact=run.exact, guest=run.guest)

    run.progress.phase("answering one by one")
    await lookup.host(ids, answer, quota.take, run.rng, guest=run.guest, domain=run.domain, group=run.group)
    return {"model": half.run, **counts}
