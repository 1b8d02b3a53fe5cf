"""Randomness whose bytes a test knows.  Never outside the tests."""

from __future__ import annotations

from hashlib import shake_256

from vfl.crypto.randomness import Randomness


class Seeded(Randomness):
    """The stream SHAKE256(seed || call number): equal seeds and equal calls give equal bytes."""

    __slots__ = ("_calls", "_seed")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._calls = 0

    def bytes(self, size: int) -> bytes:
        self._calls += 1
        return shake_256(f"{self._seed}/{self._calls}".encode()).digest(size)
