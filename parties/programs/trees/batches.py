"""Batches that trees score: the guest's part, and a host's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import match_guest, match_host
from parties.programs.batch import Batch, Matched, Scored, Told
from parties.programs.run import Run
from parties.programs.trees_model import TreeHalf
from parties.sources import batch_source
from vfl.linear import halves
from vfl.table.table import Table
from vfl.trees import scoring
from vfl.trees.model import GuestTrees, HostTrees

Vector = NDArray[np.float64]


async def guest(run: Run, batch: Batch, half: TreeHalf[GuestTrees]) -> Scored:
    """Return the common customers, the others, and the logits of the joint trees."""
    for host in run.hosts:
        await halves.guest(half.run, host=host)
    rows, others = await match_guest(run, batch, 1)
    common, told = Matched(batch, rows), Told(run, None, half.levels)
    codes = common.numbers(lambda part: told.counted(part, half.codes(part)))
    told.warn(batch.source)
    logit = await scoring.guest(half.trees.trees, codes, hosts=run.hosts)
    return Scored(common, Matched(batch, others), half.trees.start + logit, {})


async def host(run: Run, table: Table, model: Path) -> dict[str, Any]:
    """Answer with what the host's splits leave possible of each common customer."""
    half = TreeHalf.load(model, HostTrees) if model.exists() else None
    run.check_fitted_without(half.absent if half else run.absent)
    await halves.host(half.run if half else None, guest=run.guest)
    assert half is not None and run.party.data is not None
    data = run.party.data
    batch = Batch.for_model(half.levels, data, batch_source(data), lambda: table)
    common, told = Matched(batch, await match_host(run, batch, 1)), Told(run, None, half.levels)
    codes = common.numbers(lambda part: told.counted(part, half.codes(part)))
    told.warn(batch.source)
    await scoring.host(half.trees.trees, codes, guest=run.guest)
    return {"model": half.run, "scored": len(common)}
