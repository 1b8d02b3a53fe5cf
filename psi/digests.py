"""What two parties compare of elements that nobody raises again: a few bytes of each.

The digest of an element is the bytes of its encoding after the first, whose lowest bit is always 0.
Of elements raised to a secret power they are pseudo-random, so that of n against m different ones two
agree by chance with a probability below n m 2^(-8 w) for w bytes: `width` keeps it below 2^-40.
Whole encodings are compared by the same functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psi.group import SIZE, Rows

ERROR_BITS = 40
"""Different elements have equal digests in fewer than one of 2^40 runs."""

LEAST, MOST = 8, SIZE
"""Bytes of the shortest and the longest digest."""

AT_ONCE = 1 << 20
"""Digests that are sorted at once; longer lists are sorted share by share, with a share's memory."""

SHARES = 16
"""Parts of a longer list, by the first byte."""


@dataclass(frozen=True, slots=True, eq=False)
class Digests:
    """Digests of elements raised to secret powers, one to a row."""

    rows: Rows

    def __post_init__(self) -> None:
        assert self.rows.dtype == np.uint8
        assert self.rows.ndim == 2
        assert LEAST <= self.rows.shape[1] <= MOST

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Digests({len(self)} of {self.rows.shape[1]} bytes)"

    @property
    def sealed_count(self) -> int:
        """The number of digests."""
        return len(self)

    def to_wire(self) -> tuple[dict[str, int | str], bytes]:
        """Return {"count": n, "width": w} and n w bytes."""
        count, width = self.rows.shape
        return {"count": count, "width": width}, self.rows.tobytes()

    @classmethod
    def from_wire(cls, header: dict[str, int | str], data: bytes) -> Digests:
        """Rebuild from `to_wire`; raise ValueError unless the length is that of count and width."""
        count, width = header.get("count"), header.get("width")
        if type(count) is not int or type(width) is not int or not LEAST <= width <= MOST:
            raise ValueError(f"digests of {width} bytes")
        if header != {"count": len(data) // width, "width": width} or len(data) % width:
            raise ValueError(f"{len(data)} bytes are not the digests announced")
        return cls(np.frombuffer(data, dtype=np.uint8).reshape(-1, width))


def width(n: int, m: int) -> int:
    """Return the bytes of a digest where n elements are compared with m: 10 where both are a million."""
    return max(LEAST, -(-(ERROR_BITS + n.bit_length() + m.bit_length()) // 8))


def digests(elements: Rows, width: int) -> Rows:
    """Return the digests of elements raised to secret powers, so many bytes each."""
    return np.ascontiguousarray(elements[:, 1 : 1 + width])


def common_places(left: Rows, right: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the digests stand that both have, in `left` and in `right`, by ascending digest.

    ValueError "left" or "right" where one of them repeats a digest.
    """
    found = [_common_places(left, right, *places) for places in _shares(left, right)]
    return np.concatenate([ours for ours, _ in found]), np.concatenate([theirs for _, theirs in found])


def repeated(rows: Rows) -> bool:
    """Tell whether a digest stands twice among these."""
    return any(len(_ordered(rows[places])[1]) > 0 for (places,) in _shares(rows))


def ascending(rows: Rows) -> NDArray[np.int64]:
    """Return the order of the digests as texts, the first byte compared first."""
    return np.concatenate([places[_ordered(rows[places])[0]] for (places,) in _shares(rows)])


def _shares(*lists: Rows) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Yield places of each list, by ascending digest: those that are sorted at once."""
    if sum(map(len, lists)) <= AT_ONCE:
        yield tuple(np.arange(len(rows)) for rows in lists)
        return
    first = [rows[:, 0] // (256 // SHARES) for rows in lists]
    for share in range(SHARES):
        yield tuple(np.flatnonzero(bytes_ == share) for bytes_ in first)


def _common_places(
    left: Rows, right: Rows, of_left: NDArray[np.int64], of_right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    both = np.concatenate([left[of_left], right[of_right]])
    order, equal = _ordered(both)
    first, second = np.sort([order[equal], order[equal + 1]], axis=0)
    if np.any(second < len(of_left)):
        raise ValueError("left")
    if np.any(first >= len(of_left)):
        raise ValueError("right")
    return of_left[first], of_right[second - len(of_left)]


def _ordered(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of the digests, and the places in it whose digest is that of the next.

    Of three or more that are equal, those that come first in `rows` come first.
    """
    heads = rows[:, :LEAST].copy().view(">u8").ravel().astype(np.uint64)
    order = np.argsort(heads)
    equal = _equal_neighbours(heads, order)
    collided = np.any(rows[order[equal]] != rows[order[equal + 1]])  # different digests with one head
    if collided or np.any(np.diff(equal) == 1):  # or three with one head: who repeats is told by places
        keys = rows.view(f"V{rows.shape[1]}").ravel()  # void compares bytes; a text dtype would lose zeros
        order = np.argsort(keys, kind="stable")
        equal = _equal_neighbours(keys, order)
    return order, equal


def _equal_neighbours(keys: NDArray[Any], order: NDArray[np.int64]) -> NDArray[np.int64]:
    ordered = keys[order]
    return np.flatnonzero(ordered[:-1] == ordered[1:])
