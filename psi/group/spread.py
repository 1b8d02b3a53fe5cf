"""The group on a cluster's workers: each computes with the best backend that runs there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import methodcaller

import numpy as np

from psi.group.choice import best
from psi.group.seam import SIZE, Group, RefusedRowError, Rows
from psi.group.sodium import Sodium
from vfl.cluster import WORTH, Cluster, Workers

POWER = 12e-6
"""Seconds that a power takes on one core with IFMA."""

SODIUM = 4
"""How many times as long it takes without."""


class Spread:
    """ristretto255 on the workers of `cluster`, and `here` what is not worth sending.

    `wanted`: the backend at the workers, None for the fastest that each can run.  `worth`: seconds of
    work from which a chunk is sent.
    """

    def __init__(
        self, cluster: Cluster, here: Group, wanted: str | None = None, worth: float = WORTH
    ) -> None:
        worth /= SODIUM if isinstance(here, Sodium) else 1
        self._here, self._workers = here, Workers(cluster, best, wanted, worth)

    def __repr__(self) -> str:
        return f"Spread({self._workers.cluster!r}, {self._here!r})"

    def expanded(self, messages: Sequence[bytes], dst: bytes) -> Rows:
        """Return expand_message_xmd(SHA-512, message, dst, 64) of every message: cheap, so here."""
        return self._here.expanded(messages, dst)

    def mapped(self, uniform: Rows) -> Rows:
        """Return the element of every 64 uniform bytes: here, since no protocol asks for many."""
        return self._here.mapped(uniform)

    def raised(self, elements: Rows, scalar: int) -> Rows:
        """Return every element to the power of the scalar, which goes to the workers."""
        return self._powers("raised", elements, scalar)

    def mapped_and_raised(self, uniform: Rows, scalar: int) -> Rows:
        """Return the elements of uniform bytes to the power of the scalar."""
        return self._powers("mapped_and_raised", uniform, scalar)

    def _powers(self, name: str, rows: Rows, scalar: int) -> Rows:
        cuts = self._workers.cut(len(rows), POWER, rows.shape[1] + SIZE)
        if len(cuts) < 2:
            found: Rows = methodcaller(name, rows, scalar)(self._here)
            return found
        parts = self._workers.map(partial(raised, name, rows[s], scalar) for s in cuts)
        for part, cut in zip(parts, cuts, strict=True):
            if isinstance(part, int):
                raise RefusedRowError(cut.start + part)
        return np.concatenate(parts)


def raised(name: str, rows: Rows, scalar: int, group: Group) -> Rows | int:
    """Return the rows' powers by a worker's own group, or the index of the first row that has none."""
    try:
        found: Rows = methodcaller(name, rows, scalar)(group)
    except RefusedRowError as error:
        return error.index
    return found
