"""`Ifma`: the seam's operations, on threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from psi.group.ifma import kernels, sha512
from psi.group.ifma.curve import digit_masks
from psi.group.seam import ORDER, SIZE, UNIFORM, RefusedRowError, Rows, framed
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
        ready(cache, (kernels.__name__, sha512.__name__))
        self.workers = workers

    def __repr__(self) -> str:
        return f"Ifma(workers={self.workers})"

    def expanded(self, messages: Sequence[bytes], dst: bytes) -> Rows:
        """Return expand_message_xmd(SHA-512, message, dst, 64) of every message."""
        tail, last = framed(dst)
        ends = np.zeros(len(messages) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, messages), np.int64, len(messages)), out=ends[1:])
        text, tail_bytes = np.frombuffer(b"".join(messages), np.uint8), np.frombuffer(tail, np.uint8)
        last_words, out = sha512.closing(last, UNIFORM), np.empty((len(messages), UNIFORM), np.uint8)
        target = out.reshape(-1).view(np.uint64)
        self._by_chunks(
            len(messages),
            lambda first, end: sha512.expand(target, text, ends, tail_bytes, last_words, first, end),
        )
        return out

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
        """Return the rows' powers, and which are good."""
        assert rows.shape[1:] == (width,)
        assert 0 < scalar < ORDER
        n = len(rows)
        half = digit_masks(scalar * pow(2, -1, ORDER) % ORDER)
        source = np.require(rows, np.uint8, ["C", "A"]).reshape(-1).view(np.uint64)
        out, good = np.empty((n, SIZE), np.uint8), np.empty(n, np.uint64)
        target = out.reshape(-1).view(np.uint64)

        self._by_chunks(n, lambda first, end: kernel(target, good, source, half, first, end))
        return out, good

    def _by_chunks(self, n: int, work: Callable[[int, int], None]) -> None:
        """Have rows first, ..., end - 1 done; each thread takes a chunk when it is free."""
        starts = range(0, n, CHUNK)

        def chunk(first: int) -> None:
            work(first, min(first + CHUNK, n))

        if self.workers == 1 or len(starts) < 2:
            for first in starts:
                chunk(first)
        else:
            with ThreadPoolExecutor(self.workers) as pool:
                list(pool.map(chunk, starts))


def _all_good(rows: Rows, good: Words) -> Rows:
    bad = np.flatnonzero(good == 0)
    if len(bad):
        raise RefusedRowError(int(bad[0]))
    return rows
