"""Batches that trees score: the guest's part, and a host's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.batch import Batch, Scored, Told, guest_matched, host_matched
from parties.programs.run import Run
from parties.programs.trees_model import TreeHalf
from vfl.table.table import Table
from vfl.trees import scoring
from vfl.trees.model import GuestTrees, HostTrees

Vector = NDArray[np.float64]


async def guest(run: Run, batch: Batch, half: TreeHalf[GuestTrees]) -> Scored:
    """Return the common customers, the others, and the logits of the joint trees."""
    common, others = await guest_matched(run, batch, half)
    codes = Told(run, half).numbers(common, half.codes)
    logit = await scoring.guest(half.trees.trees, codes, hosts=run.hosts)
    return Scored(common, others, half.trees.start + logit, {})


async def host(run: Run, table: Table, model: Path) -> dict[str, Any]:
    """Answer with what the host's splits leave possible of each common customer."""
    half = TreeHalf.load(model, HostTrees) if model.exists() else None
    common = await host_matched(run, table, half)
    assert half is not None
    codes = Told(run, half).numbers(common, half.codes)
    await scoring.host(half.trees.trees, codes, guest=run.guest)
    return {"model": half.run, "scored": len(common)}
