"""Which rows are in which node of a growing tree, as far as a host is told or decides it itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfl.trees.tree import Mask

Rows = NDArray[np.int64]

NOWHERE = 255
"""The place of a row that is in none of the nodes asked for."""

STRANGE = "asked for nodes that are no part of the tree"


def places(n: int, nodes: dict[int, Rows]) -> NDArray[np.uint8]:
    """Return for each of n rows its node's number in the list, or `NOWHERE`."""
    assert len(nodes) < NOWHERE
    place = np.full(n, NOWHERE, np.uint8)
    for i, rows in enumerate(nodes.values()):
        place[rows] = i
    return place


class Members:
    """The rows of every known node, ascending; the root holds all n."""

    def __init__(self, n: int) -> None:
        self.rows: dict[int, Rows] = {1: np.arange(n)}

    def place(self, nodes: list[int], place: NDArray[np.uint8]) -> None:
        """Take the rows of these nodes, and so of their siblings; raise ValueError if they cannot be."""
        inside = place[place != NOWHERE]
        if place.shape != self.rows[1].shape or (inside >= len(nodes)).any():
            raise ValueError("asked for nodes without saying which rows they hold")
        if (
            not nodes
            or len(set(nodes)) < len(nodes)
            or any(k < 1 or (k >> 1 or 1) not in self.rows for k in nodes)
        ):
            raise ValueError(STRANGE)
        for i, node in enumerate(nodes):
            self._enter(node, np.flatnonzero(place == i))

    def _enter(self, node: int, rows: Rows) -> None:
        free = np.zeros(len(self.rows[1]), np.bool_)
        free[self.rows[node >> 1 or 1]] = True
        known = self.rows.get(node, rows)
        if not (free[rows].all() and np.array_equal(known, rows)):
            raise ValueError(STRANGE)
        self.rows[node] = rows
        if node > 1:
            free[rows] = False
            self.rows[node ^ 1] = np.flatnonzero(free)

    def whole(self, node: int) -> bool:
        """Tell whether a node is known and, as far as is known, not split."""
        return node in self.rows and 2 * node not in self.rows

    def divide(self, node: int, left: Mask) -> None:
        """Take a node's children, from which of its rows go left."""
        rows = self.rows[node]
        self.rows[2 * node], self.rows[2 * node + 1] = rows[left], rows[~left]
