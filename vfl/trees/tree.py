"""A tree, its splits and its leaves.

Nodes are numbered as in a heap: 1 is the root, 2k and 2k + 1 are the left and the right child of k.
A code is a bin's index, negative for a missing value (a blank, or a level not seen in training).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vfl.steps import State

Codes = NDArray[np.int64]
"""One party's codes: shape (rows, columns)."""
Mask = NDArray[np.bool_]

MAX_DEPTH = 8
"""Levels of splits at most: a level's nodes are numbered in one byte on the wire."""


@dataclass(frozen=True, slots=True)
class Split:
    """Codes of `column` up to `bin` go left, and missing ones if `missing_left`."""

    column: int
    bin: int
    missing_left: bool

    def left(self, codes: Codes) -> Mask:
        """Return which rows go left."""
        own = codes[:, self.column]
        return np.where(own < 0, self.missing_left, own <= self.bin)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The split of a node, whose it is, and what it is worth: party 0 is the guest, then the hosts."""

    party: int
    split: Split
    gain: float
    cover: float
    """Sum of the node's hessians."""


@dataclass(slots=True)
class Tree:
    """A tree as the guest knows it: a host's columns and bins have numbers, no names."""

    chosen: dict[int, Chosen] = field(default_factory=dict)
    leaves: dict[int, float] = field(default_factory=dict)
    """The logit that each leaf adds, learning rate included."""

    def as_state(self) -> State:
        """Return what `restored` takes."""
        chosen = {node: [c.party, *astuple(c.split), c.gain, c.cover] for node, c in self.chosen.items()}
        return {"chosen": chosen, "leaves": self.leaves}

    @classmethod
    def restored(cls, state: State) -> Self:
        """Return the tree that was kept."""
        chosen = {
            node: Chosen(party, Split(column, bin, missing_left), gain, cover)
            for node, (party, column, bin, missing_left, gain, cover) in state["chosen"].items()
        }
        return cls(chosen, state["leaves"])

    def splits_of(self, party: int) -> dict[int, Split]:
        """Return one party's splits by node."""
        return {node: c.split for node, c in self.chosen.items() if c.party == party}
