"""A host's part of growing trees: its codes, and its splits of every tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parties.programs.alignment import align_host, measured_rows
from parties.programs.disclosed import show_names
from parties.programs.limits import check_columns_count, check_leaves
from parties.programs.model import levels_in, unseen
from parties.programs.precedents import check_earlier
from parties.programs.run import Run
from parties.programs.trees import warm
from parties.programs.trees.coding import check_rare_bins, fit_bins
from parties.programs.trees.growth import Heard
from parties.programs.trees_model import TreeHalf
from vfl.table.table import Table
from vfl.trees import boosting, scoring, shown
from vfl.trees.model import HostTrees, layout_of
from vfl.trees.tree import Split


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves at a host."""

    half: TreeHalf[HostTrees]
    facts: dict[str, Any]


async def training(run: Run, table: Table, model: Path | None = None) -> Trained:
    """Sum gradients by bin, tree after tree; learn the host's splits.

    `model`: the file of the half to go on from, under model.warm_start.
    """
    key = await run.receive_key()
    half = await warm.host(run, model)
    if half:
        warm.check_table(half, table, run.job.trees.max_bin)
    old = warm.hosts_trees(half)
    common = await align_host(run, table)
    check_columns_count(run, len(table.columns))
    check_leaves(run.gates, run.job.trees, common.rows["train"], warm.depths(old))
    bins, codes = fit_bins(run, common, half.trees.bins if half else None)
    trained = codes[common.train]
    check_rare_bins(run, bins, trained)
    await check_earlier(run, common)
    await show_names(run, table)
    levels = half.levels if half else levels_in(common.training)
    run.warn(*unseen(levels, common.table))
    if half:
        await warm.answer(run, half, trained)
    rules = run.grow_rules
    heard = Heard(
        boosting.host(
            trained,
            layout_of(bins),
            rules,
            key=key,
            rng=run.rng,
            guest=run.guest,
            arbiter=run.arbiter if run.job.arbiter else None,
            steps=run.steps,
        )
    )
    heard.remember(run.steps)
    new = await heard
    splits = old + new
    asked = measured_rows(run.job, common.train) & ~common.train
    if asked.any():
        await scoring.host(splits, codes[asked], guest=run.guest)
    facts = common.facts | {"trees": _facts(run, heard, old, new, common.rows["train"])}
    return Trained(TreeHalf(run.id, HostTrees(bins, splits), levels, run.absent), facts)


def _facts(
    run: Run, heard: Heard, old: list[dict[int, Split]], new: list[dict[int, Split]], rows: int
) -> dict[str, Any]:
    """Return what run.json says of the new trees, and what the run disclosed, a training row."""
    masks = sum(map(len, old))  # a bit for each old split
    return {
        "before": len(old),
        "kept": len(new),
        "splits": sum(map(len, new)),
        "disclosed": {
            run.guest.name: {
                "split_bits_per_row": masks + heard.bits(heard.said, run.guest, boosting.Sides) / rows,
                "node_bits_per_row": heard.bits(heard.told, run.guest, shown.Nodes) / rows,
            }
        },
    }
