"""The reference backend: libsodium and hashlib, an element at a time.

It is called through rbcl's public functions: the call costs 1 us where a power costs 42, and it releases
the interpreter lock, so that threads run side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha512

import numpy as np
import rbcl

from psi.group.seam import SIZE, UNIFORM, RefusedRowError, Rows, framed


class Sodium:
    """ristretto255 by libsodium in `workers` threads."""

    def __init__(self, workers: int = 1) -> None:
        assert workers >= 1
        self.workers = workers

    def __repr__(self) -> str:
        return f"Sodium(workers={self.workers})"

    def expanded(self, messages: Sequence[bytes], dst: bytes) -> Rows:
        """Return expand_message_xmd(SHA-512, message, dst, 64) of every message, by hashlib in one thread."""
        tail, last = framed(dst)
        start, found = sha512(bytes(128)), []
        for message in messages:
            b_0 = start.copy()
            b_0.update(message + tail)
            found.append(sha512(b_0.digest() + last).digest())
        return np.frombuffer(b"".join(found), np.uint8).reshape(-1, UNIFORM)

    def mapped(self, uniform: Rows) -> Rows:
        """Return the element of every 64 uniform bytes."""
        data = uniform.tobytes()

        def element(index: int) -> bytes:
            found: bytes = rbcl.crypto_core_ristretto255_from_hash(
                data[UNIFORM * index : UNIFORM * index + UNIFORM]
            )
            return found

        return self._rows(element, len(uniform))

    def raised(self, elements: Rows, scalar: int) -> Rows:
        """Return every element to the power of the scalar."""
        data, power = elements.tobytes(), scalar.to_bytes(SIZE, "little")

        def raised(index: int) -> bytes:
            element = data[SIZE * index : SIZE * index + SIZE]
            if element[-1] >> 7:  # libsodium 1.0.18 ignores this bit, and the standard refuses it
                raise RefusedRowError(index)
            try:
                found: bytes = rbcl.crypto_scalarmult_ristretto255(power, element)
            except RuntimeError:
                raise RefusedRowError(index) from None
            return found

        return self._rows(raised, len(elements))

    def mapped_and_raised(self, uniform: Rows, scalar: int) -> Rows:
        """Return the elements of uniform bytes to the power of the scalar."""
        return self.raised(self.mapped(uniform), scalar)

    def _rows(self, element: Callable[[int], bytes], n: int) -> Rows:
        """Return element(0), ..., element(n - 1), one run of indices to a thread."""

        def run(indices: Iterable[int]) -> bytes:
            return b"".join([element(index) for index in indices])

        if self.workers == 1:
            data = run(range(n))
        else:
            edges = [n * worker // self.workers for worker in range(self.workers + 1)]
            with ThreadPoolExecutor(self.workers) as pool:
                data = b"".join(pool.map(run, map(range, edges[:-1], edges[1:])))
        return np.frombuffer(data, np.uint8).reshape(-1, SIZE)
