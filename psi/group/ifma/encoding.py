"""Elements of ristretto255 and their bytes, eight at a time (RFC 9496).

    decode_two       4.3.1: bytes to points, and which bytes are no element
    map_to_points    4.3.4: uniform bytes to points, by Elligator 2
    prepare, encode  4.3.2, of the double of a point

The double of a point is encoded without a square root, from 1 / (E F G H) alone, and one inversion
serves many points (Hamburg's observation, in curve25519-dalek's `double_and_compress_batch`).  So whoever
wants the power a takes a / 2 modulo the order first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from psi.group.ifma.curve import POINT, D, Point, added, cached, read_point, write_point
from psi.group.ifma.field import (
    MASK,
    TOP_MASK,
    Number,
    absolute,
    canonical,
    carried,
    chosen,
    everywhere,
    is_negative,
    is_zero,
    limbs,
    minus,
    negated,
    none,
    one,
    plus,
    product,
    root_of_minus_one,
    roots_of_ratios,
    square,
    squared,
    times,
    zero_mask,
)
from vfl.crypto.modular.ifma.arithmetic import Words
from vfl.crypto.modular.ifma.compiled import device
from vfl.crypto.modular.ifma.lanes import always_inlined, broadcast, load, never_inlined, store

GENERATOR = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)
"""x and y of the standard's generator."""

ALL = np.uint64(2**64 - 1)

_D = limbs(D)
_ONE_MINUS_D_SQUARED = limbs(1 - D * D)
_D_MINUS_ONE_SQUARED = limbs((D - 1) ** 2)
_ROOT_OF_MINUS_D_MINUS_ONE = limbs(
    25063068953384623474111414158702152701244531502492656460079210482610430750235
)
_INVERSE_ROOT_OF_MINUS_ONE_MINUS_D = limbs(
    54469307008909316920995813868745141605393597292927456921205312896311721017578
)
_X, _Y, _T = limbs(GENERATOR[0]), limbs(GENERATOR[1]), limbs(GENERATOR[0] * GENERATOR[1])


@device
def number_of_words(words: Words, at: int) -> Number:
    """Return the number modulo 2^255 in the four words at words[at:]."""
    always_inlined()
    w0, w1, w2, w3 = load(words, at), load(words, at + 8), load(words, at + 16), load(words, at + 24)
    mask = broadcast(MASK)
    return (
        w0 & mask,
        (w0 >> 52 | w1 << 12) & mask,
        (w1 >> 40 | w2 << 24) & mask,
        (w2 >> 28 | w3 << 36) & mask,
        w3 >> 16 & broadcast(TOP_MASK),
    )


@device
def words_of_number(words: Words, at: int, x: Number) -> None:
    """words[at:] = the four words of the number in [0, p) that x, tight, is."""
    always_inlined()
    x0, x1, x2, x3, x4 = canonical(x)
    store(words, at, x0 | x1 << 52)
    store(words, at + 8, x1 >> 12 | x2 << 40)
    store(words, at + 16, x2 >> 24 | x3 << 28)
    store(words, at + 24, x3 >> 36 | x4 << 16)


@device
def _opposite(mask: Any) -> Any:
    always_inlined()
    return mask ^ broadcast(ALL)


@device
def _canonical(words: Words, at: int, s: Number) -> Any:
    """Return a mask of the lanes whose words are a number in [0, p) that is not negative."""
    always_inlined()
    c = canonical(s)
    other = (c[0] ^ s[0]) | (c[1] ^ s[1]) | (c[2] ^ s[2]) | (c[3] ^ s[3]) | (c[4] ^ s[4])
    return zero_mask(other | (load(words, at + 24) >> 63) | (s[0] & broadcast(1)))


@device
def _denominators(s: Number) -> tuple[Number, Number, Number, Number]:
    """Return u1, u2, v and v u2^2 of the standard."""
    always_inlined()
    ss = squared(s)
    u1, u2 = carried(minus(one(), ss)), carried(plus(one(), ss))
    u2_squared = squared(u2)
    v = carried(minus(none(), plus(product(everywhere(_D), squared(u1)), u2_squared)))
    return u1, u2, v, times(v, u2_squared)


@device
def _decoded(
    s: Number, u1: Number, u2: Number, v: Number, root: Number, sound: Any, points: Words, at: int
) -> Any:
    """points[at:] = the point of s, the generator where s is no element or the identity; return where not."""
    always_inlined()
    den_x = times(root, u2)
    den_y = times(times(root, den_x), v)
    x = product(s, den_x)
    x = absolute(carried(plus(x, x)))
    y = times(u1, den_y)
    t = times(x, y)
    good = sound & _opposite(is_negative(t) | is_zero(y) | is_zero(s))
    x, y = chosen(good, x, everywhere(_X)), chosen(good, y, everywhere(_Y))
    write_point(points, at, (x, y, one(), chosen(good, t, everywhere(_T))))
    return good


@device
def decode_two(points: Words, at: int, words: Words, good: Words, good_at: int) -> None:
    """points[at:] = two times eight points; good[good_at:] = masks of what encodes one other than 0."""
    never_inlined()
    s, t = number_of_words(words, 0), number_of_words(words, 32)
    u1, u2, v, a = _denominators(s)
    w1, w2, w, b = _denominators(t)
    square_s, root_s, square_t, root_t = roots_of_ratios(one(), a, one(), b)
    sound_s, sound_t = _canonical(words, 0, s) & square_s, _canonical(words, 32, t) & square_t
    store(good, good_at, _decoded(s, u1, u2, v, root_s, sound_s, points, at))
    store(good, good_at + 8, _decoded(t, w1, w2, w, root_t, sound_t, points, at + POINT))


@device
def _ratio(t: Number) -> tuple[Number, Number, Number]:
    """Return r, u and v of the standard's MAP."""
    always_inlined()
    r, d = times(squared(t), root_of_minus_one()), everywhere(_D)
    u = times(carried(plus(r, one())), everywhere(_ONE_MINUS_D_SQUARED))
    v = times(carried(minus(none(), plus(one(), product(r, d)))), carried(plus(r, d)))
    return r, u, v


@device
def _mapped(t: Number, r: Number, v: Number, is_square: Any, s: Number) -> Point:
    always_inlined()
    s = chosen(is_square, s, negated(absolute(times(s, t))))
    c = chosen(is_square, negated(one()), r)
    n = product(times(c, carried(minus(r, one()))), everywhere(_D_MINUS_ONE_SQUARED))
    sv, ss = product(s, v), square(s)
    w0, w1 = carried(plus(sv, sv)), times(carried(minus(n, v)), everywhere(_ROOT_OF_MINUS_D_MINUS_ONE))
    w2, w3 = carried(minus(one(), ss)), carried(plus(one(), ss))
    return times(w0, w3), times(w2, w1), times(w1, w3), times(w0, w2)


@device
def map_to_points(points: Words, at: int, words: Words) -> None:
    """points[at:] = the eight points of the 64 uniform bytes in the eight words of each lane."""
    never_inlined()
    t, b = number_of_words(words, 0), number_of_words(words, 32)
    r, u, v = _ratio(t)
    q, m, w = _ratio(b)
    square_t, root_t, square_b, root_b = roots_of_ratios(u, v, m, w)
    first = _mapped(t, r, v, square_t, root_t)
    write_point(points, at, added(first, cached(_mapped(b, q, w, square_b, root_b))))


@device
def prepare(points: Words, at: int) -> None:
    """points[at:] = E, F, G, H of the doubles of these points."""
    never_inlined()
    x, y, z, t = read_point(points, at)
    xy, xx, yy = product(x, y), square(x), square(y)
    zz, dtt = square(z), product(squared(t), everywhere(_D))
    e, g = carried(plus(xy, xy)), carried(plus(yy, xx))
    write_point(points, at, (e, carried(plus(zz, dtt)), g, carried(minus(zz, dtt))))


@device
def denominator(points: Words, at: int) -> tuple[Number, Number, Number, Any]:
    """Return E G, F H and their product, and a mask of where it is 0 and 1 returned: the identity's."""
    always_inlined()
    e, f, g, h = read_point(points, at)
    eg, fh = times(e, g), times(f, h)
    both = times(eg, fh)
    zero = is_zero(both)
    return eg, fh, chosen(zero, one(), both), zero


@device
def encode(words: Words, points: Words, at: int, eg: Number, fh: Number, inverted: Number, zero: Any) -> None:
    """words = the encodings of what `prepare` left at points[at:], from 1 / (E F G H)."""
    never_inlined()
    e, f, g, h = read_point(points, at)
    z_inverse, t_inverse, i = times(eg, inverted), times(fh, inverted), root_of_minus_one()
    rotate = is_negative(times(eg, z_inverse))
    magic = chosen(rotate, i, everywhere(_INVERSE_ROOT_OF_MINUS_ONE_MINUS_D))
    e, g, h = chosen(rotate, g, e), chosen(rotate, negated(e), g), chosen(rotate, times(f, i), h)
    g = chosen(is_negative(times(times(h, e), z_inverse)), negated(g), g)
    s = absolute(times(carried(minus(h, g)), times(magic, times(g, t_inverse))))
    words_of_number(words, 0, chosen(zero, none(), s))
