"""Threads that share the rows of a batch: kernels hold no lock, so each has a core of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

CHUNKS = 4
"""Chunks for each thread: enough to even out their ends."""

Work = Callable[[int, int], None]
"""Does rows first, ..., end - 1."""


class Threads:
    """`count` threads, of which the caller's is one; the others wait for work until this goes."""

    def __init__(self, count: int) -> None:
        assert count >= 1
        self.count = count
        self._others = ThreadPoolExecutor(max(1, count - 1))  # starts none before it needs one

    def share(self, rows: int, work: Work, least: int) -> None:
        """Do `work` on chunks of eights of rows, `least` of them or more in each, to the next eight."""
        pieces = min(CHUNKS, rows // (least * self.count)) * self.count  # as many for each thread
        if self.count == 1 or not pieces:
            if rows:
                work(0, rows)
            return
        cuts = [rows * i // pieces & ~7 for i in range(pieces)] + [rows]
        chunks = iter(list(itertools.pairwise(cuts)))  # threads take from it while they hold Python's lock

        def rest() -> None:
            for first, end in chunks:
                work(first, end)

        others = [self._others.submit(rest) for _ in range(self.count - 1)]
        rest()
        for other in others:
            if not other.cancel():  # nothing is left for one that has not begun
                other.result()
