"""Residues as bytes: n numbers of equal width, little-endian, in one contiguous array."""

from __future__ import annotations

from collections.abc import Iterable

import gmpy2
import numpy as np
from numpy.typing import NDArray

Residues = NDArray[np.uint8]
"""Shape (n, width)."""


def width_of(modulus: int) -> int:
    """Return the bytes of one residue: the modulus' size in whole 64-bit words."""
    return 8 * -(-modulus.bit_length() // 64)


def from_ints(values: Iterable[int], width: int) -> Residues:
    """Return residues from integers in [0, 256^width); gmpy2's and Python's alike."""
    data = b"".join(int(v).to_bytes(width, "little") for v in values)
    return np.frombuffer(data, np.uint8).reshape(-1, width)


def to_ints(residues: Residues) -> list[int]:
    """Return the residues as Python integers."""
    return [int.from_bytes(row, "little") for row in rows(residues)]


def to_mpz(residues: Residues) -> list[gmpy2.mpz]:
    """Return the residues as GMP integers."""
    return [gmpy2.mpz.from_bytes(row, "little") for row in rows(residues)]


def from_mpz(values: Iterable[gmpy2.mpz], width: int) -> Residues:
    """Return residues from GMP integers."""
    data = b"".join(v.to_bytes(width, "little") for v in values)
    return np.frombuffer(data, np.uint8).reshape(-1, width)


def rows(residues: Residues) -> list[bytes]:
    """Return each residue's bytes."""
    width = residues.shape[-1]
    data = residues.tobytes()
    return [data[i : i + width] for i in range(0, len(data), width)]
