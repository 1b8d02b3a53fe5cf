"""Numbers modulo n^2 as pairs of numbers modulo n.

    x = x0 + x1 n,    0 <= x0, x1 < n
    x y = r + (q + x0 y1 + x1 y0 mod n) n    with  x0 y0 = q n + r
    1 + m n is the pair (1, m)

Products of half the length cost a third, so a product of pairs takes 0.7 times what x y mod n^2
does.  A batch is an array of c x width bytes: x0 in the first half of a row, x1 in the second,
both little-endian.  It is also the wire form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from vfl.crypto.modular.residues import load_residues, store_residues, width_of

Pairs = NDArray[np.uint8]
"""Shape (c, 2 width_of(n))."""

Pair = tuple[mpz, mpz]

ONE: Pair = (mpz(1), mpz(0))


def times(x: Pair, y: Pair, n: mpz) -> Pair:
    """Return x y."""
    x0, x1 = x
    y0, y1 = y
    q, r = divmod(x0 * y0, n)
    return r, (x0 * y1 + x1 * y0 + q) % n


def square(x: Pair, n: mpz) -> Pair:
    """Return x^2."""
    x0, x1 = x
    q, r = divmod(x0 * x0, n)
    return r, (2 * x0 * x1 + q) % n


def inverse(x: Pair, n: mpz) -> Pair:
    """Return x^-1; raise ZeroDivisionError where x shares a factor with n."""
    x0, x1 = x
    y0 = gmpy2.invert(x0, n)
    return y0, -(x0 * y0 // n + x1 * y0) * y0 % n


def divide(tops: Sequence[Pair], bottoms: Sequence[Pair], n: mpz) -> list[Pair]:
    """Return all quotients with one inversion (Montgomery's trick)."""
    running = ONE
    before = []
    for y in bottoms:
        before.append(running)
        running = times(running, y, n)
    rest, out = inverse(running, n), []
    for x, y, b in zip(reversed(tops), reversed(bottoms), reversed(before), strict=True):
        out.append(times(x, times(rest, b, n), n))
        rest = times(rest, y, n)
    return out[::-1]


def pair(x: int, n: int) -> Pair:
    """Return the pair of a number in [0, n^2)."""
    x1, x0 = divmod(mpz(x), n)
    return x0, x1


def load(pairs: Pairs) -> list[Pair]:
    """Return the pairs as GMP integers."""
    values = load_residues(pairs.reshape(-1, pairs.shape[-1] // 2))
    return list(zip(values[::2], values[1::2], strict=True))


def store(values: Iterable[Pair], width: int) -> Pairs:
    """Return an array of rows of `width` bytes from GMP integers."""
    return store_residues([v for x in values for v in x], width // 2).reshape(-1, width)


def to_pairs(values: Sequence[int], n: int) -> Pairs:
    """Return pairs from numbers in [0, n^2)."""
    return store((pair(v, n) for v in values), 2 * width_of(n))


def from_pairs(pairs: Pairs, n: int) -> list[int]:
    """Return the numbers in [0, n^2) that the pairs stand for: python-paillier's ciphertexts."""
    return [int(x0 + x1 * n) for x0, x1 in load(pairs)]
