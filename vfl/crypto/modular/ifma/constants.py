"""What the kernels need to know of a modulus, in the layout they want it in."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import gmpy2
import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.arithmetic import LIMB, Words
from vfl.crypto.modular.ifma.decryption import WINDOW
from vfl.crypto.modular.ifma.windows import ROWS_AT_ONCE
from vfl.crypto.modular.residues import width_of

FEWEST_BITS, MOST_BITS = 8, 8192
"""Moduli in between satisfy the bounds of `arithmetic`."""

_MASK = (1 << LIMB) - 1


def aligned(words: Words) -> Words:
    """Return the words from the start of a cache line on."""
    out = empty(words.size)
    out[:] = words.ravel()
    return out


def empty(words: int) -> Words:
    """Return that many words from the start of a cache line on, for kernels to fill."""
    raw: Words = np.empty(words + 8, np.uint64)
    skip = -raw.ctypes.data % 64 // 8
    return raw[skip : skip + words]


def limbs_for(bits: int) -> int:
    """Return the limbs of numbers of so many bits, a multiple of `ROWS_AT_ONCE`."""
    return ROWS_AT_ONCE * -(-bits // (LIMB * ROWS_AT_ONCE))


def lanes(numbers: list[int], limbs: int) -> Words:
    """Return numbers below R, limb by limb, the same in all lanes."""
    found = [(v >> (LIMB * i)) & _MASK for v in numbers for i in range(limbs)]
    return aligned(np.repeat(np.array(found, np.uint64), 8))


def pair_lanes(x: int, modulus: int, limbs: int) -> Words:
    """Return the pair of x modulo modulus^2 in all lanes."""
    high, low = divmod(x % modulus**2, modulus)
    return lanes([int(low), int(high)], limbs)


def reduction(modulus: int, limbs: int) -> Words:
    """Return K: M, C and -1/M mod 2^52 in all lanes (`arithmetic`)."""
    assert modulus % 2 and FEWEST_BITS <= modulus.bit_length() <= min(MOST_BITS, LIMB * limbs - 16)
    R = 1 << (LIMB * limbs)
    C = modulus * -(-4 * R // modulus)
    c = [(C >> (LIMB * i)) & _MASK for i in range(limbs - 1)] + [C >> (LIMB * (limbs - 1))]
    for i in range(limbs - 1):  # lend each limb 2^52 from the next
        c[i] += 1 << LIMB
        c[i + 1] -= 1
    assert min(c) >= _MASK
    negative_inverse = -pow(modulus, -1, 1 << LIMB) % (1 << LIMB)
    tail = np.repeat(np.array([*c, negative_inverse], np.uint64), 8)
    return aligned(np.concatenate([lanes([modulus], limbs), tail]))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Modulus:
    """A public modulus n: w words, l limbs, K, and the pairs R (one in Montgomery form) and R^2."""

    n: int
    words: int
    limbs: int
    K: Words
    one: Words
    R2: Words

    @property
    def row(self) -> int:
        """The words of a stored row."""
        return 2 * self.limbs

    def stored(self, x: int) -> Words:
        """Return x R in all lanes."""
        return pair_lanes(x << (LIMB * self.limbs), self.n, self.limbs)


@functools.lru_cache(maxsize=8)
def modulus(n: int) -> Modulus:
    """Return what is public of n; any w words are below R / 2^16."""
    words = width_of(n) // 8
    limbs = limbs_for(64 * words + 16)
    R = 1 << (LIMB * limbs)
    one, R2 = pair_lanes(R, n, limbs), pair_lanes(R * R, n, limbs)
    return Modulus(n, words, limbs, reduction(n, limbs), one, R2)


def exponent_digits(exponent: int) -> NDArray[np.int64]:
    """Return the digits to base 2^WINDOW of a number above zero, highest first."""
    assert exponent > 0
    digits = gmpy2.mpz(exponent).digits(1 << WINDOW)
    return np.array([int(d, 1 << WINDOW) for d in digits], np.int64)


Half = tuple[Words, Words, NDArray[np.int64], Words]


def decryption(p: int, q: int) -> tuple[Any, ...]:
    """Return the secret arguments of `decrypt`; not kept, so that they go with the call."""
    words = width_of(p * q) // 8
    bits = max(p.bit_length(), q.bit_length())
    limbs = limbs_for(max(bits + 16, 32 * words))
    R = 1 << (LIMB * limbs)
    by_p = int(gmpy2.invert(p, q)) * R
    quotient = aligned(np.concatenate([pair_lanes(v % q, q, limbs) for v in (by_p, -by_p)]))
    return *_half(p, q, limbs), *_half(q, p, limbs), quotient


def _half(p: int, q: int, limbs: int) -> Half:
    R = 1 << (LIMB * limbs)
    shifts = [pair_lanes(v, p, limbs) for v in (R**2, R**3, p * q * R**2, p * q * R**3)]
    h = int(gmpy2.invert((p - 1) * q, p)) * R % p
    return (
        aligned(np.concatenate(shifts)),
        pair_lanes(h, p, limbs),
        exponent_digits(p - 1),
        reduction(p, limbs),
    )
