"""Points of the curve -x^2 + y^2 = 1 + d x^2 y^2 modulo p, eight at a time, and their powers.

A point (X : Y : Z : T) has x = X / Z, y = Y / Z and T = X Y / Z (Hisil, Wong, Carter, Dawson 2008).  Its
addition formulas hold for any two points.  A point that is added often is kept as `Cached`.

`raised` is fixed windows of four bits with signed digits.  Which digits, it is told in masks: the same
instructions run and the same addresses are read whatever the scalar.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from psi.group.ifma.field import (
    WORDS,
    Number,
    P,
    carried,
    chosen,
    everywhere,
    limbs,
    loosened,
    minus,
    negated,
    none,
    one,
    plus,
    product,
    read,
    square,
    times,
    write,
)
from vfl.crypto.modular.ifma.arithmetic import Words
from vfl.crypto.modular.ifma.compiled import device
from vfl.crypto.modular.ifma.lanes import always_inlined, broadcast, load, never_inlined, store

Point = tuple[Number, Number, Number, Number]
"""X, Y, Z, T."""

Cached = tuple[Number, Number, Number, Number]
"""Y + X, Y - X, 2 Z, 2 d T."""

POINT = 4 * WORDS
"""Words of a point in memory."""

D = -121665 * pow(121666, -1, P) % P

WINDOWS = 64
ENTRIES = 8
DIGIT = ENTRIES + 2
"""Masks of a digit: whether it is negative; whether it is 0, +-1, ..., +-8."""

_TWO_D = limbs(2 * D)


def digit_masks(scalar: int) -> NDArray[np.uint64]:
    """Return the masks of the digits of a scalar, the lowest first: scalar = sum_t digit_t 16^t.

    Adding 8 to every digit of four bits lets each carry; taking it away leaves -8, ..., 7.
    """
    assert 0 <= scalar < 1 << 253
    nibbles = (scalar + sum(8 << (4 * t) for t in range(WINDOWS))).to_bytes(WINDOWS // 2, "little")
    both = np.frombuffer(nibbles, np.uint8)
    digits = np.stack([both & 15, both >> 4], axis=1).ravel().astype(np.int64) - 8
    masks = np.empty((WINDOWS, DIGIT), bool)
    masks[:, 0] = digits < 0
    masks[:, 1:] = np.abs(digits)[:, None] == np.arange(ENTRIES + 1)
    return (-masks.astype(np.int64)).view(np.uint64).ravel()


@device
def read_point(source: Words, at: int) -> Point:
    """Return the point at source[at:]."""
    always_inlined()
    return (
        read(source, at),
        read(source, at + WORDS),
        read(source, at + 2 * WORDS),
        read(source, at + 3 * WORDS),
    )


@device
def write_point(target: Words, at: int, p: Point) -> None:
    """target[at:] = p."""
    always_inlined()
    write(target, at, p[0])
    write(target, at + WORDS, p[1])
    write(target, at + 2 * WORDS, p[2])
    write(target, at + 3 * WORDS, p[3])


@device
def cached(p: Point) -> Cached:
    """Return p as it is added."""
    always_inlined()
    x, y, z, t = p
    return carried(plus(y, x)), carried(minus(y, x)), carried(plus(z, z)), times(t, everywhere(_TWO_D))


@device
def _negative_double(x: Number, y: Number, z: Number) -> tuple[Number, Number, Number, Number]:
    """Return E, F, G, H: twice the point, negated, is (E F : G H : F G : E H).

    With the standard's -G for G, one difference serves F and G.
    """
    always_inlined()
    a, b, c, xy = square(x), square(y), square(z), product(x, y)
    difference = minus(a, b)
    e, h = loosened(plus(xy, xy)), loosened(plus(a, b))
    return e, loosened(plus(plus(c, c), difference)), loosened(difference), h


@device
def negative_double(x: Number, y: Number, z: Number) -> tuple[Number, Number, Number]:
    """Return X, Y, Z of -2 p: all that another doubling takes."""
    always_inlined()
    e, f, g, h = _negative_double(x, y, z)
    return loosened(product(e, f)), loosened(product(g, h)), loosened(product(f, g))


@device
def doubled(x: Number, y: Number, z: Number) -> Point:
    """Return 2 p."""
    always_inlined()
    e, f, g, h = _negative_double(negated(x), y, z)
    return times(e, f), times(g, h), times(f, g), times(e, h)


@device
def _sum(
    y_plus_x: Number, y_minus_x: Number, z: Number, t: Number, q: Cached
) -> tuple[Number, Number, Number, Number]:
    """Return E, F, G, H of the sum."""
    always_inlined()
    a, b = product(y_minus_x, q[1]), product(y_plus_x, q[0])
    c, d = product(t, q[3]), product(z, q[2])
    return loosened(minus(b, a)), loosened(minus(d, c)), loosened(plus(d, c)), loosened(plus(b, a))


@device
def added(p: Point, q: Cached) -> Point:
    """Return p + q."""
    always_inlined()
    x, y, z, t = p
    e, f, g, h = _sum(carried(plus(y, x)), carried(minus(y, x)), z, t, q)
    return times(e, f), times(g, h), times(f, g), times(e, h)


@device
def negative_double_and_added(
    x: Number, y: Number, z: Number, q: Cached
) -> tuple[Number, Number, Number, Number]:
    """Return E, F, G, H of q - 2 p, with Y + X and Y - X of -2 p from one carry each."""
    always_inlined()
    e, f, g, h = _negative_double(x, y, z)
    ef, gh = product(e, f), product(g, h)
    return _sum(
        loosened(plus(gh, ef)), loosened(minus(gh, ef)), loosened(product(f, g)), loosened(product(e, h)), q
    )


@device
def fill_table(table: Words, p: Point) -> None:
    """table = p, 2 p, ..., 8 p, cached."""
    never_inlined()
    first = cached(p)
    write_point(table, 0, first)
    p = doubled(p[0], p[1], p[2])
    write_point(table, POINT, cached(p))
    for k in range(2, ENTRIES):
        p = added(p, first)
        write_point(table, k * POINT, cached(p))


@device
def _entry_masks(masks: Words, at: int) -> tuple[Any, Any, Any, Any, Any, Any, Any, Any]:
    always_inlined()
    return (
        broadcast(masks[at]),
        broadcast(masks[at + 1]),
        broadcast(masks[at + 2]),
        broadcast(masks[at + 3]),
        broadcast(masks[at + 4]),
        broadcast(masks[at + 5]),
        broadcast(masks[at + 6]),
        broadcast(masks[at + 7]),
    )


@device
def picked(table: Words, masks: Words, at: int, entry: Words) -> Cached:
    """Return the point times the digit whose masks stand at masks[at:]; every entry of the table is read."""
    never_inlined()
    m = _entry_masks(masks, at + 2)
    for k in range(0, POINT, 8):
        low_half = (load(table, k) & m[0]) | (load(table, POINT + k) & m[1])
        low_half = low_half | (load(table, 2 * POINT + k) & m[2]) | (load(table, 3 * POINT + k) & m[3])
        high_half = (load(table, 4 * POINT + k) & m[4]) | (load(table, 5 * POINT + k) & m[5])
        high_half = high_half | (load(table, 6 * POINT + k) & m[6]) | (load(table, 7 * POINT + k) & m[7])
        store(entry, k, low_half | high_half)
    total, difference, z, t = read_point(entry, 0)
    negative, zero = broadcast(masks[at]), broadcast(masks[at + 1])
    unit = chosen(zero, one(), none())
    total, difference, z = plus(total, unit), plus(difference, unit), plus(z, plus(unit, unit))
    return (
        chosen(negative, difference, total),
        chosen(negative, total, difference),
        z,
        chosen(negative, negated(t), t),
    )


@device
def raise_point(points: Words, at: int, masks: Words, table: Words, entry: Words) -> None:
    """points[at:] times the scalar of the masks."""
    never_inlined()
    fill_table(table, read_point(points, at))
    top = DIGIT * (WINDOWS - 1)
    e, f, g, h = _sum(one(), one(), one(), none(), picked(table, masks, top, entry))
    for digit in range(top - DIGIT, -1, -DIGIT):
        x, y, z = loosened(product(e, f)), loosened(product(g, h)), loosened(product(f, g))
        for _ in range(3):  # with the one below four: their signs cancel
            x, y, z = negative_double(x, y, z)
        e, f, g, h = negative_double_and_added(x, y, z, picked(table, masks, digit, entry))
    write_point(points, at, (times(e, f), times(g, h), times(f, g), times(e, h)))
