"""Encrypted gradients summed by the bins of a host's columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.paillier import Ciphertexts, PublicKey, Unrandomised
from vfl.trees.histogram import Layout
from vfl.trees.tree import Codes, Mask

Rows = NDArray[np.int64]


class EncryptedSums:
    """E(g, h) of a tree's sampled rows; the sums over all of them are made as blocks arrive."""

    def __init__(self, codes: Codes, layout: Layout, key: PublicKey, sampled: Mask) -> None:
        self.rows = np.flatnonzero(sampled)
        """The sampled rows, in the order of their ciphertexts."""
        self._codes, self._layout, self._key = codes, layout, key
        self._at = np.where(sampled, np.cumsum(sampled) - 1, -1)
        self._blocks: list[Ciphertexts] = []
        self._root: Unrandomised | None = None
        self._all: Ciphertexts | None = None

    def add(self, block: Ciphertexts) -> None:
        """Take the next rows' ciphertexts."""
        begin = sum(map(len, self._blocks))
        codes = self._codes[self.rows[begin : begin + len(block)]]
        sizes = [bins + 1 for bins in self._layout.bins]
        sums = self._key.joined(self._key.sum_by_bin(block, self._layout.slots_of(codes), sizes))
        self._root = self._key.add(self._root, sums) if self._root else sums
        self._blocks.append(block)

    def root(self) -> Unrandomised:
        """Return the sums of all sampled rows by slot."""
        assert self._root is not None
        return self._root

    def of(self, nodes: Sequence[Rows]) -> Unrandomised:
        """Return the sums of each node's sampled rows by slot, node after node."""
        if self._all is None:
            self._all = Ciphertexts.joined(self._blocks)
        parts = [rows[self._at[rows] >= 0] for rows in nodes]
        rows = np.concatenate(parts)
        node = np.repeat(np.arange(len(nodes)), [len(part) for part in parts])
        slots, sizes, order = self._layout.by_node(self._codes[rows], node, len(nodes))
        sums = self._key.sum_by_bin(self._all.take(self._at[rows]), slots, sizes)
        return self._key.joined(sums).take(order)
