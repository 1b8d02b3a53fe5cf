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
    return values + [gmpy2.mpz(0)] * (count - len(values))


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
