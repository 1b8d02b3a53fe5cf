"""`Ifma`: the seam's operations, on threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from psi.group.ifma import kernels
from psi.group.ifma.curve import digit_masks
from psi.group.seam import ORDER, SIZE, UNIFORM, Rows, refused
from vfl.crypto.modular.ifma.arithmetic import Words
from vfl.crypto.modular.ifma.compiled import ready

CHUNK = 8 * kernels.BLOCK
"""Rows that a thread takes at once: some ten milliseconds' work."""

Kernel = Callable[[Words, Words, Words, Words, int, int], None]


class Ifma:
    """ristretto255 on AVX-512 IFMA in `workers` threads; compiled kernels are kept in `cache`.

    Raises OSError where the folder cannot be written, CalledProcessError where compiling fails.
    """

    def __init__(self, workers: int, cache: Path) -> None:
        assert workers >= 1
        ready(cache, (kernels.__name__,))
        self.workers = workers

    def __repr__(self) -> str:
        return f"Ifma(workers={self.workers})"

    def mapped(self, uniform: Rows) -> Rows:
        """Return the element of every 64 uniform bytes, as its first power: no kernel is quicker."""
        return self._powers(kernels.raise_uniform, uniform, UNIFORM, 1)[0]

    def raised(self, elements: Rows, scalar: int) -> Rows:
        """Return every element to the power of the scalar."""
        return _all_good(*self._powers(kernels.raise_elements, elements, SIZE, scalar))

    def mapped_and_raised(self, uniform: Rows, scalar: int) -> Rows:
        """Return the elements of uniform bytes to the power of the scalar."""
        return _all_good(*self._powers(kernels.raise_uniform, uniform, UNIFORM, scalar))

    def _powers(self, kernel: Kernel, rows: Rows, width: int, scalar: int) -> tuple[Rows, Words]:
        """Return the rows' powers, and which are good; each thread takes a chunk when it is free."""
        assert rows.shape[1:] == (width,)
        assert 0 < scalar < ORDER
        n = len(rows)
        half = digit_masks(scalar * pow(2, -1, ORDER) % ORDER)
        source = np.require(rows, np.uint8, ["C", "A"]).reshape(-1).view(np.uint64)
        out, good = np.empty((n, SIZE), np.uint8), np.empty(n, np.uint64)
        target = out.reshape(-1).view(np.uint64)

        def chunk(first: int) -> None:
            kernel(target, good, source, half, first, min(first + CHUNK, n))

        starts = range(0, n, CHUNK)
        if self.workers == 1 or len(starts) < 2:
            for first in starts:
                chunk(first)
        else:
            with ThreadPoolExecutor(self.workers) as pool:
                list(pool.map(chunk, starts))
        return out, good


def _all_good(rows: Rows, good: Words) -> Rows:
    bad = np.flatnonzero(good == 0)
    if len(bad):
        raise refused(int(bad[0]))
    return rows
