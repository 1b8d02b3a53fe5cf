"""Numbers modulo p = 2^255 - 19, eight at a time, in five limbs of 51 bits.

A `Number` is sum_k x_k 2^(51 k), its limbs in five registers.  Multiplication takes 52 bits of a limb:
limbs are *tight*, below 2^51 + 2^18, wherever a number is an argument of `times` or `squared`.  What
`product` and `square` return is *wide*, and becomes tight by `carried`; sums and differences of wide
numbers cost one carry for all of them.

Exactness.  Of a product of tight limbs `low` takes 52 bits and `high` the rest, which is below
2^50 + 2^20 and counts twice, 2^52 being 2 * 2^51.  At most five of each meet in a limb, so that with
19 times the limb five places up, as 2^255 = 19, a wide limb of a product is below 2^59.  A difference
adds 2^10 p, whose limbs are above 2^60, and `carried` takes limbs below 2^63: it leaves less than
2^51 + 19 * 2^12.

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

LIMB = 51
MASK = np.uint64((1 << LIMB) - 1)

WORDS = 40
"""Words of a number in memory: limb k of lane j at [8 k + j]."""

_BIAS_0 = np.uint64(((1 << LIMB) - 19) << 10)
_BIAS = np.uint64(((1 << LIMB) - 1) << 10)


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
    """Return x - y, not carried; y has limbs below 2^60: it is no difference itself."""
    always_inlined()
    m0, m = broadcast(_BIAS_0), broadcast(_BIAS)
    return x[0] + (m0 - y[0]), x[1] + (m - y[1]), x[2] + (m - y[2]), x[3] + (m - y[3]), x[4] + (m - y[4])


@device
def carried(x: Number) -> Number:
    """Return x, tight."""
    always_inlined()
    x0, x1, x2, x3, x4 = x
    mask = broadcast(MASK)
    return (
        low(x0 & mask, x4 >> 51, broadcast(19)),
        (x1 & mask) + (x0 >> 51),
        (x2 & mask) + (x1 >> 51),
        (x3 & mask) + (x2 >> 51),
        (x4 & mask) + (x3 >> 51),
    )


@device
def _by_19(x: Any) -> Any:
    always_inlined()
    return x + (x + x) + (x << 4)


@device
def product(x: Number, y: Number) -> Number:
    """Return x y, wide."""
    always_inlined()
    x0, x1, x2, x3, x4 = x
    y0, y1, y2, y3, y4 = y
    zero = broadcast(0)
    h1 = high(zero, x0, y0)
    h2 = high(high(zero, x0, y1), x1, y0)
    h3 = high(high(high(zero, x0, y2), x1, y1), x2, y0)
    h4 = high(high(high(high(zero, x0, y3), x1, y2), x2, y1), x3, y0)
    h5 = high(high(high(high(high(zero, x0, y4), x1, y3), x2, y2), x3, y1), x4, y0)
    h6 = high(high(high(high(zero, x1, y4), x2, y3), x3, y2), x4, y1)
    h7 = high(high(high(zero, x2, y4), x3, y3), x4, y2)
    h8 = high(high(zero, x3, y4), x4, y3)
    h9 = high(zero, x4, y4)
    z5 = low(low(low(low(h5 + h5, x1, y4), x2, y3), x3, y2), x4, y1)
    z6 = low(low(low(h6 + h6, x2, y4), x3, y3), x4, y2)
    z7 = low(low(h7 + h7, x3, y4), x4, y3)
    z8 = low(h8 + h8, x4, y4)
    return (
        low(_by_19(z5), x0, y0),
        low(low(_by_19(z6) + (h1 + h1), x0, y1), x1, y0),
        low(low(low(h2 + h2, x0, y2), x1, y1), x2, y0) + _by_19(z7),
        low(low(low(low(h3 + h3, x0, y3), x1, y2), x2, y1), x3, y0) + _by_19(z8),
        low(low(low(low(low(h4 + h4, x0, y4), x1, y3), x2, y2), x3, y1), x4, y0) + _by_19(h9 + h9),
    )


@device
def square(x: Number) -> Number:
    """Return x^2, wide: each cross product once, in z_k / 2 and, of high halves, in z_k / 4."""
    always_inlined()
    x0, x1, x2, x3, x4 = x
    zero = broadcast(0)
    q2, q3, q7, q8 = high(zero, x0, x1), high(zero, x0, x2), high(zero, x2, x4), high(zero, x3, x4)
    q4 = high(high(zero, x0, x3), x1, x2)
    q5 = high(high(zero, x0, x4), x1, x3)
    q6 = high(high(zero, x1, x4), x2, x3)
    h1 = low(high(zero, x0, x0), x0, x1)
    h2 = low(q2 + q2, x0, x2)
    h3 = low(low(high(q3 + q3, x1, x1), x0, x3), x1, x2)
    h4 = low(low(q4 + q4, x0, x4), x1, x3)
    h5 = low(low(high(q5 + q5, x2, x2), x1, x4), x2, x3)
    h6 = low(q6 + q6, x2, x4)
    h7 = low(high(q7 + q7, x3, x3), x3, x4)
    h8 = q8 + q8
    h9 = high(zero, x4, x4)
    return (
        low(_by_19(h5 + h5), x0, x0),
        _by_19(low(h6 + h6, x3, x3)) + (h1 + h1),
        low(h2 + h2, x1, x1) + _by_19(h7 + h7),
        h3 + h3 + _by_19(low(h8 + h8, x4, x4)),
        low(h4 + h4, x2, x2) + _by_19(h9 + h9),
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
    """Return the limbs, below 2^51, of the number in [0, p) that x, tight, is."""
    always_inlined()
    x0, x1, x2, x3, x4 = x
    q = (x0 + broadcast(19)) >> 51
    q = (x4 + ((x3 + ((x2 + ((x1 + q) >> 51)) >> 51)) >> 51)) >> 51  # 1 where x >= p, as x < 2 p
    mask = broadcast(MASK)
    x0 = low(x0, q, broadcast(19))
    x1 = x1 + (x0 >> 51)
    x2 = x2 + (x1 >> 51)
    x3 = x3 + (x2 >> 51)
    x4 = x4 + (x3 >> 51)
    return x0 & mask, x1 & mask, x2 & mask, x3 & mask, x4 & mask


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
    """Return x^(2^n) u and y^(2^n) v."""
    always_inlined()
    for _ in range(n):
        x, y = squared(x), squared(y)
    return times(x, u), times(y, v)


@device
def almost_roots(x: Number, y: Number) -> tuple[Number, Number]:
    """Return x^((p - 5) / 8) and y^((p - 5) / 8).

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
