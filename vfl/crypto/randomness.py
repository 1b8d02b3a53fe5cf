"""The one source of cryptographic randomness: the operating system.

Every function that needs randomness takes a `Randomness`, so that a test can pass one whose
bytes it knows.  Such ones exist in the tests, and where an estimator draws rows by its random_state.
"""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray


class Randomness:
    """Uniform bytes, numbers and permutations from the operating system."""

    __slots__ = ()

    def fresh(self, size: int) -> bytes:
        """Return `size` uniform bytes that are used once and never needed again."""
        return self.bytes(size)

    def bytes(self, size: int) -> bytes:
        """Return `size` uniform bytes."""
        return os.urandom(size)

    def below(self, bound: int) -> int:
        """Return a uniform integer in [0, bound), by rejection (no modulo bias)."""
        assert bound > 0
        bits = (bound - 1).bit_length()
        size = -(-bits // 8)
        while True:
            value = int.from_bytes(self.bytes(size), "little") & ((1 << bits) - 1)
            if value < bound:
                return value

    def permutation(self, n: int) -> NDArray[np.int64]:
        """Return a uniform permutation of 0..n-1: the order of n random 128-bit keys.

        Two keys collide with probability below n^2 / 2^129, so ties bias nothing measurable.
        """
        keys = np.frombuffer(self.bytes(16 * n), dtype=np.uint64).reshape(n, 2)
        order = np.argsort(keys[:, 1])
        ordered = keys[order, 1]
        if np.any(ordered[:-1] == ordered[1:]):  # rare: the other half of the keys decides
            order = np.lexsort((keys[:, 0], keys[:, 1]))
        return order.astype(np.int64)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
