"""The one source of cryptographic randomness: the operating system.

Every function that needs randomness takes a `Randomness`, so that a test can pass one whose
bytes it knows.  Such ones exist in the tests, and where an estimator draws rows by its random_state.
"""

from __future__ import annotations

import os

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

PART = 1 << 17
"""Keys of a permutation that are made at once."""


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
        """Return a uniform permutation of 0..n-1: the order of n different 64-bit keys.

        Keys are the stream of AES-256 in counter mode under 32 random bytes; where two are equal all are
        drawn anew, so that ties bias nothing.
        """
        stream = Cipher(AES(self.bytes(32)), CTR(b"\0" * 16)).encryptor()
        while True:
            keys = np.empty(n, np.uint64)
            for start in range(0, n, PART):
                part = keys[start : start + PART]
                part[:] = np.frombuffer(stream.update(b"\0" * part.nbytes), np.uint64)
            order = np.argsort(keys)
            keys = keys[order]
            if not np.any(keys[:-1] == keys[1:]):
                return order

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
