"""What a training with model.warm_start goes on from: the parties' halves of an earlier one.

Both parties read model.json once, and keep it for a run that is cut off: its own results replace the
file.  The guest names the run of its half, and a host goes on from the same run alone.  Then each host
tells the leaf masks of the old trees for the training rows, as it does of any batch that is scored.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from parties.config.job import Job
from parties.programs.run import Run, as_it_is
from parties.programs.stored import check_batch
from parties.programs.trees_model import TreeHalf
from vfl.errors import ConfigError, ContractError, DataError
from vfl.linear import halves
from vfl.stats.binning import NumericBins
from vfl.table.table import Table
from vfl.trees import scoring
from vfl.trees.model import GuestTrees, HostTrees
from vfl.trees.tree import Codes, Split, Tree

H = TypeVar("H", GuestTrees, HostTrees)

COLD = "train again without model.warm_start"


def warm(job: Job) -> bool:
    """Tell whether a job's trainings go on from trees."""
    return job.model.kind == "trees" and job.trees.warm_start


def check_model(job: Job, model: Path) -> None:
    """Refuse a training that has nothing to go on from, before any peer is met."""
    if warm(job) and not model.exists():
        raise ConfigError(str(model), "no model to go on from", COLD)


async def guest(run: Run, model: Path | None) -> TreeHalf[GuestTrees] | None:
    """Return the half to go on from, which every host goes on from too; None for a new beginning."""
    if not warm(run.job):
        return None
    half = await kept_half(run, model, GuestTrees)
    if half is None:
        raise ConfigError("model.json", "no model to go on from", COLD)
    if half.trees.hosts != run.host_names:
        what = f"its trees were grown with other hosts, or in another order: {', '.join(half.trees.hosts)}"
        raise ContractError("model.json", what, COLD)

    async def named() -> None:
        for host in run.hosts:
            await halves.guest(half.run, host=host)

    await run.step("halves", named, as_it_is, as_it_is)
    return half


async def host(run: Run, model: Path | None) -> TreeHalf[HostTrees] | None:
    """Return the half to go on from, once the guest has named its run; None for a new beginning."""
    if not warm(run.job):
        return None
    half = await kept_half(run, model, HostTrees)
    held = half.run if half else None
    await run.step("halves", lambda: halves.host(held, guest=run.guest, grows=True), as_it_is, as_it_is)
    return half


async def logits(run: Run, half: TreeHalf[GuestTrees], codes: Codes) -> NDArray[np.float64]:
    """Return the old trees' logits of the training rows; `codes`: the guest's own."""

    async def told() -> NDArray[np.float64]:
        return half.trees.start + await scoring.guest(half.trees.trees, codes, hosts=run.hosts)

    return await run.step("old logits", told, as_it_is, as_it_is)


async def answer(run: Run, half: TreeHalf[HostTrees], codes: Codes) -> None:
    """Tell what the host's old splits leave possible of the training rows."""
    old = half.trees.trees
    await run.step("old logits", lambda: scoring.host(old, codes, guest=run.guest), as_it_is, as_it_is)


def check_table(half: TreeHalf[H], table: Table, max_bin: int) -> None:
    """Refuse a table of other columns than the old trees split, and bins finer than were agreed on."""
    if list(table.columns) != list(half.levels):
        what = (
            f"has other columns than the model to go on from, or in another order: {', '.join(half.levels)}"
        )
        raise DataError(table.source, what, f"bring the same columns, or {COLD}")
    check_batch(half.levels, table)
    numeric = (bins for bins in half.trees.bins.of.values() if isinstance(bins, NumericBins))
    if (most := max((bins.slots - 2 for bins in numeric), default=0)) > max_bin:
        what = f"{max_bin} are agreed, and the model to go on from has {most}"
        raise ContractError("model.max_bin", what, f"agree on model.max_bin: {most}, or {COLD}")


def depths(trees: Iterable[Collection[int]]) -> tuple[int, ...]:
    """Return how many levels of splits are known of each tree; a tree: its split nodes."""
    return tuple(max(nodes, default=1).bit_length() for nodes in trees)


def guests_trees(half: TreeHalf[GuestTrees] | None) -> list[Tree]:
    """Return the guest's old trees."""
    return half.trees.trees if half else []


def hosts_trees(half: TreeHalf[HostTrees] | None) -> list[dict[int, Split]]:
    """Return the host's splits of the old trees."""
    return half.trees.trees if half else []


async def kept_half(run: Run, model: Path | None, whose: type[H]) -> TreeHalf[H] | None:
    """Return the half in a file as it was when the run began; None where there is none."""

    async def read() -> TreeHalf[H] | None:
        return TreeHalf.load(model, whose) if model and model.exists() else None

    def text(half: TreeHalf[H] | None) -> str:
        return json.dumps(half.as_json()) if half else ""

    def back(kept: str) -> TreeHalf[H] | None:
        return TreeHalf.from_json(json.loads(kept), whose) if kept else None

    return await run.step("old model", read, text, back)
