"""Residues as bytes: numbers of equal width, little-endian, in one contiguous array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import gmpy2
import numpy as np
from numpy.typing import NDArray

Residues = NDArray[np.uint8]
"""Shape (count, width)."""


def width_of(modulus: int) -> int:
    """Return the bytes of one residue: the modulus' size in whole 64-bit words."""
    return 8 * -(-modulus.bit_length() // 64)


def load_residues(residues: Residues) -> list[gmpy2.mpz]:
    """Return the residues as GMP integers: one conversion of all bytes, then cut by GMP."""
    count, width = residues.shape
    values: list[gmpy2.mpz] = gmpy2.unpack(gmpy2.mpz.from_bytes(residues.tobytes(), "little"), 8 * width)
    return (values + [gmpy2.mpz(0)] * (count - len(values)))[:count]


def store_residues(values: Sequence[gmpy2.mpz], width: int) -> Residues:
    """Return residues from GMP integers in [0, 256^width)."""
    data = gmpy2.pack(list(values), 8 * width).to_bytes(len(values) * width, "little")
    return np.frombuffer(data, np.uint8).reshape(-1, width)


def from_ints(values: Iterable[int], width: int) -> Residues:
    """Return residues from integers in [0, 256^width)."""
    data = b"".join(v.to_bytes(width, "little") for v in values)
    return np.frombuffer(data, np.uint8).reshape(-1, width)


def to_ints(residues: Residues) -> list[int]:
    """Return the residues as Python integers."""
    return [int.from_bytes(row, "little") for row in rows(residues)]


def rows(residues: Residues) -> list[bytes]:
    """Return each residue's bytes."""
    width = residues.shape[-1]
    data = residues.tobytes()
    return [data[i : i + width] for i in range(0, len(data), width)]


def from_signed(values: NDArray[np.int64], modulus: int) -> Residues:
    """Return signed machine integers, each of size below 2^63, modulo a modulus beyond 2^64."""
    size, negative = np.abs(values).astype(np.uint64), values < 0
    words = np.zeros((len(values), width_of(modulus) // 8), np.uint64)
    words[~negative, 0] = size[~negative]
    words[negative] = _words(modulus, words.shape[1])
    borrow = np.where(negative, size, 0).astype(np.uint64)
    for word in words.T:
        if not borrow.any():
            break
        lacks = word < borrow
        word -= borrow
        borrow = lacks.astype(np.uint64)
    return words.view(np.uint8)


def all_below(residues: Residues, bound: int) -> bool:
    """Return whether every residue is below a bound of at most their width."""
    words = residues.view(np.uint64)
    tied = np.ones(len(words), bool)
    for word, limit in zip(words.T[::-1], _words(bound, words.shape[1])[::-1], strict=True):
        if (word[tied] > limit).any():
            return False
        tied &= word == limit
        if not tied.any():
            return True
    return False


def _words(value: int, count: int) -> NDArray[np.uint64]:
    words: NDArray[np.uint64] = from_ints([value], 8 * count).view(np.uint64)[0]
    return words
