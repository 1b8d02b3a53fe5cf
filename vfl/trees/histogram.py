"""Histograms of gradients by bin, and the best split of a node.

A party's slots: bins 0 .. b-1 of its first column, then that column's missing values, then the next
column.  A histogram is an array of shape (nodes, slots, 2): the sums of g and of h.

Search order: parties, columns, bins ascending, missing values right and then left; a later
split must gain strictly more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vfl.trees.gain import LEAST_GAIN, split_gain
from vfl.trees.gradients import UNIT
from vfl.trees.tree import Codes, Split

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """The bins of each of a party's columns, without the slot for missing values."""

    bins: tuple[int, ...]

    @property
    def slots(self) -> int:
        """Slots of all columns."""
        return sum(self.bins) + len(self.bins)

    @cached_property
    def starts(self) -> Integers:
        """The first slot of each column."""
        return np.concatenate([[0], np.cumsum(np.array(self.bins, np.int64) + 1)[:-1]]).astype(np.int64)

    @cached_property
    def grid(self) -> Integers:
        """The slot of bin k of column j, -1 where it has none: shape (columns, most bins)."""
        k = np.arange(max(self.bins))
        inside = k < np.array(self.bins)[:, None]
        return np.where(inside, self.starts[:, None] + k, -1)

    def slots_of(self, codes: Codes) -> Integers:
        """Return the slot within its column of every code: the last one for missing values."""
        return np.where(codes < 0, np.array(self.bins), codes)

    def by_node(self, codes: Codes, node: Integers, nodes: int) -> tuple[Codes, list[int], Integers]:
        """Return what sums rows of several nodes at once, column by column.

        That is each row's slot among its column's slots of all nodes, their number by column, and
        the order of the sums, column after column, that puts them node after node.
        """
        sizes = np.array(self.bins) + 1
        slots = self.slots_of(codes) + node[:, None] * sizes
        begins = np.concatenate([[0], np.cumsum(sizes * nodes)[:-1]])
        order = [b + i * s + np.arange(s) for i in range(nodes) for b, s in zip(begins, sizes, strict=True)]
        return slots, (sizes * nodes).tolist(), np.concatenate(order)

    def histogram(self, codes: Codes, gh: Integers) -> Integers:
        """Return the sums of g and h of these rows by slot: shape (slots, 2)."""
        places = (self.slots_of(codes) + self.starts).ravel()
        d = len(self.bins)
        # Weights are float64: exact, as |sum| < 2^53 (n rows of 2^24, n < 2^29).
        sums = [np.bincount(places, np.repeat(part, d), self.slots) for part in gh.T]
        return np.column_stack(sums).astype(np.int64)

    def adds_up(self, histogram: Integers, totals: Integers) -> bool:
        """Tell whether every column of every node sums to that node's g and h: totals (nodes, 2)."""
        by_column = np.add.reduceat(histogram, self.starts, axis=1)
        return bool((by_column == totals[:, None, :]).all() and (histogram[..., 1] >= 0).all())


@dataclass(frozen=True, slots=True)
class Limits:
    """What a split must reach: xgboost's reg_lambda, gamma and min_child_weight."""

    reg_lambda: float = 1.0
    gamma: float = 0.0
    min_child_weight: float = 1.0


def best_splits(
    histogram: Integers, layout: Layout, totals: Integers, limits: Limits
) -> list[tuple[float, Split | None]]:
    """Return the gain and the split that gains most of each node, None if none gains enough.

    `histogram`: (nodes, slots, 2); `totals`: (nodes, 2).
    """
    filled = np.where(layout.grid[:, :, None] >= 0, histogram[:, layout.grid], 0)
    missing = histogram[:, layout.starts + np.array(layout.bins)]
    below = np.cumsum(filled, axis=2)
    left = np.stack([below, below + missing[:, :, None, :]], axis=3) / UNIT
    g, h = left[..., 0], left[..., 1]
    whole = (totals / UNIT)[:, None, None, None, :]
    gains = split_gain(g, h, whole[..., 0], whole[..., 1], limits.reg_lambda)
    heavy = (h >= limits.min_child_weight) & (whole[..., 1] - h >= limits.min_child_weight)
    allowed = heavy & (layout.grid >= 0)[None, :, :, None] & (gains > max(limits.gamma, LEAST_GAIN))
    flat = np.where(allowed, gains, -np.inf).reshape(len(totals), -1)
    return [_split(float(row.max()), int(row.argmax()), gains.shape[1:]) for row in flat]


def _split(gain: float, place: int, shape: tuple[int, ...]) -> tuple[float, Split | None]:
    if gain == -np.inf:
        return gain, None
    column, k, side = np.unravel_index(place, shape)
    return gain, Split(int(column), int(k), bool(side))
