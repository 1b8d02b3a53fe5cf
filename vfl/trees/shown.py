"""Sums over nodes of which hosts see the rows: gradients are encrypted once a tree.

    repeat, one tree
        maybe, if trees are grown from samples
            guest -> host: Sampled
        repeat, in blocks of rows
            guest -> host: EncryptedGradients
        repeat, one level
            guest -> host: Nodes

A host sums the rows of each node by bin.  **It learns which rows share a node**, also where the
guest's columns or another host's divide them: that says of labels, coarsely, what the model knows of them
(tests/attacks/test_tree_labels.py prints how much).  `hidden` is the way without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.trees.gradients import Slot
from vfl.trees.grow import Integers, Rows
from vfl.trees.histogram import Layout
from vfl.trees.members import Members, places
from vfl.trees.sums import EncryptedSums
from vfl.trees.tree import Codes, Mask, Split
from vfl.wire.blocks import blocks, rows_of
from vfl.wire.flow import Peer
from vfl.wire.message import Disclosed, Message

BLOCK = 8192
"""Rows of one message."""


@dataclass(frozen=True, slots=True)
class Sampled(Message):
    """The rows that a tree is grown from.  Reveals: which rows; under GOSS, those predicted worst."""

    rows: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EncryptedGradients(Message):
    """E(g_i 2^b + h_i) of a block of sampled rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class Nodes(Message):
    """The nodes to be summed, and each row's place among them or 255.  Reveals: which rows share a node."""

    nodes: NDArray[np.int64]
    place: NDArray[np.uint8]

    def disclosed(self) -> Disclosed:
        """Count for each row the bits that say in which of the nodes it is, if in any."""
        return Disclosed(self.place.size, self.place.size * self.nodes.size.bit_length())


def packing(nodes: int, slots: int, bits: int, n: int) -> Packing:
    """Return how the sums of so many nodes by slot travel: node after node."""
    return Packing(nodes * slots, bits, n)


@dataclass(slots=True)
class Asking:
    """The guest's side: it tells every host which rows to sum."""

    slot: Slot
    samples: bool
    key: PublicKey
    rng: Randomness
    hosts: tuple[Peer, ...]
    _rows: int = 0

    async def begin(self, gh: Integers, sampled: Mask) -> None:
        """Send the sampled rows' gradients."""
        self._rows = len(gh)
        for peer in self.hosts if self.samples else ():
            await peer.send(Sampled(sampled))
        rows = np.flatnonzero(sampled)
        for part in blocks(len(rows), BLOCK):
            plain = self.slot.joined(gh[rows[part]])
            block = EncryptedGradients(self.key.randomise(self.key.lift(plain), self.rng))
            for peer in self.hosts:
                await peer.send(block)

    async def ask(self, nodes: dict[int, Rows]) -> None:
        """Ask for the sums over some nodes."""
        asked = Nodes(np.array(list(nodes), np.int64), places(self._rows, nodes))
        for peer in self.hosts:
            await peer.send(asked)

    def packing(self, nodes: int, slots: int) -> Packing:
        """Return how they come."""
        return packing(nodes, slots, self.slot.bits, self.key.n)

    def by_node(self, sums: Integers, nodes: int, slots: int) -> Integers:
        """Return them, which came as shape (count, 2), as shape (nodes, slots, 2)."""
        return sums.reshape(nodes, slots, 2)

    def sides(self, left: Mask, splits: dict[int, Split], rows: dict[int, Rows]) -> dict[int, Mask] | None:
        """Return which of a split node's rows go left, from a host's answer; None if it is of other rows."""
        ends = np.cumsum([len(rows[k]) for k in splits])
        if left.shape != (ends[-1],):
            return None
        return dict(zip(splits, np.split(left, ends[:-1]), strict=True))


@dataclass(slots=True)
class Summing:
    """A host's side: its columns, and of the tree that grows the gradients, and which rows are where."""

    codes: Codes
    layout: Layout
    bits: int
    samples: bool
    key: PublicKey
    guest: Peer
    _sums: EncryptedSums | None = None
    _members: Members = field(default_factory=lambda: Members(0))

    async def begin(self) -> None:
        """Take a new tree's gradients; the root is summed as they come."""
        n = len(self.codes)
        sampled = (await self.guest.receive(Sampled)).rows if self.samples else np.ones(n, np.bool_)
        if sampled.shape != (n,) or not sampled.any():
            raise self.guest.blame("sampled other rows than there are")
        self._members = Members(n)
        self._sums = EncryptedSums(self.codes, self.layout, self.key, sampled)
        for part in blocks(len(self._sums.rows), BLOCK):
            block = (await self.guest.receive(EncryptedGradients)).values
            self.key.check(block, rows_of(part), self.guest.name)
            self._sums.add(block)

    async def packed(self) -> tuple[Unrandomised, Packing]:
        """Return the packed sums over the nodes of the next level that the guest asks for, and how."""
        asked = await self.guest.receive(Nodes)
        nodes: list[int] = asked.nodes.tolist() if asked.nodes.ndim == 1 else []
        try:
            self._members.place(nodes, asked.place)
        except ValueError as error:
            raise self.guest.blame(str(error)) from None
        assert self._sums is not None
        rows = [self._members.rows[k] for k in nodes]
        sums = self._sums.root() if nodes == [1] else self._sums.of(rows)
        packed = packing(len(nodes), self.layout.slots, self.bits, self.key.n)
        return self.key.pack(sums, packed), packed

    def splittable(self, node: int) -> bool:
        """Tell whether a node is known and, as far as is known, not split."""
        return self._members.whole(node)

    def divide(self, node: int, split: Split) -> Mask:
        """Return which of a node's rows go left, and remember it."""
        left = split.left(self.codes[self._members.rows[node]])
        self._members.divide(node, left)
        return left
