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

Sizes.  R >= 2^16 M.  Let x and y be below 16 M (all four numbers), or x below R and y below M.  Then
r0 < M + x0 y0 / R and r1 < M + (x0 y1 + x1 y0) / R + 5, so

    below 16 M         gives r0, r1 < M + M/128 + 5
    x < R, y < M       gives r0 < 2 M, r1 < 3 M + 5
    x < 16 M, y = 1    gives r0 <= M, r1 <= M + 6

and M >= 64 keeps each below 16 M, and the first and the last below 2 M - 1.

In memory eight pairs lie lane by lane: limb k of lane j at [8 k + j], x0 first, 16 l words.  K holds M,
then C, then -1/M mod 2^52 in this order, 8 (2 l + 1) words.  T is scratch of 16 (l + 1) words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.compiled import device
from vfl.crypto.modular.ifma.lanes import broadcast, floor_shift, high, load, low, never_inlined, store

Words = NDArray[np.uint64]

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
def clear(T: Words, words: int) -> None:
    """T[:words] = 0."""
    for j in range(0, words, 8):
        store(T, j, broadcast(0))


@device
def times(r: Words, x: Words, y: Words, K: Words, T: Words) -> None:
    """r = x y / R; r may be x or y."""
    never_inlined()
    limbs = limbs_of(K)
    h, o = 8 * limbs, 8 * (limbs + 1)  # where second halves start in pairs, in T
    zero, negative_inverse = broadcast(0), load(K, 2 * h)
    clear(T, 2 * o)
    for i in range(limbs):
        y0, y1 = load(y, 8 * i), load(y, h + 8 * i)
        a, b, m = load(x, 0), load(x, h), load(K, 0)
        t = low(load(T, 0), a, y0)
        u = low(low(load(T, o), a, y1), b, y0)
        q = low(zero, t, negative_inverse)  # the limb of t, and below that of the second reduction
        u = u + (load(K, h + 8 * i) - q)
        s = low(zero, u, negative_inverse)
        t, u = low(t, m, q), low(u, m, s)  # low limbs are now zero
        c = high(high(load(T, 8) + (t >> 52), a, y0), m, q)
        d = high(high(high(load(T, o + 8) + (u >> 52), a, y1), b, y0), m, s)
        for j in range(1, limbs):
            a, b, m = load(x, 8 * j), load(x, h + 8 * j), load(K, 8 * j)
            store(T, 8 * (j - 1), low(low(c, a, y0), m, q))
            store(T, o + 8 * (j - 1), low(low(low(d, a, y1), b, y0), m, s))
            c = high(high(load(T, 8 * (j + 1)), a, y0), m, q)
            d = high(high(high(load(T, o + 8 * (j + 1)), a, y1), b, y0), m, s)
        store(T, h - 8, c)
        store(T, o + h - 8, d)
    carried(r, 0, T, 0, limbs)
    carried(r, h, T, o, limbs)


@device
def square(r: Words, x: Words, K: Words, T: Words, D: Words) -> None:
    """r = x^2 / R, with x0 (2 x1) for both cross products: 4 l^2.  D: scratch of 8 l words for 2 x1."""
    never_inlined()
    limbs = limbs_of(K)
    h, o = 8 * limbs, 8 * (limbs + 1)
    zero, negative_inverse = broadcast(0), load(K, 2 * h)
    clear(T, 2 * o)
    for j in range(limbs):
        store(D, 8 * j, load(x, h + 8 * j) << 1)
    carried(D, 0, D, 0, limbs)
    for i in range(limbs):
        y0, y1 = load(x, 8 * i), load(D, 8 * i)
        a, m = load(x, 0), load(K, 0)
        t = low(load(T, 0), a, y0)
        u = low(load(T, o), a, y1)
        q = low(zero, t, negative_inverse)
        u = u + (load(K, h + 8 * i) - q)
        s = low(zero, u, negative_inverse)
        t, u = low(t, m, q), low(u, m, s)
        c = high(high(load(T, 8) + (t >> 52), a, y0), m, q)
        d = high(high(load(T, o + 8) + (u >> 52), a, y1), m, s)
        for j in range(1, limbs):
            a, m = load(x, 8 * j), load(K, 8 * j)
            store(T, 8 * (j - 1), low(low(c, a, y0), m, q))
            store(T, o + 8 * (j - 1), low(low(d, a, y1), m, s))
            c = high(high(load(T, 8 * (j + 1)), a, y0), m, q)
            d = high(high(load(T, o + 8 * (j + 1)), a, y1), m, s)
        store(T, h - 8, c)
        store(T, o + h - 8, d)
    carried(r, 0, T, 0, limbs)
    carried(r, h, T, o, limbs)


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
