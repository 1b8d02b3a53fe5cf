"""Which of a column's bins to merge: the fewest rows a bin may hold, and the most telling scorecard.

Bins are merged with their neighbours only.  A merging is the ends of its groups: (2, 5) joins bins
0 and 1, and bins 2, 3 and 4.

    best        the merging of the highest information value, among those of at most `most` groups,
                each of `rows` rows and `of_class` bads and goods or more, whose WOE rises (or falls)
                strictly from group to group where a trend asks for it
    V_k(i, j)   = iv(i, j) + max over h < i of V_{k-1}(h, i), if WOE(h, i) < WOE(i, j)

V_k(i, j) is the most that the first j bins give in k groups of which the last is [i, j): dynamic
programming over all groups, so that what is found is the optimum, and not a greedy merging.
Where no merging keeps the limits, all bins are one group.

Navas-Palencia, "Optimal binning: mathematical programming formulation" (arXiv 2001.08025), whose
problem this is without its penalties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vfl.stats.binning import Binning, GroupedLevels, LevelBins, NumericBins
from vfl.stats.woe import contributions, woe

Trend = Literal["auto", "ascending", "descending", "none"]
"""How bad rates run over a column's bins, as its values rise; auto: up or down, whichever tells more."""

Matrix = NDArray[np.float64]
Ends = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a merged bin must hold, and how many there may be."""

    most: int
    rows: float
    of_class: int


def best_ends(
    pos: NDArray[Any], neg: NDArray[Any], totals: tuple[int, int], limits: Limits, trend: Trend
) -> Ends:
    """Return the best merging of bins with these bads and goods; `totals`: those of the whole column."""
    telling, evidence = _groups(pos, neg, totals, limits)
    directions = {"auto": (1, -1), "ascending": (1,), "descending": (-1,), "none": (0,)}[trend]
    found = [_best(telling, evidence, direction, limits.most) for direction in directions]
    # max keeps the first of equals: with auto, the ascending one.
    value, ends = max(found, key=lambda candidate: candidate[0])
    return ends if np.isfinite(value) else (len(pos),)


def wide_enough(rows: NDArray[np.int64], least: float) -> Ends:
    """Return a merging whose groups hold `least` rows each: the smallest joins its smaller neighbour."""
    sizes, ends = rows.tolist(), list(range(1, len(rows) + 1))
    while len(sizes) > 1 and min(sizes) < least:
        k = sizes.index(min(sizes))
        left = k - 1 if k == len(sizes) - 1 or (k > 0 and sizes[k - 1] <= sizes[k + 1]) else k
        sizes[left : left + 2] = [sizes[left] + sizes[left + 1]]
        del ends[left]
    return tuple(ends)


def mergeable(binning: Binning) -> NDArray[np.int64]:
    """Return the slots that may be merged: intervals, or all levels but the special ones."""
    if isinstance(binning, NumericBins):
        return np.arange(binning.ordered)
    groups = level_groups(binning)
    return np.array([k for k, group in enumerate(groups) if group[0] not in binning.special], np.int64)


def level_groups(binning: LevelBins | GroupedLevels) -> tuple[tuple[str, ...], ...]:
    """Return the levels in each bin."""
    if isinstance(binning, GroupedLevels):
        return binning.groups
    return tuple((level,) for level in binning.levels)


def joined(binning: Binning, order: NDArray[np.int64], ends: Ends) -> tuple[Binning, NDArray[np.int64]]:
    """Return merged bins, and the new slot of each old one.

    `order`: the mergeable slots as `ends` counts them, which are intervals in their own order.
    """
    places = np.full(binning.slots, -1)
    places[order] = np.repeat(np.arange(len(ends)), np.diff((0, *ends)))
    places[places < 0] = len(ends) + np.arange(binning.slots - len(order))
    if isinstance(binning, NumericBins):
        return NumericBins(tuple(binning.cuts[end - 1] for end in ends[:-1]), binning.special), places
    groups: list[list[str]] = [[] for _ in range(binning.slots - len(order) - 2 + len(ends))]
    for k, group in enumerate(level_groups(binning)):
        groups[places[k]].extend(group)
    return GroupedLevels(tuple(tuple(sorted(group)) for group in groups), binning.special), places


def without_small(binning: Binning, rows: NDArray[np.int64], least: float) -> Binning:
    """Return bins of `least` rows each, special codes and blanks apart; `rows`: those of each slot.

    No label is looked at: neighbouring intervals join, and of levels the rare ones.
    """
    order = mergeable(binning)
    if not isinstance(binning, NumericBins):
        order = order[np.argsort(rows[order], kind="stable")]
    ends = wide_enough(rows[order], least)
    return binning if len(ends) == len(order) else joined(binning, order, ends)[0]


def _groups(
    pos: NDArray[Any], neg: NDArray[Any], totals: tuple[int, int], limits: Limits
) -> tuple[Matrix, Matrix]:
    """Return IV and WOE of every group [i, j), shape (m + 1, m + 1); IV -inf where it may not be."""
    (upto_pos, upto_neg) = (np.concatenate([[0], np.cumsum(x)]) for x in (pos, neg))
    bads, goods = (np.maximum(upto - upto[:, None], 0) for upto in (upto_pos, upto_neg))
    allowed = (bads + goods >= max(limits.rows, 1)) & (np.minimum(bads, goods) >= limits.of_class)
    allowed &= np.triu(np.ones_like(allowed), 1)
    return np.where(allowed, contributions(bads, goods, *totals), -np.inf), woe(bads, goods, *totals)


def _best(telling: Matrix, evidence: Matrix, direction: int, most: int) -> tuple[float, Ends]:
    """Return the highest sum of IV over a chain of groups, and where its groups end."""
    m = len(telling) - 1
    values = np.full_like(telling, -np.inf)
    values[0] = telling[0]
    before: list[NDArray[np.int64]] = []
    best, last, count = float(values[0, m]), 0, 1
    for k in range(2, min(most, m) + 1):
        values, came = _longer(values, telling, evidence, direction)
        before.append(came)
        i = int(np.argmax(values[:, m]))
        if values[i, m] > best:
            best, last, count = float(values[i, m]), i, k
    ends, i, j = [m], last, m
    for came in reversed(before[: count - 1]):
        ends.append(i)
        i, j = int(came[i, j]), i
    return best, tuple(reversed(ends))


def _longer(
    values: Matrix, telling: Matrix, evidence: Matrix, direction: int
) -> tuple[Matrix, NDArray[np.int64]]:
    """Return V_k from V_{k-1}, and the start h of the group before each."""
    longer, came = np.full_like(values, -np.inf), np.zeros(values.shape, np.int64)
    for i in range(1, len(values) - 1):
        rises = direction * (evidence[i] - evidence[:i, i, None]) > 0
        reached = np.where(rises | (direction == 0), values[:i, i, None], -np.inf)
        came[i] = reached.argmax(axis=0)
        longer[i] = telling[i] + reached.max(axis=0)
    return longer, came
