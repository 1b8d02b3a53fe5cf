"""What private set intersection does with the group, ristretto255 (RFC 9496).

An id becomes an element by hash_to_ristretto255 (RFC 9380, appendix B; the HashToGroup of RFC 9497):

    H(x) = from_uniform_bytes(expand_message_xmd(SHA-512, utf8(x), DST, 64))

so that nobody knows a relation between the elements of two ids, and a `Blinder` raises elements
to a secret power.  Three types keep apart what may be seen: `Hashed` elements, from which ids can
be found by trying all of them, fit in no message; `Points` have been raised to a secret and do.

Elements are computed behind the seam of `psi.group`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rbcl

from psi.group import ORDER, SIZE, Group, Rows, Sodium
from vfl.crypto.randomness import Randomness
from vfl.table.texts import Ids

DST = b"vfl-psi-v1-ristretto255_XMD:SHA-512_R255MAP_RO_"
"""Domain separation of H, before the caller's own domain (RFC 9380, 3.1)."""

REFERENCE = Sodium()
"""The group in one thread, on any machine."""


@dataclass(frozen=True, slots=True, eq=False)
class Hashed:
    """Elements H(x) of ids, each as the uniform bytes it is made from: not secret enough for any message."""

    uniform: Rows

    def __len__(self) -> int:
        return len(self.uniform)

    def __repr__(self) -> str:
        return f"Hashed({len(self)})"

    def elements(self, group: Group = REFERENCE) -> Rows:
        """Return the elements, 32 bytes each."""
        return group.mapped(self.uniform)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Elements raised to a secret power, one to a row of 32 bytes.

    Only the shape is checked here: whether a row encodes an element is known when it is raised.
    """

    rows: Rows

    def __post_init__(self) -> None:
        assert self.rows.dtype == np.uint8
        assert self.rows.ndim == 2
        assert self.rows.shape[1] == SIZE

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Points({len(self)})"

    @property
    def sealed_count(self) -> int:
        """The number of elements."""
        return len(self)

    def to_wire(self) -> tuple[dict[str, int | str], bytes]:
        """Return {"count": n} and 32 n bytes."""
        return {"count": len(self)}, self.rows.tobytes()

    @classmethod
    def from_wire(cls, header: dict[str, int | str], data: bytes) -> Points:
        """Rebuild from `to_wire`; raise ValueError unless the length is that of the count."""
        count = header.get("count")
        if type(count) is not int or header != {"count": len(data) // SIZE} or len(data) % SIZE:
            raise ValueError(f"{len(data)} bytes are not the points announced")
        return cls(_rows(data))


def canonical(points: Points) -> bool:
    """Tell whether every row may encode an element that is not the identity.

    A row is an even number s, 0 < s < p = 2^255 - 19, little-endian.  Half of these numbers encode
    none: that is known only when they are raised.
    """
    words = points.rows.view("<u8")
    top = (words[:, 3] == (1 << 63) - 1) & (words[:, 1:3] == (1 << 64) - 1).all(axis=1)
    beyond = (words[:, 3] >= 1 << 63) | (top & (words[:, 0] >= (1 << 64) - 19))
    return not (beyond | (words[:, 0] & 1 == 1) | (words == 0).all(axis=1)).any()


def valid(points: Points) -> bool:
    """Tell whether every row encodes an element but the identity, for a tenth of the cost of a power."""
    rows = points.rows.tobytes()
    return canonical(points) and all(
        rbcl.crypto_core_ristretto255_is_valid_point(rows[k : k + SIZE]) for k in range(0, len(rows), SIZE)
    )


class Blinder:
    """A secret power, drawn once and never shown: x -> x^a with a uniform in 1 .. ORDER - 1."""

    __slots__ = ("_group", "_scalar")

    def __init__(self, rng: Randomness, group: Group = REFERENCE) -> None:
        self._scalar = 1 + rng.below(ORDER - 1)
        self._group = group

    def __repr__(self) -> str:
        return "Blinder()"

    def blind(self, points: Hashed | Points) -> Points:
        """Return every element raised to the secret, in the order given.

        Raises ValueError, naming the first index, on what is no canonical encoding and on the
        identity, whose every power is the identity again.
        """
        if isinstance(points, Hashed):
            return Points(self._group.mapped_and_raised(points.uniform, self._scalar))
        return Points(self._group.raised(points.rows, self._scalar))

    def unblind(self, points: Points) -> Points:
        """Return the elements of which these are `blind`; raises ValueError as `blind` does."""
        return Points(self._group.raised(points.rows, pow(self._scalar, -1, ORDER)))


def hash_to_group(ids: Sequence[str] | Ids, domain: bytes, group: Group = REFERENCE) -> Hashed:
    """Return H(x) of every id; different domains give unrelated elements."""
    return Hashed(group.expanded(list(map(str.encode, ids)), DST + domain))


def _rows(data: bytes) -> Rows:
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, SIZE)
