"""Batches that trees score: the guest's part, and a host's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import match_guest, match_host
from parties.programs.model import unseen
from parties.programs.run import Run
from parties.programs.trees_model import TreeHalf
from parties.sources import batch_source
from vfl.linear import halves
from vfl.table.table import Table
from vfl.trees import scoring
from vfl.trees.model import GuestTrees, HostTrees

Vector = NDArray[np.float64]


async def guest(run: Run, table: Table, half: TreeHalf[GuestTrees]) -> tuple[Table, Table, Vector]:
    """Return the common customers' rows, the others', and the logits of the joint trees."""
    for host in run.hosts:
        await halves.guest(half.run, host=host)
    common, others = await match_guest(run, table, 1)
    for warning in unseen(half.levels, common):
        run.warn(warning)
    logit = await scoring.guest(half.trees.trees, half.codes(common), hosts=run.hosts)
    return common, others, half.trees.start + logit


async def host(run: Run, table: Table, model: Path) -> dict[str, Any]:
    """Answer with what the host's splits leave possible of each common customer."""
    half = TreeHalf.load(model, HostTrees) if model.exists() else None
    run.check_fitted_without(half.absent if half else run.absent)
    await halves.host(half.run if half else None, guest=run.guest)
    assert half is not None and run.party.data is not None
    data = run.party.data
    if (batch := batch_source(data)) is not None:
        table = half.read(batch, data.id, data.types)
    half.check(table)
    common = await match_host(run, table, 1)
    for warning in unseen(half.levels, common):
        run.warn(warning)
    await scoring.host(half.trees.trees, half.codes(common), guest=run.guest)
    return {"model": half.run, "scored": len(common)}
