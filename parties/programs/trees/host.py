"""A host's part of growing trees: its codes, and its splits of every tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parties.programs.alignment import align_host, measured_rows
from parties.programs.limits import check_columns_count, check_leaves
from parties.programs.model import levels_in, unseen
from parties.programs.run import Run, as_it_is
from parties.programs.trees.coding import check_rare_bins, fit_bins
from parties.programs.trees.growth import Heard
from parties.programs.trees_model import TreeHalf
from vfl.features import names
from vfl.table.read import check_columns
from vfl.table.table import Table
from vfl.trees import boosting, scoring
from vfl.trees.model import HostTrees, layout_of
from vfl.trees.tree import Split


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves at a host."""

    half: TreeHalf[HostTrees]
    facts: dict[str, Any]


async def training(run: Run, table: Table) -> Trained:
    """Sum gradients by bin, tree after tree; learn the host's splits."""
    key = await run.receive_key()
    common = await align_host(run, table)
    check_columns(common.training)
    check_columns_count(run, len(table.columns))
    check_leaves(run.gates, run.job.trees, common.rows["train"])
    bins, codes = fit_bins(run, common)
    trained = codes[common.train]
    check_rare_bins(run, bins, trained)
    if run.job.disclosure.host_columns == "named":
        columns = tuple(table.columns)
        await run.step("names", lambda: names.host(columns, guest=run.guest), as_it_is, as_it_is)
    levels = levels_in(common.training)
    for warning in unseen(levels, common.table):
        run.warn(warning)
    rules = run.grow_rules
    heard = Heard(
        boosting.host(
            trained,
            layout_of(bins),
            rules,
            key=key,
            rng=run.rng,
            guest=run.guest,
            guest_decrypts=run.job.arbiter is None,
            steps=run.steps,
        )
    )
    heard.remember(run.steps)
    splits = await heard
    asked = measured_rows(run.job, common.train) & ~common.train
    if asked.any():
        await scoring.host(splits, codes[asked], guest=run.guest)
    facts = {
        "intersection": len(common.table),
        "rows": common.rows,
        "trees": _facts(run, heard, splits, common.rows["train"]),
    }
    return Trained(TreeHalf(run.id, HostTrees(bins, splits), levels), facts)


def _facts(run: Run, heard: Heard, splits: list[dict[int, Split]], rows: int) -> dict[str, Any]:
    """Return what run.json says of the trees, and what they disclosed, a training row."""
    return {
        "kept": len(splits),
        "splits": sum(map(len, splits)),
        "disclosed": {
            run.guest.name: {
                "split_bits_per_row": heard.bits(heard.said, run.guest, boosting.Sides) / rows,
                "node_bits_per_row": heard.bits(heard.told, run.guest, boosting.Nodes) / rows,
            }
        },
    }
