"""Work counted by operation, and what an operation takes: their product is seconds.

    seconds = sum over operations o of  count(o) * seconds(o)

Both have one field an operation, so that what is counted is measured and the other way round.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class Operations:
    """A number for each operation."""

    start: float = 0.0
    """A run begun and ended: links, approvals, tables read, results written."""
    key: float = 0.0
    """A key pair generated."""
    table: float = 0.0
    """The table of a key's fixed base made, once a party and run."""
    encrypt: float = 0.0
    """A 64-bit integer encrypted: its lift and a fixed-base power."""
    lift: float = 0.0
    """A Python integer put into a plaintext and encrypted, as trees do with (g, h)."""
    rerandomise: float = 0.0
    """A ciphertext made from a peer's, re-randomised."""
    few: float = 0.0
    """Any of these three in a batch of fewer than 1,024, for which GMP makes no table of powers."""
    refresh: float = 0.0
    """The same towards a peer that has the key: r^N, r uniform."""
    check: float = 0.0
    """A received ciphertext looked at: a unit modulo N."""
    add: float = 0.0
    """Two ciphertexts added."""
    sum: float = 0.0
    """A ciphertext added into a bin of a column."""
    power: float = 0.0
    """A ciphertext times a signed number of about 20 bits, as a part of a row's product."""
    term: float = 0.0
    """A ciphertext times such a number, as a part of a sum over rows."""
    pack: float = 0.0
    """A sum moved by one slot of 90 bits, and added."""
    decrypt: float = 0.0
    """A ciphertext opened with the private key."""
    map_id: float = 0.0
    """An id hashed to the group and raised to a secret power."""
    raise_id: float = 0.0
    """A peer's element raised to a secret power."""
    byte: float = 0.0
    """A byte sent or received: encoded, journalled, under TLS."""
    turn: float = 0.0
    """A message waited for, whatever it holds: frames, threads, a checkpoint's share."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class Work(Operations):
    """How many of each operation a party carries out."""

    __slots__ = ()

    def times(self, factor: float) -> Work:
        """Return the work of so many repetitions."""
        return Work(*(factor * count for count in astuple(self)))

    def seconds(self, rates: Rates) -> float:
        """Return what it takes, on the cores for which the rates are."""
        products = (count * each for count, each in zip(astuple(self), astuple(rates), strict=True))
        return float(sum(products))


class Rates(Operations):
    """Seconds that each operation takes, with all cores that a party may use."""

    __slots__ = ()

    def on(self, machines: float) -> Rates:
        """Return the rates of so many equal machines a party: all but waiting is shared out."""
        shared = {f.name: getattr(self, f.name) / machines for f in fields(self)}
        return Rates(**shared | {"turn": self.turn, "start": self.start})
