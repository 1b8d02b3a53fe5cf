"""Kernels: powers of one base, by windows of the exponent (Brickell, Gordon, McCurley and Wilson 1992).

T[r][d] = b^(d 2^(WINDOW r)),    b^e = prod_r T[r][digit r of e]

Differs from the paper: t = t0 + t1 M stands in the table as t0 and the slope s = t1 / t0 mod M, since
t = t0 (1 + s M) and (1 + s M) (1 + s' M) = 1 + (s + s') M modulo M^2.  So slopes are added, their sum is
multiplied in at the end, and a product by t0 takes 4 l^2 where one by a pair takes 5 l^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.arithmetic import (
    Words,
    accumulators,
    canonical,
    carried,
    clear,
    copy,
    limbs_of,
    scratch,
    square,
    times,
    times_number,
    times_number_ahead,
)
from vfl.crypto.modular.ifma.compiled import BYTES, INTEGER, READ_ONLY, ROWS, device, entry
from vfl.crypto.modular.ifma.lanes import load, store
from vfl.crypto.modular.ifma.rows import Integers, gather, point, put_pair, scatter, take_pair

WINDOW = 10
"""103 products for 1024 bits from 67 MB at 2048 bits; 12 would be 16 % fewer from four times as much."""

MOST_BYTES = 1 << 12
"""Exponents of this size are 3277 digits, and the sum of so many slopes is below R / 2^4."""


@entry(ROWS, INTEGER, INTEGER, ROWS, ROWS, ROWS, ROWS)
def build(table: Words, first: int, end: int, bases: Words, inverses: Words, one: Words, K: Words) -> None:
    """Fill lines first, ..., end - 1 of the table: t0 and s R modulo M.

    bases, inverses: stored rows b^(2^(WINDOW r)) and b^-(2^(WINDOW r)), one for each line.  With a power
    t R = x0 + x1 M and v = R / t mod M, the first number of its inverse, x1 v / R = x1 / (t R) R = s R.
    """
    limbs = limbs_of(K)
    row, line, half = 2 * limbs, 2 * limbs << WINDOW, 8 * limbs
    at, entries = np.empty(8, np.int64), np.empty(8, np.int64)
    X, B, T = scratch(16 * limbs), scratch(16 * limbs), accumulators(K)
    V, J, S = scratch(16 * limbs), scratch(16 * limbs), scratch(16 * limbs)
    for r in range(first, end, 8):
        point(at, r, end, row)
        gather(B, 0, bases, at, row)
        gather(J, 0, inverses, at, row)
        point(at, r, end, line)
        copy(X, 0, one, 0, X.size)
        copy(V, 0, one, 0, X.size)
        for d in range(1 << WINDOW):
            clear(S, S.size)
            copy(S, 0, X, half, half)
            times_number(S, S, V, K, T)
            copy(S, half, S, 0, half)
            copy(S, 0, X, 0, half)
            for k in range(8):
                entries[k] = at[k] + d * row
            scatter(table, entries, S, row)
            times(X, X, B, K, T)
            times_number(V, V, J, K, T)


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


@device
def add_slopes(sums: Words, table: Words, at: Integers, limbs: int) -> None:
    """sums += the eight rows of the table, in whole cache lines; only slopes are of use."""
    for k in range(8):
        for j in range(limbs & ~7, 2 * limbs, 8):
            i = 2 * limbs * k + j
            store(sums, i, load(sums, i) + load(table, at[k] + j))


@device
def times_slopes(X: Words, sums: Words, one: Words, K: Words, T: Words, B: Words) -> None:
    """X *= 1 + s M, s the sum of fewer than 2^12 slopes below 2 M, so that X0 s / R is below M / 2^2."""
    limbs = limbs_of(K)
    at = np.empty(8, np.int64)
    point(at, 0, 8, 2 * limbs)
    gather(B, 0, sums, at, 2 * limbs)
    copy(B, 0, one, 0, 8 * limbs)
    for j in range(8 * limbs, 16 * limbs, 8):
        store(B, j, load(B, j) + load(one, j))
    carried(B, 8 * limbs, B, 8 * limbs, limbs)
    times(X, X, B, K, T)


@entry(ROWS, ROWS, BYTES, INTEGER, READ_ONLY, INTEGER, INTEGER, INTEGER, ROWS, ROWS)
def powers(
    out: Words,
    table: Words,
    exponents: NDArray[np.uint8],
    size: int,
    factors: Words,
    w: int,
    first: int,
    end: int,
    one: Words,
    K: Words,
) -> None:
    """out = factor b^e for exponents of `size` bytes: wire rows; factors: wire rows."""
    limbs = limbs_of(K)
    row, lines = 2 * limbs, -(-8 * size // WINDOW)
    at, following = np.empty(8, np.int64), np.empty(8, np.int64)
    X, B, T, W = scratch(16 * limbs), scratch(16 * limbs), accumulators(K), scratch(16 * w)
    sums = scratch(16 * limbs)
    for i in range(first, end, 8):
        choose(at, exponents, size, i, end, 0, row)
        clear(X, X.size)
        clear(sums, sums.size)
        gather(X, 0, table, at, limbs)
        add_slopes(sums, table, at, limbs)
        choose(at, exponents, size, i, end, min(1, lines - 1), row)
        for r in range(1, lines):
            gather(B, 0, table, at, limbs)
            add_slopes(sums, table, at, limbs)
            if r + 1 < lines:
                choose(following, exponents, size, i, end, r + 1, row)
                for k in range(8):
                    at[k] = following[k]
            times_number_ahead(X, X, B, K, T, table, at)
        times_slopes(X, sums, one, K, T, B)
        point(at, i, end, 2 * w)
        take_pair(B, limbs, factors, at, w, W)
        times(X, X, B, K, T)  # a factor in plain form: out of Montgomery form at once
        canonical(X, K, T)
        put_pair(out, at, w, X, limbs, W)
