"""One boosting run: trees grown level by level over whoever can sum gradients by bin.

The pooled oracle and the protocol share this code and differ in the `Provider` alone, so both end
with the same trees node by node.  A node's smaller child is summed; its sibling is the node
less that child.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from vfl.crypto.randomness import Randomness
from vfl.steps import State
from vfl.trees.gain import leaf_weight
from vfl.trees.gradients import UNIT, gradients
from vfl.trees.histogram import Layout, Limits, best_splits
from vfl.trees.sampling import Goss, Subsample
from vfl.trees.tree import Chosen, Mask, Split, Tree

Vector = NDArray[np.float64]
Integers = NDArray[np.int64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the parties agreed on, in xgboost's and scikit-learn's names."""

    n_estimators: int = 50
    max_depth: int = 4
    learning_rate: float = 0.3
    limits: Limits = field(default_factory=Limits)
    sampling: Subsample | Goss = field(default_factory=Subsample)
    validation_share: float = 0.0
    """Share of the training rows that the guest holds back to stop early."""
    early_stopping_rounds: int = 0
    """Trees without a lower validation loss after which growing stops; 0 grows all."""
    guest_grows_first: bool = True
    """The first tree splits on the guest's columns alone."""
    hides_rows: bool = False
    """Hosts sum nodes without seeing which rows they hold."""

    @property
    def samples(self) -> bool:
        """Whether a tree may be grown from fewer rows than there are."""
        return self.sampling != Subsample() or self.validation_share > 0


class Provider(Protocol):
    """Whoever sums g and h over the bins of every party's columns, in search order."""

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Each party's bins."""
        ...

    async def begin(self, gh: Integers, sampled: Mask) -> None:
        """Take a new tree's gradients: gh of shape (n, 2), 0 where a row is not sampled."""
        ...

    async def histograms(self, nodes: dict[int, Rows]) -> list[Integers]:
        """Return each party's sums over the rows of some nodes: (nodes, slots, 2) each."""
        ...

    async def divide(self, splits: list[dict[int, Split]], rows: dict[int, Rows]) -> dict[int, Mask]:
        """Return which of a node's rows go left; `splits`: each party's, by node."""
        ...


@dataclass(slots=True)
class Ensemble:
    """The trees so far, the logit of every row, which rows only measure, and how they fared."""

    logit: Vector
    held: Rows
    trees: list[Tree] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: Vector | None = None
    """The logits by the trees up to the lowest loss, the first of equals."""

    def as_state(self) -> State:
        """Return what `restored` takes."""
        trees = [tree.as_state() for tree in self.trees]
        kept = {"logit": self.logit, "held": self.held, "trees": trees}
        return kept | {"losses": self.losses, "best": self.best}

    @classmethod
    def restored(cls, state: State) -> Self:
        """Return the trees that were kept."""
        trees = [Tree.restored(tree) for tree in state["trees"]]
        return cls(state["logit"], state["held"], trees, state["losses"], state["best"])


Report = Callable[[Ensemble], None]
"""Told of every new tree."""


async def boost(
    y: NDArray[np.int8],
    weight: Vector,
    start: Vector,
    rules: Rules,
    *,
    own: Provider,
    everyone: Provider,
    rng: Randomness,
    report: Report,
    begun: Ensemble | None = None,
) -> Ensemble:
    """Grow trees on n rows from the logits `start`; `own`: the guest's columns without the hosts'.

    `begun`: the trees of a run that was cut off.
    """
    ensemble = begun or Ensemble(start.copy(), _held_back(weight, rules.validation_share, rng))
    held = ensemble.held
    rows = np.setdiff1d(np.arange(len(y)), held)
    while len(ensemble.trees) < rules.n_estimators and not _stale(ensemble.losses, rules):
        first = rules.guest_grows_first and not ensemble.trees
        gh = gradients(y, ensemble.logit, weight)
        gh, sampled = rules.sampling.sample(gh, rows, rng)
        tree, leaf_of = await grow(gh, sampled, rules, own if first else everyone)
        ensemble.trees.append(tree)
        ensemble.logit += leaf_of
        if len(held):
            loss = _loss(y[held], ensemble.logit[held], weight[held])
            if loss < min(ensemble.losses, default=np.inf):
                ensemble.best = ensemble.logit.copy()
            ensemble.losses.append(loss)
        report(ensemble)
    if rules.early_stopping_rounds and ensemble.best is not None:
        del ensemble.trees[int(np.argmin(ensemble.losses)) + 1 :]
        ensemble.logit = ensemble.best
    return ensemble


def _held_back(weight: Vector, share: float, rng: Randomness) -> Rows:
    """Return the rows that only measure, ascending: rows without weight measure nothing."""
    if not share:
        return np.empty(0, np.int64)
    counted = np.flatnonzero(weight)
    return np.sort(counted[rng.permutation(len(counted))[: max(1, round(share * len(counted)))]])


def _loss(y: NDArray[np.int8], logit: Vector, weight: Vector) -> float:
    p = np.clip(expit(logit), 1e-15, 1 - 1e-15)
    return float(np.average(-np.where(y == 1, np.log(p), np.log1p(-p)), weights=weight))


def _stale(losses: list[float], rules: Rules) -> bool:
    """Tell whether the last trees have not lowered the held-back rows' loss."""
    patience = rules.early_stopping_rounds
    return 0 < patience < len(losses) and min(losses[-patience:]) >= min(losses[:-patience])


async def grow(gh: Integers, sampled: Mask, rules: Rules, provider: Provider) -> tuple[Tree, Vector]:
    """Return one tree and the logit that it adds to every row."""
    tree, rows, known = Tree(), {1: np.arange(len(gh))}, dict[int, list[Integers]]()
    totals = {1: gh.sum(axis=0)}
    level = [1]
    await provider.begin(gh, sampled)
    for _ in range(rules.max_depth):
        level = [k for k in level if totals[k][1] >= 2 * rules.limits.min_child_weight * UNIT]
        if not level:
            break
        known = await _sums(level, rows, known, sampled, provider)
        tree.chosen |= _choices(level, known, totals, provider.layouts, rules.limits)
        divided = [k for k in level if k in tree.chosen]
        splits = [
            {k: tree.chosen[k].split for k in divided if tree.chosen[k].party == p}
            for p in range(len(provider.layouts))
        ]
        sides = await provider.divide(splits, rows)
        for k in divided:
            for child, side in ((2 * k, sides[k]), (2 * k + 1, ~sides[k])):
                rows[child] = rows[k][side]
                totals[child] = gh[rows[child]].sum(axis=0)
        level = [child for k in divided for child in (2 * k, 2 * k + 1)]
    return tree, _weigh(tree, rows, totals, rules, len(gh))


async def _sums(
    level: list[int],
    rows: dict[int, Rows],
    above: dict[int, list[Integers]],
    sampled: Mask,
    provider: Provider,
) -> dict[int, list[Integers]]:
    """Return each party's histogram of every node of a level: (slots, 2) each."""
    asked = sorted({_smaller(k, rows, sampled) for k in level})
    fresh = await provider.histograms({k: rows[k] for k in asked})
    known = {k: [part[i] for part in fresh] for i, k in enumerate(asked)}
    for k in asked:
        if k > 1:
            known[k ^ 1] = [whole - part for whole, part in zip(above[k // 2], known[k], strict=True)]
    return known


def _smaller(node: int, rows: dict[int, Rows], sampled: Mask) -> int:
    """Return whichever of a node and its sibling has fewer sampled rows; the left one of equals."""
    if node == 1:
        return node
    return min(node & ~1, node | 1, key=lambda k: int(sampled[rows[k]].sum()))


def _choices(
    level: list[int],
    known: dict[int, list[Integers]],
    totals: dict[int, Integers],
    layouts: tuple[Layout, ...],
    limits: Limits,
) -> dict[int, Chosen]:
    """Return the best split of every node that has one; of equal gains the first party's."""
    chosen = {}
    whole = np.array([totals[k] for k in level])
    best = [
        best_splits(np.array([known[k][p] for k in level]), layout, whole, limits)
        for p, layout in enumerate(layouts)
    ]
    for i, k in enumerate(level):
        party = max(range(len(layouts)), key=lambda p: best[p][i][0])
        gain, split = best[party][i]
        if split is not None:
            chosen[k] = Chosen(party, split, gain, float(totals[k][1] / UNIT))
    return chosen


def _weigh(tree: Tree, rows: dict[int, Rows], totals: dict[int, Integers], rules: Rules, n: int) -> Vector:
    """Weigh the leaves; return each row's."""
    added = np.empty(n)
    for k in rows.keys() - tree.chosen.keys():
        g, h = (totals[k] / UNIT).tolist()
        tree.leaves[k] = rules.learning_rate * leaf_weight(g, h, rules.limits.reg_lambda)
        added[rows[k]] = tree.leaves[k]
    return added
