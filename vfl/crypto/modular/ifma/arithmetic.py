"""Products of pairs, eight at a time, in Montgomery form.

A modulus M of l limbs of 52 bits, R = 2^(52 l), and pairs x = x0 + x1 M.  With the quotient t of an
ordinary Montgomery step, x0 y0 + t M = r0 R, and since R is invertible modulo M^2,

    x y / R = r0 + M [(x0 y1 + x1 y0 - t) / R mod M]    (mod M^2)

so `times` is two reductions and three products of l limbs, 5 l^2 limb products, where one product
modulo M^2 takes 8 l^2.  The step gives t limb by limb anyhow.  To subtract it, C - t is added, with
C a multiple of M, 4 R <= C < 5 R, whose limbs are all at least 2^52 - 1: no limb of it borrows.

Exactness.  Limbs of operands are below 2^52.  Carries wait until the end: while it moves down, an
accumulator takes at most six numbers below 2^52 for each of l limbs, a carry below 2^12 for each, and
one limb of C, below 2^56: less than 2^64 where l <= 512.

Sizes.  R >= 2^16 M, and r0 < M + x0 y0 / R, r1 < M + (x0 y1 + x1 y0) / R + 5.  So, of all four numbers,

    x, y < 16 M            gives r0, r1 < M + M/128 + 5
    x < R, y < M           gives r0 < 2 M, r1 < 3 M + 5
    x < 16 M, y < R/2^16   gives r0, r1 < M + M/2^11 + 5
    x < 16 M, y = 1        gives r0 <= M, r1 <= M + 6

and M >= 64 keeps each below 16 M, and all but the second below 2 M - 1.  Numbers of w words, the bytes
of the seam, are below R/2^16.

In memory eight pairs lie lane by lane: limb k of lane j at [8 k + j], x0 first, 16 l words; l is a
multiple of four.  K holds M, then C, then -1/M mod 2^52 in this order, 8 (2 l + 1) words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.compiled import device
from vfl.crypto.modular.ifma.lanes import (
    always_inlined,
    broadcast,
    floor_shift,
    load,
    never_inlined,
    prefetch,
    store,
)
from vfl.crypto.modular.ifma.windows import (
    ROWS_AT_ONCE,
    five,
    four,
    plus,
    reduced,
    shifted,
    store_windows,
)
from vfl.crypto.modular.ifma.windows import (
    Words as Words,
)

Integers = NDArray[np.int64]

LIMB = 52
MASK = np.uint64((1 << LIMB) - 1)


@device
def limbs_of(K: Words) -> int:
    """Return l."""
    return K.size >> 4


@device
def carried(r: Words, start: int, T: Words, t: int, limbs: int) -> None:
    """r[start:] = the l limbs at T[t:] with carries propagated, modulo R."""
    c = broadcast(0)
    mask = broadcast(MASK)
    for j in range(limbs):
        c = load(T, t + 8 * j) + c
        store(r, start + 8 * j, c & mask)
        c = c >> 52


@device
def carried_pair(r: Words, T: Words, words: int) -> None:
    """r = the pair of 2 `words` words in the halves of T with carries propagated, both modulo R."""
    c, d, mask = broadcast(0), broadcast(0), broadcast(MASK)
    o = T.size >> 1
    for j in range(0, words, 8):
        c, d = load(T, j) + c, load(T, o + j) + d
        store(r, j, c & mask)
        store(r, words + j, d & mask)
        c, d = c >> 52, d >> 52


@device
def clear(T: Words, words: int) -> None:
    """T[:words] = 0."""
    for j in range(0, words, 8):
        store(T, j, broadcast(0))


@device
def accumulators(K: Words) -> Words:
    """Return T, scratch for `times` and `square`: two numbers of l + 5 limbs."""
    return scratch(16 * (limbs_of(K) + ROWS_AT_ONCE + 1))


@device
def expect_lines(rows: Words, at: Integers | None, start: int) -> None:
    """Ask for one cache line of each of eight rows: all their lines at once would wait for each other."""
    always_inlined()
    if at is not None:
        for k in range(8):
            prefetch(rows, at[k] + start)


@device
def product(r: Words, x: Words, y: Words, K: Words, T: Words, rows: Words, at: Integers | None) -> None:
    """r = x y / R, while stored rows come into the first cache."""
    always_inlined()
    h, o = 8 * limbs_of(K), T.size >> 1  # where second halves start in pairs, in T
    inverse = load(K, 2 * h)
    clear(T, T.size)
    a, b, m = four(x, 0), four(x, h), four(K, 0)
    for i in range(0, h, 32):
        expect_lines(rows, at, i >> 2)
        y0, y1, C = four(y, i), four(y, h + i), four(K, h + i)
        c, d = plus(five(T, 0), y0[0], a), plus(plus(five(T, o), y1[0], a), y0[0], b)
        c, d, q_0, s_0 = reduced(c, d, m, C[0], inverse, T, 40)
        c, d = plus(c, y0[1], a), plus(plus(d, y1[1], a), y0[1], b)
        c, d, q_1, s_1 = reduced(c, d, m, C[1], inverse, T, 48)
        c, d = plus(c, y0[2], a), plus(plus(d, y1[2], a), y0[2], b)
        c, d, q_2, s_2 = reduced(c, d, m, C[2], inverse, T, 56)
        c, d = plus(c, y0[3], a), plus(plus(d, y1[3], a), y0[3], b)
        c, d, q_3, s_3 = reduced(c, d, m, C[3], inverse, T, 64)
        q, s = (q_0, q_1, q_2, q_3), (s_0, s_1, s_2, s_3)
        for j in range(32, h, 8):
            a_j, b_j, m_j = load(x, j), load(x, h + j), load(K, j)
            c = plus(plus(c, a_j, y0), m_j, q)
            d = plus(plus(plus(d, a_j, y1), b_j, y0), m_j, s)
            store(T, j - 32, c[0])
            store(T, o + j - 32, d[0])
            c, d = shifted(c, load(T, j + 40)), shifted(d, load(T, o + j + 40))
        store_windows(T, h - 32, c, d)
    carried_pair(r, T, h)


@device
def times(r: Words, x: Words, y: Words, K: Words, T: Words) -> None:
    """r = x y / R; r may be x or y."""
    never_inlined()
    product(r, x, y, K, T, K, None)


@device
def times_ahead(r: Words, x: Words, y: Words, K: Words, T: Words, rows: Words, at: Integers) -> None:
    """r = x y / R, while the stored rows that start at rows[at] come into the first cache."""
    never_inlined()
    product(r, x, y, K, T, rows, at)


@device
def product_by_number(
    r: Words, x: Words, y: Words, K: Words, T: Words, rows: Words, at: Integers | None
) -> None:
    """r = x y0 / R: 4 l^2, while stored rows come into the first cache."""
    always_inlined()
    h, o = 8 * limbs_of(K), T.size >> 1
    inverse = load(K, 2 * h)
    clear(T, T.size)
    a, b, m = four(x, 0), four(x, h), four(K, 0)
    for i in range(0, h, 32):
        expect_lines(rows, at, i >> 2)
        y0, C = four(y, i), four(K, h + i)
        c, d = plus(five(T, 0), y0[0], a), plus(five(T, o), y0[0], b)
        c, d, q_0, s_0 = reduced(c, d, m, C[0], inverse, T, 40)
        c, d, q_1, s_1 = reduced(plus(c, y0[1], a), plus(d, y0[1], b), m, C[1], inverse, T, 48)
        c, d, q_2, s_2 = reduced(plus(c, y0[2], a), plus(d, y0[2], b), m, C[2], inverse, T, 56)
        c, d, q_3, s_3 = reduced(plus(c, y0[3], a), plus(d, y0[3], b), m, C[3], inverse, T, 64)
        q, s = (q_0, q_1, q_2, q_3), (s_0, s_1, s_2, s_3)
        for j in range(32, h, 8):
            a_j, b_j, m_j = load(x, j), load(x, h + j), load(K, j)
            c, d = plus(plus(c, a_j, y0), m_j, q), plus(plus(d, b_j, y0), m_j, s)
            store(T, j - 32, c[0])
            store(T, o + j - 32, d[0])
            c, d = shifted(c, load(T, j + 40)), shifted(d, load(T, o + j + 40))
        store_windows(T, h - 32, c, d)
    carried_pair(r, T, h)


@device
def times_number(r: Words, x: Words, y: Words, K: Words, T: Words) -> None:
    """r = x y0 / R, where y is a number y0 of l limbs, or a pair of which only y0 counts; r may be x."""
    never_inlined()
    product_by_number(r, x, y, K, T, K, None)


@device
def times_number_ahead(r: Words, x: Words, y: Words, K: Words, T: Words, rows: Words, at: Integers) -> None:
    """r = x y0 / R, while the stored rows that start at rows[at] come into the first cache."""
    never_inlined()
    product_by_number(r, x, y, K, T, rows, at)


@device
def doubled(D: Words, x: Words, words: int) -> None:
    """D = 2 x0, 2 x1 with carries propagated."""
    c, d = broadcast(0), broadcast(0)
    mask = broadcast(MASK)
    for j in range(0, words, 8):
        c, d = (load(x, j) << 1) + c, (load(x, words + j) << 1) + d
        store(D, j, c & mask)
        store(D, words + j, d & mask)
        c, d = c >> 52, d >> 52


@device
def square_of_four(T: Words, x: Words) -> None:
    """T = the square of the lowest four limbs of x."""
    always_inlined()
    a, zero = four(x, 0), broadcast(0)
    c = (zero, zero, zero, zero, zero)
    for k in range(0, 32, 8):
        c = plus(c, load(x, k), a)
        store(T, k, c[0])
        c = shifted(c, zero)
    for k in range(4):
        store(T, 32 + 8 * k, c[k])


@device
def square(r: Words, x: Words, K: Words, T: Words, D: Words) -> None:
    """r = x^2 / R: 3.5 l^2, with x0 (2 x1), and in x0^2 four limbs by themselves and by twice those above.

    D: scratch of 16 l words.
    """
    never_inlined()
    h, o = 8 * limbs_of(K), T.size >> 1
    inverse, mask = load(K, 2 * h), broadcast(MASK)
    clear(T, T.size)
    square_of_four(T, x)
    doubled(D, x, h)
    b, m = four(D, h), four(K, 0)
    for i in range(0, h, 32):
        y, C = four(x, i), four(K, h + i)
        for k in range(4):
            store(D, i + 8 * k, y[k])
        if i + 32 < h:  # twice the limbs above, without what is carried from y
            store(D, i + 32, (load(x, i + 32) << 1) & mask)
        c, d = five(T, 0), plus(five(T, o), y[0], b)
        c, d, q_0, s_0 = reduced(c, d, m, C[0], inverse, T, 40)
        c, d, q_1, s_1 = reduced(c, plus(d, y[1], b), m, C[1], inverse, T, 48)
        c, d, q_2, s_2 = reduced(c, plus(d, y[2], b), m, C[2], inverse, T, 56)
        c, d, q_3, s_3 = reduced(c, plus(d, y[3], b), m, C[3], inverse, T, 64)
        q, s = (q_0, q_1, q_2, q_3), (s_0, s_1, s_2, s_3)
        for j in range(32, i, 8):
            b_j, m_j = load(D, h + j), load(K, j)
            c, d = plus(c, m_j, q), plus(plus(d, b_j, y), m_j, s)
            store(T, j - 32, c[0])
            store(T, o + j - 32, d[0])
            c, d = shifted(c, load(T, j + 40)), shifted(d, load(T, o + j + 40))
        for j in range(max(32, i), h, 8):
            a_j, b_j, m_j = load(D, j), load(D, h + j), load(K, j)
            c, d = plus(plus(c, a_j, y), m_j, q), plus(plus(d, b_j, y), m_j, s)
            store(T, j - 32, c[0])
            store(T, o + j - 32, d[0])
            c, d = shifted(c, load(T, j + 40)), shifted(d, load(T, o + j + 40))
        store_windows(T, h - 32, c, d)
    carried_pair(r, T, h)


@device
def less_modulus(X: Words, start: int, K: Words, T: Words, one: int) -> None:
    """X[start:] -= M in lanes where it is at least M; there the limb at X[one:] gains 1, if one >= 0."""
    never_inlined()
    limbs = limbs_of(K)
    mask, c = broadcast(MASK), broadcast(0)
    for j in range(limbs):
        c = load(X, start + 8 * j) - load(K, 8 * j) + c
        store(T, 8 * j, c & mask)
        c = floor_shift(c, 52)
    keep = c  # all ones where X < M, zero where X >= M
    for j in range(limbs):
        t = load(T, 8 * j)
        store(X, start + 8 * j, t ^ (keep & (t ^ load(X, start + 8 * j))))
    if one >= 0:
        store(X, one, load(X, one) + keep + broadcast(1))


@device
def canonical(X: Words, K: Words, T: Words) -> None:
    """X, a pair with both numbers below 2 M - 1, with both in [0, M)."""
    h = 8 * limbs_of(K)
    less_modulus(X, 0, K, T, h)  # x0 - M goes with x1 + 1
    carried(X, h, X, h, limbs_of(K))
    less_modulus(X, h, K, T, -1)


@device
def copy(target: Words, t: int, source: Words, s: int, words: int) -> None:
    """target[t : t + words] = source[s : s + words], a multiple of eight."""
    for j in range(0, words, 8):
        store(target, t + j, load(source, s + j))


@device
def scratch(words: int) -> Words:
    """Return an array that starts on a cache line.

    numpy's own start at 16 modulo 64, and then every load of eight lanes touches two lines: up to 1.5
    times as slow, and not alike from run to run.
    """
    never_inlined()
    raw = np.empty(words + 8, np.uint64)
    skip = ((64 - (raw.ctypes.data & 63)) & 63) >> 3
    return raw[skip : skip + words]
