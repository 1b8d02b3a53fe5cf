"""Reals as integers, and the bounds that keep their sums from wrapping.

Laws, for reals x, y with |x|, |y| < 2^(62 - f) and Paillier modulus N:

    encode(x, f) = round(x 2^f)                     an integer below 2^62 in size
    |decode(encode(x, f), f) - x| <= 2^-(f+1)
    decode(encode(x, f) encode(y, g), f + g) ~ x y  fractional bits add under multiplication
    centred(v mod N) = v                            for |v| < N / 2: negatives are N - |v|

An integer that a sum of n products |x| <= X, |r| <= R reaches is below n X R 2^f in size;
`bits_for` gives the slot that holds it with its sign and one bit to spare.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FRACTION = 20
"""Fractional bits of every factor."""

LIMIT = 62


def encode(x: NDArray[np.float64], fraction: int = FRACTION) -> NDArray[np.int64]:
    """Return round(x 2^fraction); raise OverflowError where it would not fit."""
    scaled = np.rint(np.ldexp(x, fraction))
    if not np.all(np.abs(scaled) < 2.0**LIMIT):
        raise OverflowError(f"a value of size {np.abs(x).max():.3g} has no {fraction}-bit fixed point")
    return scaled.astype(np.int64)


def raised(v: NDArray[np.int64], bits: int) -> list[int]:
    """Return v 2^bits: the same reals with so many more fractional bits, however many."""
    return [number << bits for number in v.tolist()]


def decode(v: int, fraction: int) -> float:
    """Return v 2^-fraction for an integer of any size."""
    return math.ldexp(float(v), -fraction)


def centred(v: int, n: int) -> int:
    """Return the representative of v mod n in (-n/2, n/2]."""
    return v - n if v > n // 2 else v


def bits_for(bound: float, fraction: int) -> int:
    """Return the bits of a slot for signed values |v| <= bound with `fraction` fractional bits."""
    assert bound > 0
    return fraction + math.ceil(math.log2(bound)) + 2
