"""Kernels: powers of one base, by windows of the exponent (Brickell, Gordon, McCurley and Wilson 1992).

T[r][d] = b^(d 2^(WINDOW r)),    b^e = prod_r T[r][digit r of e]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.arithmetic import (
    Words,
    accumulators,
    canonical,
    copy,
    limbs_of,
    scratch,
    square,
    times,
)
from vfl.crypto.modular.ifma.compiled import BYTES, INTEGER, READ_ONLY, ROWS, device, entry
from vfl.crypto.modular.ifma.rows import Integers, expect, gather, point, put_pair, scatter, take_pair

WINDOW = 10
"""103 products for 1024 bits from 67 MB at 2048 bits; 12 would be 16 % fewer from four times as much."""


@entry(ROWS, INTEGER, INTEGER, ROWS, ROWS, ROWS)
def build(table: Words, first: int, end: int, bases: Words, one: Words, K: Words) -> None:
    """Fill lines first, ..., end - 1 of the table; bases: stored rows b^(2^(WINDOW r)), one for each line."""
    limbs = limbs_of(K)
    row, line = 2 * limbs, 2 * limbs << WINDOW
    at, entries = np.empty(8, np.int64), np.empty(8, np.int64)
    X, B, T = scratch(16 * limbs), scratch(16 * limbs), accumulators(K)
    for r in range(first, end, 8):
        point(at, r, end, row)
        gather(B, 0, bases, at, row)
        point(at, r, end, line)
        copy(X, 0, one, 0, X.size)
        for d in range(1 << WINDOW):
            for k in range(8):
                entries[k] = at[k] + d * row
            scatter(table, entries, X, row)
            times(X, X, B, K, T)


@entry(ROWS, INTEGER, ROWS, ROWS)
def line_bases(bases: Words, lines: int, base: Words, K: Words) -> None:
    """Fill stored rows b^(2^(WINDOW r)) for r < lines; base: b in all lanes, Montgomery form."""
    limbs = limbs_of(K)
    X, T, D = scratch(16 * limbs), accumulators(K), scratch(16 * limbs)
    copy(X, 0, base, 0, X.size)
    for r in range(lines):
        for j in range(2 * limbs):
            bases[2 * limbs * r + j] = X[8 * j]
        for _ in range(WINDOW):
            square(X, X, K, T, D)


@device
def digit(exponents: NDArray[np.uint8], start: int, size: int, r: int) -> np.int64:
    """Return digit r of the little-endian number of `size` bytes at `start`."""
    b = (WINDOW * r) >> 3
    v = np.int64(0)
    for k in range(min(3, size - b)):  # WINDOW + 7 bits are in three bytes
        v |= np.int64(exponents[start + b + k]) << (8 * k)
    return (v >> ((WINDOW * r) & 7)) & ((1 << WINDOW) - 1)


@device
def choose(
    at: Integers, exponents: NDArray[np.uint8], size: int, first: int, end: int, r: int, row: int
) -> None:
    """Point at the entries of line r for exponents first, first + 1, ..."""
    for k in range(8):
        d = digit(exponents, min(first + k, end - 1) * size, size, r)
        at[k] = ((r << WINDOW) + d) * row


@entry(ROWS, ROWS, BYTES, INTEGER, READ_ONLY, INTEGER, INTEGER, INTEGER, ROWS)
def powers(
    out: Words,
    table: Words,
    exponents: NDArray[np.uint8],
    size: int,
    factors: Words,
    w: int,
    first: int,
    end: int,
    K: Words,
) -> None:
    """out = factor b^e for exponents of `size` bytes: wire rows; factors: wire rows."""
    limbs = limbs_of(K)
    row, lines = 2 * limbs, -(-8 * size // WINDOW)
    at, following = np.empty(8, np.int64), np.empty(8, np.int64)
    X, B, T, W = scratch(16 * limbs), scratch(16 * limbs), accumulators(K), scratch(16 * w)
    for i in range(first, end, 8):
        choose(at, exponents, size, i, end, 0, row)
        gather(X, 0, table, at, row)
        choose(at, exponents, size, i, end, min(1, lines - 1), row)
        for r in range(1, lines):
            gather(B, 0, table, at, row)
            if r + 1 < lines:
                choose(following, exponents, size, i, end, r + 1, row)
                for k in range(8):
                    at[k] = following[k]
                    expect(table, at[k], row)
            times(X, X, B, K, T)
        point(at, i, end, 2 * w)
        take_pair(B, limbs, factors, at, w, W)
        times(X, X, B, K, T)  # a factor in plain form: out of Montgomery form at once
        canonical(X, K, T)
        put_pair(out, at, w, X, limbs, W)
