"""Products of pairs, eight at a time, in Montgomery form.

A modulus M of l limbs of 52 bits, R = 2^(52 l), and pairs x = x0 + x1 M.  With the quotient t of an
ordinary Montgomery step, x0 y0 + t M = r0 R, and since R is invertible modulo M^2,

    x y / R = r0 + M [(x0 y1 + x1 y0 - t) / R mod M]    (mod M^2)

so `times` is two reductions and three products of l limbs, 5 l^2 limb products, where one product
modulo M^2 takes 8 l^2.  The step gives t limb by limb anyhow.  To subtract it, C - t is added, with
C a multiple of M, 4 R <= C < 5 R, whose limbs are all at least 2^52 - 1: no limb of it borrows.

Order.  Rows y_i x go four at a time.  A window of five limbs of the sum moves over its columns: while
four limbs of y and of both quotients stay in registers, a step loads one limb of x0, x1, M and of both
sums and does forty multiplications.  The CPU does two of those in a cycle but loads less than that.
The lowest four columns come first, since they give the quotients.

Exactness.  Limbs of operands are below 2^52.  Carries wait until the end: while it moves down, an
accumulator takes at most six numbers below 2^52 for each of l limbs, a carry below 2^12 for each, and
one limb of C, below 2^56: less than 2^64 where l <= 512.

Sizes.  R >= 2^16 M.  Let x and y be below 16 M (all four numbers), or x below R and y below M.  Then
r0 < M + x0 y0 / R and r1 < M + (x0 y1 + x1 y0) / R + 5, so

    below 16 M         gives r0, r1 < M + M/128 + 5
    x < R, y < M       gives r0 < 2 M, r1 < 3 M + 5
    x < 16 M, y = 1    gives r0 <= M, r1 <= M + 6

and M >= 64 keeps each below 16 M, and the first and the last below 2 M - 1.

In memory eight pairs lie lane by lane: limb k of lane j at [8 k + j], x0 first, 16 l words; l is a
multiple of four.  K holds M, then C, then -1/M mod 2^52 in this order, 8 (2 l + 1) words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.compiled import device
from vfl.crypto.modular.ifma.lanes import (
    always_inlined,
    broadcast,
    floor_shift,
    high,
    load,
    low,
    never_inlined,
    store,
)

Words = NDArray[np.uint64]
Lanes = Any
Four = tuple[Lanes, Lanes, Lanes, Lanes]
Five = tuple[Lanes, Lanes, Lanes, Lanes, Lanes]

LIMB = 52
ROWS_AT_ONCE = 4
"""l is a multiple of it."""

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
def four(x: Words, start: int) -> Four:
    """Return four limbs."""
    always_inlined()
    return load(x, start), load(x, start + 8), load(x, start + 16), load(x, start + 24)


@device
def five(x: Words, start: int) -> Five:
    """Return five limbs."""
    always_inlined()
    a, b, c, d = four(x, start)
    return a, b, c, d, load(x, start + 32)


@device
def plus(c: Five, a: Lanes, y: Four) -> Five:
    """c += a y, four limbs by one; c loses no carry, its limbs grow."""
    always_inlined()
    return (
        low(c[0], a, y[0]),
        high(low(c[1], a, y[1]), a, y[0]),
        high(low(c[2], a, y[2]), a, y[1]),
        high(low(c[3], a, y[3]), a, y[2]),
        high(c[4], a, y[3]),
    )


@device
def shifted(c: Five, following: Lanes) -> Five:
    """Return the window one limb further."""
    always_inlined()
    return c[1], c[2], c[3], c[4], following


@device
def reduced(
    c: Five, d: Five, m: Four, C: Lanes, negative_inverse: Lanes, T: Words, k: int
) -> tuple[Five, Five, Lanes, Lanes]:
    """One row of both reductions: (c + m q) / 2^52, (d + C - q + m s) / 2^52, and q, s.

    The limbs that come into the windows are those at T[k:] and at T[T.size / 2 + k:].
    """
    always_inlined()
    q = low(broadcast(0), c[0], negative_inverse)
    u = d[0] + (C - q)
    s = low(broadcast(0), u, negative_inverse)
    c, d = plus(c, q, m), plus((u, d[1], d[2], d[3], d[4]), s, m)
    c = c[1] + (c[0] >> 52), c[2], c[3], c[4], load(T, k)
    d = d[1] + (d[0] >> 52), d[2], d[3], d[4], load(T, (T.size >> 1) + k)
    return c, d, q, s


@device
def times(r: Words, x: Words, y: Words, K: Words, T: Words) -> None:
    """r = x y / R; r may be x or y."""
    never_inlined()
    h, o = 8 * limbs_of(K), T.size >> 1  # where second halves start in pairs, in T
    inverse = load(K, 2 * h)
    clear(T, T.size)
    a, b, m = four(x, 0), four(x, h), four(K, 0)
    for i in range(0, h, 32):
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
        for k in range(4):
            store(T, h - 32 + 8 * k, c[k])
            store(T, o + h - 32 + 8 * k, d[k])
    carried_pair(r, T, h)


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
        for k in range(4):
            store(T, h - 32 + 8 * k, c[k])
            store(T, o + h - 32 + 8 * k, d[k])
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
