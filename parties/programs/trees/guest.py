"""The guest's part of growing trees: from its table to both models and what they are worth."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import Common, align_guest, measured_rows
from parties.programs.disclosed import hosts_names
from parties.programs.evaluation import Measured
from parties.programs.keys import new_key
from parties.programs.limits import check_events, check_leaves
from parties.programs.model import levels_in, unseen
from parties.programs.points import bands_facts
from parties.programs.precedents import check_earlier
from parties.programs.run import Run
from parties.programs.stability import measured_moves, monthly
from parties.programs.training import Trained
from parties.programs.trees import warm
from parties.programs.trees.coding import fit_bins
from parties.programs.trees.growth import Counted, Growth, Heard
from parties.programs.trees_model import TreeHalf
from vfl.crypto.paillier import PublicKey
from vfl.errors import ConfigError, DataError
from vfl.table.table import Table
from vfl.trees import boosting, pooled, scoring, shown
from vfl.trees.gradients import MOST_TOGETHER, MOST_WEIGHT
from vfl.trees.grow import Ensemble
from vfl.trees.histogram import Layout
from vfl.trees.importance import importances
from vfl.trees.model import GuestTrees, layout_of
from vfl.trees.opening import ByArbiter, ByOwnKey, Opener
from vfl.trees.tree import Codes, Tree

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Own:
    """The guest's codes of all common rows, and their bins."""

    codes: Codes
    layout: Layout


@dataclass(frozen=True, slots=True)
class Grown:
    """The joint trees, and what growing them took and told."""

    ensemble: Ensemble
    growth: Growth
    counted: Counted
    heard: Heard


async def training(run: Run, table: Table, model: Path | None = None) -> Trained:
    """Grow the joint trees, and measure what they are worth beside the guest's own.

    `model`: the file of the half to go on from, under model.warm_start.
    """
    key, opener = await _key(run)
    earlier = await warm.guest(run, model)
    if earlier:
        warm.check_table(earlier, table, run.job.trees.max_bin)
    old = warm.guests_trees(earlier)
    common = await align_guest(run, table)
    check_events(run.gates, common.training)
    check_leaves(
        run.gates, run.job.trees, len(common.training.counted), warm.depths(tree.chosen for tree in old)
    )
    weight = _weights(run, common.training)
    await check_earlier(run, common)
    bins, codes = fit_bins(run, common, earlier.trees.bins if earlier else None)
    own = Own(codes, layout_of(bins))
    shown = await hosts_names(run)
    levels = earlier.levels if earlier else levels_in(common.training)
    run.warn(*unseen(levels, common.table))
    start = np.zeros(common.rows["train"])
    if earlier:
        start = await warm.logits(run, earlier, codes[common.train])
    grown = await _grow(run, common, own, weight, start, key, opener)
    first = earlier.trees.start if earlier else 0.0
    half = TreeHalf(
        run.id, GuestTrees(bins, run.host_names, old + grown.ensemble.trees, first), levels, run.absent
    )
    measured = await _measured(run, common, own, weight, grown, half.trees, len(old))
    facts = common.facts | {
        "trees": grown.growth.facts(grown.ensemble, len(old))
        | {"disclosed": _disclosed(run, common, grown, old), "importances": _importances(run, half, shown)},
        "splits": measured.evaluated(),
        "validation": measured.validation(run.party.report.cutoff),
    }
    facts |= bands_facts(run.job, measured)
    facts |= monthly(common.table, None, measured_moves(run, common, measured))
    return Trained(half, facts, measured.curves())


async def _key(run: Run) -> tuple[PublicKey, Opener]:
    """Return the arbiter's key and its help, or without an arbiter a key of the guest's own."""
    if run.job.arbiter:
        key = await run.receive_key()
        return key, ByArbiter(key, run.rng, run.arbiter)
    private = await new_key(run, run.hosts)
    return run.public_key(private.public.n, run.guest), ByOwnKey(private)


async def _grow(
    run: Run, common: Common, own: Own, weight: Vector, start: Vector, key: PublicKey, opener: Opener
) -> Grown:
    """Grow the joint trees from the training rows, of which `start` are the logits to begin from."""
    y = _labels(common)
    rules = run.grow_rules
    counted, growth = Counted(opener), Growth(run)
    growth.remember()
    counted.remember(run.steps)
    run.progress.phase("growing trees", float(rules.n_estimators - rules.guest_grows_first))
    role = boosting.guest(
        own.codes[common.train],
        own.layout,
        y,
        weight,
        start,
        rules,
        key=key,
        rng=run.rng,
        lots=run.rng,
        opener=counted,
        hosts=run.hosts,
        afford=lambda needed: _check_quota(run, needed),
        report=growth.report,
        steps=run.steps,
    )
    heard = Heard(role)
    heard.remember(run.steps)
    return Grown(await heard, growth, counted, heard)


def _labels(common: Common) -> NDArray[np.int8]:
    y = common.training.label
    assert y is not None
    return y


def _weights(run: Run, training: Table) -> Vector:
    """Return what each training row counts; refuse what hosts would, and sums that would be rounded."""
    bads = np.where(training.label == 1, run.job.trees.scale_pos_weight, 1.0)
    weight = bads if training.weight is None else bads * training.weight
    hint = "divide the column data.weight by a constant, or lower model.scale_pos_weight"
    if (most := float(weight.max())) > MOST_WEIGHT:
        what = (
            f"a training row counts {most:.6g} times, scale_pos_weight included, and {MOST_WEIGHT:g} is most"
        )
        raise DataError(training.source, what, hint)
    if (total := float(weight.sum()) * run.grow_rules.sampling.amplifier) > MOST_TOGETHER:
        what = f"the training rows together count {total:.6g} times, and {MOST_TOGETHER:g} is most"
        raise DataError(training.source, what, hint)
    return weight


def _check_quota(run: Run, needed: int) -> None:
    """Refuse trees for which the arbiter's quota may not last; a guest with its own key has none."""
    if run.job.arbiter and needed > (agreed := run.job.encryption.decryptions):
        what = f"{agreed} are agreed, and full trees on the hosts' bins need {needed}"
        raise ConfigError(
            "encryption.decryptions", what, f"agree on decryptions: {needed}, or on fewer trees"
        )


async def _measured(
    run: Run, common: Common, own: Own, weight: Vector, grown: Grown, model: GuestTrees, old: int
) -> Measured:
    """Measure both models: of training rows the logits are known, of the others hosts tell their leaves.

    `old`: as many more of the guest's own trees are grown as the joint ones went on from.
    """
    rows = measured_rows(run.job, common.train)
    joint, alone = np.empty(len(rows)), np.empty(len(rows))
    joint[common.train] = grown.ensemble.logit
    asked = rows & ~common.train
    run.progress.phase("measuring")
    if asked.any():
        joint[asked] = model.start + await scoring.guest(model.trees, own.codes[asked], hosts=run.hosts)
    if rows.any():
        without = scoring.guest(_alone(run, common, own, weight, old), own.codes[rows], hosts=())
        alone[rows] = pooled.completed(without)
    return Measured.of(common, rows, joint[rows], np.zeros(int(rows.sum())), alone[rows])


def _alone(run: Run, common: Common, own: Own, weight: Vector, old: int) -> list[Tree]:
    """Return the trees of the guest's own columns, by the same rules: old and new at once."""
    rules = replace(run.grow_rules, n_estimators=old + run.grow_rules.n_estimators)
    y = _labels(common)
    codes, layouts = [own.codes[common.train]], (own.layout,)
    return pooled.fit(codes, layouts, y, rules, weight=weight, rng=run.rng).trees


def _disclosed(run: Run, common: Common, grown: Grown, old: list[Tree]) -> dict[str, dict[str, float]]:
    """Return by host what the run disclosed, a training row: equations on its bins, and bits.

    A leaf mask is a bit for each of the host's `old` splits.
    """
    rows, heard = common.rows["train"], grown.heard
    masks = [sum(len(tree.splits_of(party)) for tree in old) for party in range(1, len(run.hosts) + 1)]
    return {
        host.name: {
            "equations_per_row": 2 * grown.counted.sums[host.name] / rows,
            "split_bits_per_row": told + heard.bits(heard.told, host, boosting.Sides) / rows,
            "node_bits_per_row": heard.bits(heard.said, host, shown.Nodes) / rows,
        }
        for host, told in zip(run.hosts, masks, strict=True)
    }


def _importances(
    run: Run, half: TreeHalf[GuestTrees], shown: dict[str, tuple[str, ...]]
) -> list[dict[str, Any]]:
    found = importances(half.trees, shown)
    return [asdict(one) | {"party": one.party or run.guest.name} for one in found]
