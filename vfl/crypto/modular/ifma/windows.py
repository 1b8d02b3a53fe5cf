"""Four rows of products at a time, in windows over the columns of their sums.

A product a y + m q + ... is taken four limbs of y and q at a time.  A window of five limbs of the sum
moves over its columns; those of y and q stay in registers, and a step loads one limb of a, of m and of
the sum.  For a pair that is forty multiplications for five loads: the CPU does two multiplications in
a cycle, but no more than 1.7 loads.  The lowest four columns come first, since they give the quotients.

T holds two sums, each in one half, of l + 5 limbs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.compiled import device
from vfl.crypto.modular.ifma.lanes import always_inlined, broadcast, high, load, low, store

Words = NDArray[np.uint64]
Lanes = Any
Four = tuple[Lanes, Lanes, Lanes, Lanes]
Five = tuple[Lanes, Lanes, Lanes, Lanes, Lanes]

ROWS_AT_ONCE = 4
"""l is a multiple of it."""


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
def store_windows(T: Words, start: int, c: Five, d: Five) -> None:
    """T = the lowest four limbs of two windows, the first at T[start:], the second half of T further."""
    always_inlined()
    o = T.size >> 1
    for k in range(4):
        store(T, start + 8 * k, c[k])
        store(T, o + start + 8 * k, d[k])
