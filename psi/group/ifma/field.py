"""Numbers modulo p = 2^255 - 19, eight at a time, in five limbs of 52 bits.

A `Number` is sum_k x_k 2^(52 k), its limbs in five registers.  It is

    tight    x_0, ..., x_3 below 2^52, and x_4 at most 2^47 + 2^12
    loose    the same, once the bits of x_0, ..., x_3 above the lowest 52 are cut off, which count no more
    wide     all limbs below 2^56

Factors are tight or loose, as multiplication takes 52 bits of a limb; `product` and `square` return what
is wide.  Sums and differences are of tight and wide numbers, and become tight by `carried` or, in fewer
steps, loose by `loosened`.

Exactness.  A column of a product is at most nine halves of products below 2^52; columns 5 to 9 are carried
among themselves, and come down times 608, as 2^260 = 608: two halves more in a column, below 2^56.  The
last is x_4 y_4 / 2^52 and a carry, below 2^42 + 2^11: 608 times that is below 2^52 and has no high half.
A difference adds 2^11 p, whose limbs are above 2^58 - 2^17, and takes off less.  Limbs below 2^63 are
carried: x_4 first gives what is above 2^255, at most 2^16, and takes less than 2^12 from x_3 at last.

Masks have all bits of a lane set, or none; no branch and no address depends on a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vfl.crypto.modular.ifma.arithmetic import Words
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

Number = tuple[Any, Any, Any, Any, Any]
"""Five limbs of eight lanes each, the lowest first."""

Limbs = tuple[np.uint64, np.uint64, np.uint64, np.uint64, np.uint64]

P = 2**255 - 19

LIMB = 52
MASK = np.uint64((1 << LIMB) - 1)
TOP = 255 - 4 * LIMB
TOP_MASK = np.uint64((1 << TOP) - 1)

WORDS = 40
"""Words of a number in memory: limb k of lane j at [8 k + j]."""

_BIAS_0 = np.uint64((1 << 58) - (19 << 11))
_BIAS = np.uint64((1 << 58) - (1 << 6))


def limbs(x: int) -> Limbs:
    """Return the limbs of x modulo p."""
    x0, x1, x2, x3, x4 = (np.uint64((x % P) >> (LIMB * k) & int(MASK)) for k in range(5))
    return x0, x1, x2, x3, x4


_ONE = limbs(1)
_ROOT_OF_MINUS_ONE = limbs(pow(2, (P - 1) // 4, P))


@device
def everywhere(x: Limbs) -> Number:
    """Return x in all lanes."""
    always_inlined()
    return broadcast(x[0]), broadcast(x[1]), broadcast(x[2]), broadcast(x[3]), broadcast(x[4])


@device
def one() -> Number:
    """Return 1."""
    always_inlined()
    return everywhere(_ONE)


@device
def root_of_minus_one() -> Number:
    """Return sqrt(-1), the one that is not negative."""
    always_inlined()
    return everywhere(_ROOT_OF_MINUS_ONE)


@device
def none() -> Number:
    """Return 0."""
    always_inlined()
    zero = broadcast(0)
    return zero, zero, zero, zero, zero


@device
def read(source: Words, at: int) -> Number:
    """Return the number at source[at:]."""
    always_inlined()
    return (
        load(source, at),
        load(source, at + 8),
        load(source, at + 16),
        load(source, at + 24),
        load(source, at + 32),
    )


@device
def write(target: Words, at: int, x: Number) -> None:
    """target[at:] = x."""
    always_inlined()
    store(target, at, x[0])
    store(target, at + 8, x[1])
    store(target, at + 16, x[2])
    store(target, at + 24, x[3])
    store(target, at + 32, x[4])


@device
def plus(x: Number, y: Number) -> Number:
    """Return x + y, not carried."""
    always_inlined()
    return x[0] + y[0], x[1] + y[1], x[2] + y[2], x[3] + y[3], x[4] + y[4]


@device
def minus(x: Number, y: Number) -> Number:
    """Return x - y, not carried; y is a sum of three wide numbers at most."""
    always_inlined()
    m0, m = broadcast(_BIAS_0), broadcast(_BIAS)
    return x[0] + (m0 - y[0]), x[1] + (m - y[1]), x[2] + (m - y[2]), x[3] + (m - y[3]), x[4] + (m - y[4])


@device
def loosened(x: Number) -> Number:
    """Return x, loose."""
    always_inlined()
    x0, x1, x2, x3, x4 = x
    x0 = low(x0, x4 >> 47, broadcast(19))
    x1 = x1 + (x0 >> 52)
    x2 = x2 + (x1 >> 52)
    x3 = x3 + (x2 >> 52)
    return x0, x1, x2, x3, (x4 & broadcast(TOP_MASK)) + (x3 >> 52)


@device
def carried(x: Number) -> Number:
    """Return x, tight."""
    always_inlined()
    x0, x1, x2, x3, x4 = loosened(x)
    mask = broadcast(MASK)
    return x0 & mask, x1 & mask, x2 & mask, x3 & mask, x4


@device
def _folded(low_half: Number, high_half: Number) -> Number:
    """Return columns 0 to 4 plus 2^260 times columns 5 to 9, wide."""
    always_inlined()
    z0, z1, z2, z3, z4 = low_half
    z5, z6, z7, z8, z9 = high_half
    fold = broadcast(608)
    z6 = z6 + (z5 >> 52)
    z7 = z7 + (z6 >> 52)
    z8 = z8 + (z7 >> 52)
    z9 = z9 + (z8 >> 52)
    return (
        low(z0, z5, fold),
        low(high(z1, z5, fold), z6, fold),
        low(high(z2, z6, fold), z7, fold),
        low(high(z3, z7, fold), z8, fold),
        low(high(z4, z8, fold), z9, fold),
    )


@device
def product(x: Number, y: Number) -> Number:
    """Return x y, wide."""
    always_inlined()
    x0, x1, x2, x3, x4 = x
    y0, y1, y2, y3, y4 = y
    zero = broadcast(0)
    z5 = high(high(high(high(high(zero, x0, y4), x1, y3), x2, y2), x3, y1), x4, y0)
    z5 = z5 + low(low(low(low(zero, x1, y4), x2, y3), x3, y2), x4, y1)
    z6 = low(low(low(high(high(high(high(zero, x1, y4), x2, y3), x3, y2), x4, y1), x2, y4), x3, y3), x4, y2)
    z7 = low(low(high(high(high(zero, x2, y4), x3, y3), x4, y2), x3, y4), x4, y3)
    z8 = low(high(high(zero, x3, y4), x4, y3), x4, y4)
    z9 = high(zero, x4, y4)
    z0 = low(zero, x0, y0)
    z1 = low(low(high(zero, x0, y0), x0, y1), x1, y0)
    z2 = low(low(low(high(high(zero, x0, y1), x1, y0), x0, y2), x1, y1), x2, y0)
    z3 = high(high(high(zero, x0, y2), x1, y1), x2, y0)
    z3 = low(low(low(low(z3, x0, y3), x1, y2), x2, y1), x3, y0)
    z4 = high(high(high(high(zero, x0, y3), x1, y2), x2, y1), x3, y0)
    z4 = low(low(low(low(low(z4, x0, y4), x1, y3), x2, y2), x3, y1), x4, y0)
    return _folded((z0, z1, z2, z3, z4), (z5, z6, z7, z8, z9))


@device
def square(x: Number) -> Number:
    """Return x^2, wide: each cross product once, doubled by the column."""
    always_inlined()
    x0, x1, x2, x3, x4 = x
    zero = broadcast(0)
    z5 = low(low(high(high(zero, x0, x4), x1, x3), x1, x4), x2, x3)
    z6 = low(high(high(zero, x1, x4), x2, x3), x2, x4)
    z7 = low(high(zero, x2, x4), x3, x4)
    z8 = high(zero, x3, x4)
    z1 = low(zero, x0, x1)
    z2 = low(high(zero, x0, x1), x0, x2)
    z3 = low(low(high(zero, x0, x2), x0, x3), x1, x2)
    z4 = low(low(high(high(zero, x0, x3), x1, x2), x0, x4), x1, x3)
    return _folded(
        (
            low(zero, x0, x0),
            high(z1 + z1, x0, x0),
            low(z2 + z2, x1, x1),
            high(z3 + z3, x1, x1),
            low(z4 + z4, x2, x2),
        ),
        (
            high(z5 + z5, x2, x2),
            low(z6 + z6, x3, x3),
            high(z7 + z7, x3, x3),
            low(z8 + z8, x4, x4),
            high(zero, x4, x4),
        ),
    )


@device
def times(x: Number, y: Number) -> Number:
    """Return x y, tight."""
    always_inlined()
    return carried(product(x, y))


@device
def squared(x: Number) -> Number:
    """Return x^2, tight."""
    always_inlined()
    return carried(square(x))


@device
def negated(x: Number) -> Number:
    """Return -x, tight."""
    always_inlined()
    return carried(minus(none(), x))


@device
def canonical(x: Number) -> Number:
    """Return the limbs of the number in [0, p) that x, tight, is."""
    always_inlined()
    x0, x1, x2, x3, x4 = x
    q = (x0 + broadcast(19)) >> 52
    q = (x4 + ((x3 + ((x2 + ((x1 + q) >> 52)) >> 52)) >> 52)) >> 47  # 1 where x >= p, as x < 2 p
    mask = broadcast(MASK)
    x0 = low(x0, q, broadcast(19))
    x1 = x1 + (x0 >> 52)
    x2 = x2 + (x1 >> 52)
    x3 = x3 + (x2 >> 52)
    x4 = x4 + (x3 >> 52)
    return x0 & mask, x1 & mask, x2 & mask, x3 & mask, x4 & broadcast(TOP_MASK)


@device
def zero_mask(x: Any) -> Any:
    """Return a mask of the lanes below 2^63 that are zero."""
    always_inlined()
    return floor_shift(x - broadcast(1), 63)


@device
def is_zero(x: Number) -> Any:
    """Return a mask of where x, tight, is 0 modulo p."""
    always_inlined()
    c = canonical(x)
    return zero_mask(c[0] | c[1] | c[2] | c[3] | c[4])


@device
def is_negative(x: Number) -> Any:
    """Return a mask of where x, tight, is odd in [0, p), which the standard calls negative."""
    always_inlined()
    return broadcast(0) - (canonical(x)[0] & broadcast(1))


@device
def chosen(mask: Any, x: Number, y: Number) -> Number:
    """Return x where the mask is set, y elsewhere."""
    always_inlined()
    return (
        y[0] ^ (mask & (x[0] ^ y[0])),
        y[1] ^ (mask & (x[1] ^ y[1])),
        y[2] ^ (mask & (x[2] ^ y[2])),
        y[3] ^ (mask & (x[3] ^ y[3])),
        y[4] ^ (mask & (x[4] ^ y[4])),
    )


@device
def absolute(x: Number) -> Number:
    """Return x or -x, whichever is not negative."""
    always_inlined()
    return chosen(is_negative(x), negated(x), x)


@device
def _power_of_two_times(x: Number, y: Number, n: int, u: Number, v: Number) -> tuple[Number, Number]:
    """Return x^(2^n) u and y^(2^n) v, loose."""
    always_inlined()
    for _ in range(n):
        x, y = loosened(square(x)), loosened(square(y))
    return loosened(product(x, u)), loosened(product(y, v))


@device
def almost_roots(x: Number, y: Number) -> tuple[Number, Number]:
    """Return x^((p - 5) / 8) and y^((p - 5) / 8), loose.

    Two side by side, since a squaring waits for the one before it.  (p - 5) / 8 = 2^252 - 3, and
    x_n, y_n stand for the powers 2^n - 1.
    """
    never_inlined()
    x2, y2 = _power_of_two_times(x, y, 1, x, y)
    x4, y4 = _power_of_two_times(x2, y2, 2, x2, y2)
    x5, y5 = _power_of_two_times(x4, y4, 1, x, y)
    x10, y10 = _power_of_two_times(x5, y5, 5, x5, y5)
    x20, y20 = _power_of_two_times(x10, y10, 10, x10, y10)
    x40, y40 = _power_of_two_times(x20, y20, 20, x20, y20)
    x50, y50 = _power_of_two_times(x40, y40, 10, x10, y10)
    x100, y100 = _power_of_two_times(x50, y50, 50, x50, y50)
    x200, y200 = _power_of_two_times(x100, y100, 100, x100, y100)
    x250, y250 = _power_of_two_times(x200, y200, 50, x50, y50)
    return _power_of_two_times(x250, y250, 2, x, y)


@device
def inverse(x: Number) -> Number:
    """Return 1 / x, and 0 for 0: x^(p - 2), where p - 2 = 8 (2^252 - 3) + 3."""
    never_inlined()
    a, _ = almost_roots(x, x)
    cube = times(squared(x), x)
    return times(squared(squared(squared(a))), cube)


@device
def _root(u: Number, v: Number, r: Number) -> tuple[Any, Number]:
    """Return what `root_of_ratio` does, from r = u v^3 (u v^7)^((p - 5) / 8)."""
    always_inlined()
    check = times(v, squared(r))
    i = root_of_minus_one()
    right = is_zero(carried(minus(check, u)))
    opposite = is_zero(carried(plus(check, u)))
    opposite_times_i = is_zero(carried(plus(check, times(u, i))))
    return right | opposite, absolute(chosen(opposite | opposite_times_i, times(r, i), r))


@device
def roots_of_ratios(u: Number, v: Number, s: Number, t: Number) -> tuple[Any, Number, Any, Number]:
    """Return whether u / v is a square and the root of u / v, or of sqrt(-1) u / v; the same of s / t.

    The root that is not negative (RFC 9496, 4.2, SQRT_RATIO_M1).
    """
    never_inlined()
    v3, t3 = times(squared(v), v), times(squared(t), t)
    v7, t7 = times(squared(v3), v), times(squared(t3), t)
    a, b = almost_roots(times(u, v7), times(s, t7))
    square_u, r = _root(u, v, times(times(u, v3), a))
    square_s, q = _root(s, t, times(times(s, t3), b))
    return square_u, r, square_s, q
