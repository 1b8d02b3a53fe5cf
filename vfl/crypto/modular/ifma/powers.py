"""Kernels: products of signed powers, row by row, and the inverses they need.

With exponents e in two's complement, -2^t <= e < 2^t, and e' their low t bits,

    prod_j c_j^(e_j) = (prod_(e_j < 0) c_j)^(-2^t) prod_j c_j^(e'_j)

The inverse stands first and is squared t times with the rest, which costs nothing.  Bases are taken in
groups of `group`, each with a table of all its 2^group products (Straus 1964).
"""

from __future__ import annotations

import numpy as np

from vfl.crypto.modular.ifma.arithmetic import Words, accumulators, copy, limbs_of, scratch, square, times
from vfl.crypto.modular.ifma.compiled import INTEGER, ROWS, SIGNED, device, entry
from vfl.crypto.modular.ifma.rows import Integers, gather, point, scatter


@device
def bases_at(at: Integers, first: int, end: int, q: int, j: int, row: int) -> None:
    """Point at base j of rows first, first + 1, ..., which hold q bases each."""
    for k in range(8):
        at[k] = (min(first + k, end - 1) * q + j) * row


@entry(ROWS, ROWS, ROWS, SIGNED, INTEGER, INTEGER, INTEGER, ROWS, ROWS)
def negatives(
    bottoms: Words,
    running: Words,
    c: Words,
    e: Integers,
    q: int,
    first: int,
    end: int,
    one: Words,
    K: Words,
) -> None:
    """bottoms[i] = the product of those of the q bases of row first + i whose exponent is negative.

    running[i] = the product of bottoms[i], bottoms[i - 8], ...  Both have whole eights of rows.
    """
    row = 2 * limbs_of(K)
    X, B, P, T = scratch(8 * row), scratch(8 * row), scratch(8 * row), accumulators(K)
    at = np.empty(8, np.int64)
    copy(P, 0, one, 0, P.size)
    for i in range(first, end, 8):
        for j in range(q):
            bases_at(at, i, end, q, j, row)
            gather(B, 0, c, at, row)
            for k in range(8):
                if e[min(i + k, end - 1) * q + j] >= 0:
                    for b in range(k, 8 * row, 8):
                        B[b] = one[b]
            if j == 0:
                copy(X, 0, B, 0, X.size)
            else:
                times(X, X, B, K, T)
        times(P, P, X, K, T)
        point(at, i - first, i - first + 8, row)
        scatter(bottoms, at, X, row)
        scatter(running, at, P, row)


@entry(ROWS, ROWS, ROWS, INTEGER, ROWS)
def inverses(bottoms: Words, running: Words, totals: Words, rows: int, K: Words) -> None:
    """bottoms[i] = 1 / bottoms[i], from the inverses of the last eight of `running` (Montgomery's trick)."""
    row = 2 * limbs_of(K)
    X, B, C, T = scratch(8 * row), scratch(8 * row), scratch(8 * row), accumulators(K)
    at, before = np.empty(8, np.int64), np.empty(8, np.int64)
    point(at, 0, 8, row)
    gather(X, 0, totals, at, row)
    for i in range(rows - 8, 0, -8):
        point(at, i, rows, row)
        point(before, i - 8, rows, row)
        gather(B, 0, bottoms, at, row)
        gather(C, 0, running, before, row)
        times(C, X, C, K, T)
        scatter(bottoms, at, C, row)
        times(X, X, B, K, T)
    point(at, 0, 8, row)
    scatter(bottoms, at, X, row)


@device
def fill_table(
    table: Words,
    start: int,
    c: Words,
    at: Integers,
    bases: int,
    one: Words,
    K: Words,
    X: Words,
    B: Words,
    T: Words,
    entries: Integers,
) -> None:
    """table[start + d] = the product of the bases whose bits are set in d, as eight stored rows.

    Base b is at[] + b rows.
    """
    row = 2 * limbs_of(K)
    point_at_entry(entries, start, 0, row)
    scatter(table, entries, one, row)
    for b in range(bases):
        gather(B, 0, c, at, row)
        point_at_entry(entries, start, 1 << b, row)
        scatter(table, entries, B, row)
        for d in range(1, 1 << b):
            point_at_entry(entries, start, d, row)
            gather(X, 0, table, entries, row)
            times(X, X, B, K, T)
            point_at_entry(entries, start, (1 << b) + d, row)
            scatter(table, entries, X, row)
        for k in range(8):
            at[k] += row


@device
def point_at_entry(entries: Integers, start: int, d: int, row: int) -> None:
    """Point at the eight rows of entry d of a table."""
    for k in range(8):
        entries[k] = start + (8 * d + k) * row


@device
def choose(
    entries: Integers,
    start: int,
    e: Integers,
    q: int,
    j: int,
    bases: int,
    t: int,
    first: int,
    end: int,
    row: int,
) -> None:
    """Point at each row's entry for its bits t of the exponents of bases j, j + 1, ..."""
    for k in range(8):
        d = 0
        for b in range(bases):
            d |= ((e[min(first + k, end - 1) * q + j + b] >> t) & 1) << b
        entries[k] = start + (8 * d + k) * row


@entry(ROWS, ROWS, SIGNED, INTEGER, INTEGER, INTEGER, ROWS, INTEGER, INTEGER, ROWS, ROWS)
def powers(
    out: Words,
    c: Words,
    e: Integers,
    q: int,
    bits: int,
    group: int,
    inverse: Words,
    first: int,
    end: int,
    one: Words,
    K: Words,
) -> None:
    """out[i] = inverse[i - first]^(2^bits) times the powers of the q bases of row i to the low bits of e."""
    row = 2 * limbs_of(K)
    pair, groups = 8 * row, -(-q // group)
    table = scratch((groups * pair) << group)
    X, B, T, D = scratch(pair), scratch(pair), accumulators(K), scratch(pair)
    at, entries = np.empty(8, np.int64), np.empty(8, np.int64)
    for i in range(first, end, 8):
        for g in range(groups):
            bases_at(at, i, end, q, g * group, row)
            fill_table(table, (g * pair) << group, c, at, min(group, q - g * group), one, K, X, B, T, entries)
        point(at, i - first, i - first + 8, row)
        gather(X, 0, inverse, at, row)
        for t in range(bits - 1, -1, -1):
            square(X, X, K, T, D)
            for g in range(groups):
                j = g * group
                choose(entries, (g * pair) << group, e, q, j, min(group, q - j), t, i, end, row)
                gather(B, 0, table, entries, row)
                times(X, X, B, K, T)
        point(at, i, end, row)
        scatter(out, at, X, row)
