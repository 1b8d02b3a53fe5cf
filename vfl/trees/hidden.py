"""Sums over nodes of which hosts see no rows: gradients are encrypted anew for every level.

    repeat, one tree
        repeat, one level
            guest -> host: HiddenNodes
            repeat, in blocks of rows
                guest -> host: EncryptedNodes

A row's plaintext has a slot for every node that is to be summed.  Its g and h stand in the slot of its
node; all other slots hold 0, and so do all slots of rows that are in none of the nodes, or not
sampled, or held back.  All rows are encrypted, each afresh, so that all look alike, and hosts sum
all of them by bin: one sum holds that bin's of several nodes.

A host learns how many nodes are summed, and its own splits.  It answers for all rows, but those
that its own splits above exclude, and the guest keeps what it says of the node's: **the guest
learns sides of rows that never come by** (as in `scoring`), which it does not where rows are shown:
tests/attacks/test_tree_cells.py prints how many of the host's cells that gives away.  A transfer in which
the guest picks one of a row's sides unseen (oblivious, one of as many as the host splits nodes) would
bring that back to one bit a row and level.

A level costs n encryptions, where `shown` takes n a tree: with each node's rows encrypted
by themselves it would be 2^(level - 1) n.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.trees.gradients import Slot
from vfl.trees.grow import Integers, Rows
from vfl.trees.histogram import Layout
from vfl.trees.tree import Codes, Mask, Split
from vfl.wire.blocks import blocks
from vfl.wire.flow import Peer
from vfl.wire.message import Message

BLOCK = 8192
"""Rows of one message."""


@dataclass(frozen=True, slots=True)
class HiddenNodes(Message):
    """The number of nodes to be summed.  Reveals: how bushy the tree is."""

    nodes: int


@dataclass(frozen=True, slots=True)
class EncryptedNodes(Message):
    """E((g_i 2^b + h_i) 2^(L k)), row i in node k, E(0) in none, of a block of rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where nodes stand: `nodes` slots of `bits` in each of a row's `plaintexts`; some may stay empty.

    Slots are as wide as it takes for the sums of whole bins to fill a plaintext: so hosts can
    pack bins, and packed sums are a plain `Packing`.
    """

    nodes: int
    bits: int
    plaintexts: int

    @classmethod
    def holding(cls, nodes: int, bits: int, n: int) -> Self:
        """Return the shelf for so many nodes, whose sums take `bits` each, under a modulus n."""
        room = n.bit_length() - 2
        plaintexts = Packing(nodes, bits, n).plaintexts
        each = -(-nodes // plaintexts)
        wide = next(b for b in range(bits, room + 1) if room // b % each == 0)
        return cls(each, wide, plaintexts)

    def packing(self, slots: int, n: int) -> Packing:
        """Return how sums by slot travel: plaintext after plaintext, slot after slot, node after node."""
        return Packing(self.plaintexts * slots * self.nodes, self.bits, n)

    def by_bin(self, slots: int, n: int) -> Packing:
        """Return the same packing, the nodes of a slot taken as one number."""
        return Packing(self.plaintexts * slots, self.nodes * self.bits, n)


def packing(nodes: int, slots: int, bits: int, n: int) -> Packing:
    """Return how the sums of so many nodes by slot travel."""
    return Shelf.holding(nodes, bits, n).packing(slots, n)


@dataclass(slots=True)
class Asking:
    """The guest's side: every level it sends all rows, of which only those of the nodes count."""

    slot: Slot
    key: PublicKey
    rng: Randomness
    hosts: tuple[Peer, ...]
    _values: list[int] = field(default_factory=list)

    async def begin(self, gh: Integers, sampled: Mask) -> None:
        """Keep the gradients, 0 where a row is not sampled."""
        self._values = self.slot.joined(gh)

    async def ask(self, nodes: dict[int, Rows]) -> None:
        """Send all rows, and so ask for the sums over some nodes."""
        shelf, n = self._shelf(len(nodes)), len(self._values)
        place = np.full(n, -1, np.int64)
        for i, rows in enumerate(nodes.values()):
            place[rows] = i
        for peer in self.hosts:
            await peer.send(HiddenNodes(len(nodes)))
        for part in blocks(n, BLOCK):
            plain = _placed(self._values[part], place[part], shelf)
            block = EncryptedNodes(self.key.randomise(self.key.lift(plain), self.rng))
            for peer in self.hosts:
                await peer.send(block)

    def packing(self, nodes: int, slots: int) -> Packing:
        """Return how they come."""
        return packing(nodes, slots, self.slot.bits, self.key.n)

    def by_node(self, sums: Integers, nodes: int, slots: int) -> Integers:
        """Return them, which came as shape (count, 2), as shape (nodes, slots, 2)."""
        shelf = self._shelf(nodes)
        stacked = sums.reshape(shelf.plaintexts, slots, shelf.nodes, 2).transpose(0, 2, 1, 3)
        return stacked.reshape(-1, slots, 2)[:nodes]

    def sides(self, left: Mask, splits: dict[int, Split], rows: dict[int, Rows]) -> dict[int, Mask] | None:
        """Return which of a split node's rows go left, from a host's answer; None if it is of other rows."""
        if left.shape != (len(splits) * len(self._values),):
            return None
        return {k: every[rows[k]] for k, every in zip(splits, np.split(left, len(splits)), strict=True)}

    def _shelf(self, nodes: int) -> Shelf:
        return Shelf.holding(nodes, self.slot.bits, self.key.n)


def _placed(values: list[int], place: Integers, shelf: Shelf) -> list[int]:
    """Return the plaintexts of a block of rows, each row's first, then each row's second."""
    shift = (place % shelf.nodes * shelf.bits).tolist()
    holder = np.where(place >= 0, place // shelf.nodes, -1).tolist()
    return [
        v << s if held == here else 0
        for here in range(shelf.plaintexts)
        for v, s, held in zip(values, shift, holder, strict=True)
    ]


@dataclass(slots=True)
class Summing:
    """A host's side: its columns, and of the tree that grows how deep it is and what it split itself."""

    codes: Codes
    layout: Layout
    bits: int
    key: PublicKey
    guest: Peer
    _first: int = 1
    """The first node of the level that is next."""
    _reached: dict[int, Mask] = field(default_factory=dict)
    """The rows that may be in a child of one of the host's own splits."""

    async def begin(self) -> None:
        """Begin a new tree."""
        self._first = 1
        self._reached = {1: np.ones(len(self.codes), np.bool_)}

    async def packed(self) -> tuple[Unrandomised, Packing]:
        """Return the packed sums over the nodes of the next level that the guest asks for, and how."""
        nodes = (await self.guest.receive(HiddenNodes)).nodes
        if not 0 < nodes <= max(1, self._first // 2):
            raise self.guest.blame("asked for nodes that no level has")
        shelf = Shelf.holding(nodes, self.bits, self.key.n)
        sums = await self._sums(shelf)
        self._first *= 2
        packed = self.key.pack(sums, shelf.by_bin(self.layout.slots, self.key.n))
        return packed, shelf.packing(self.layout.slots, self.key.n)

    async def _sums(self, shelf: Shelf) -> Unrandomised:
        """Return the sums by slot of every row's first ciphertext, then of its second, as rows arrive."""
        sizes = [bins + 1 for bins in self.layout.bins]
        sums: Unrandomised | None = None
        for part in blocks(len(self.codes), BLOCK):
            codes = self.layout.slots_of(self.codes[part])
            block = (await self.guest.receive(EncryptedNodes)).values
            self.key.check(block, len(codes) * shelf.plaintexts, self.guest.name)
            parts = [block[i : i + len(codes)] for i in range(0, len(block), len(codes))]
            new = self.key.joined([s for part in parts for s in self.key.sum_by_bin(part, codes, sizes)])
            sums = self.key.add(sums, new) if sums else new
        assert sums is not None
        return sums

    def splittable(self, node: int) -> bool:
        """Tell whether a node is of the level that was summed last."""
        return self._first <= 2 * node < 2 * self._first

    def divide(self, node: int, split: Split) -> Mask:
        """Return which of all rows go left, none that the host's own splits above exclude; remember it."""
        above = node
        while above not in self._reached:
            above >>= 1
        here, left = self._reached[above], split.left(self.codes)
        self._reached[2 * node], self._reached[2 * node + 1] = here & left, here & ~left
        return here & left
