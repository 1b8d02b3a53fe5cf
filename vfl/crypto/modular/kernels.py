"""The hot loops on GMP integers, one function each; pure, picklable, no threads of their own.

m is the modulus, c a list of residues.  Not constant time: GMP's multiplication and the choice of
table entries depend on their operands, so whoever can time these loops on the same machine may
learn about exponents.
"""

from __future__ import annotations

from functools import lru_cache

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from vfl.crypto.modular.residues import Residues, from_mpz, rows, to_mpz, width_of

WINDOW = 10
"""Bits of a fixed-base window: 103 products for 1024 bits, 59 MB a process."""


@lru_cache(maxsize=2)
def fixed_base_table(base: int, m: int, bits: int) -> list[list[mpz]]:
    """Return T[i][d] = base^(d 2^(WINDOW i)) mod m."""
    table = []
    b, mod = mpz(base), mpz(m)
    for _ in range(-(-bits // WINDOW)):
        row = [mpz(1)]
        for _ in range((1 << WINDOW) - 1):
            row.append(row[-1] * b % mod)
        table.append(row)
        b = row[-1] * b % mod
    return table


def fixed_base_powers(base: int, exponents: Residues, m: int, times: Residues) -> Residues:
    """times_i base^(e_i), by windows of the exponent (Brickell, Gordon, McCurley and Wilson 1992)."""
    table = fixed_base_table(base, m, 8 * exponents.shape[1])
    mod, mask = mpz(m), (1 << WINDOW) - 1
    out = []
    for row, e_bytes in zip(to_mpz(times), rows(exponents), strict=True):
        e, acc = int.from_bytes(e_bytes, "little"), row
        for line in table:
            acc = acc * line[e & mask] % mod
            e >>= WINDOW
        out.append(acc)
    return from_mpz(out, times.shape[1])


def sum_by_bin(c: Residues, codes: NDArray[np.int64], bins: list[int], m: int) -> list[list[mpz]]:
    """Products of the c_i by bin of each column."""
    mod, values = mpz(m), to_mpz(c)
    out = []
    for column, size in zip(codes.T.tolist(), bins, strict=True):
        acc = [mpz(1)] * size
        for k, v in zip(column, values, strict=True):
            acc[k] = acc[k] * v % mod
        out.append(acc)
    return out


def row_powers(c: NDArray[np.uint8], k: NDArray[np.int64], m: int) -> tuple[list[mpz], list[mpz]]:
    """Numerators and denominators of prod_j c_ij^(k_ij): interleaved binary exponentiation.

    Exponents are taken as two's complement of t + 1 bits, so the bases of negative ones are
    multiplied into the denominator once, at weight 2^t.
    """
    n, q, width = c.shape
    mod, values = mpz(m), to_mpz(c.reshape(n * q, width))
    t = int(np.abs(k).max(initial=1)).bit_length()
    bits = ((k[:, :, None] >> np.arange(t)) & 1).astype(bool)
    tops, bottoms = [], []
    for i in range(n):
        bases = values[i * q : (i + 1) * q]
        top, bottom = mpz(1), mpz(1)
        for j in np.flatnonzero(k[i] < 0):
            bottom = bottom * bases[j] % mod
        for level in bits[i].T[::-1].tolist():
            top = top * top % mod
            for base, used in zip(bases, level, strict=True):
                if used:
                    top = top * base % mod
        tops.append(top)
        bottoms.append(gmpy2.powmod(bottom, 1 << t, mod) if bottom != 1 else bottom)
    return tops, bottoms


def inverses(values: list[mpz], m: int) -> list[mpz]:
    """All inverses mod m with one inversion (Montgomery's trick)."""
    mod, acc = mpz(m), mpz(1)
    prefix = []
    for v in values:
        prefix.append(acc)
        acc = acc * v % mod
    inverse = gmpy2.invert(acc, mod)
    out = []
    for v, before in zip(reversed(values), reversed(prefix), strict=True):
        out.append(inverse * before % mod)
        inverse = inverse * v % mod
    return out[::-1]


def pippenger(values: list[mpz], k: NDArray[np.int64], m: int) -> mpz:
    """prod_i c_i^(k_i), signed, by buckets of signed digits (Pippenger 1980)."""
    mod = mpz(m)
    w = max(2, min(12, len(values).bit_length() - 3))
    top, bottom = mpz(1), mpz(1)
    for digits in reversed(_signed_digits(k, w)):
        for _ in range(w if top != 1 or bottom != 1 else 0):
            top, bottom = top * top % mod, bottom * bottom % mod
        plus, minus = _bucket_sums(values, digits, w, mod)
        top, bottom = top * plus % mod, bottom * minus % mod
    return top * gmpy2.invert(bottom, mod) % mod


def _signed_digits(k: NDArray[np.int64], w: int) -> list[list[int]]:
    """Digits of each k in base 2^w, within [-2^(w-1), 2^(w-1)), lowest first."""
    digits, rest = [], k.copy()
    while rest.any():
        low = (rest + (1 << (w - 1))) & ((1 << w) - 1)
        low -= 1 << (w - 1)
        rest = (rest - low) >> w
        digits.append(low.tolist())
    return digits


def _bucket_sums(values: list[mpz], digits: list[int], w: int, mod: mpz) -> tuple[mpz, mpz]:
    """prod c_i^(d_i) over the positive and over the negated negative digits."""
    size = (1 << (w - 1)) + 1
    plus: list[mpz | None] = [None] * size
    minus: list[mpz | None] = [None] * size
    for v, d in zip(values, digits, strict=True):
        buckets, i = (plus, d) if d > 0 else (minus, -d)
        if i:
            b = buckets[i]
            buckets[i] = v if b is None else b * v % mod
    return _weighted(plus, mod), _weighted(minus, mod)


def _weighted(buckets: list[mpz | None], mod: mpz) -> mpz:
    """prod_d bucket_d^d by running products from the highest bucket down."""
    running, total = mpz(1), mpz(1)
    for b in reversed(buckets[1:]):
        if b is not None:
            running = running * b % mod
        if running != 1:
            total = total * running % mod
    return total


def crt_decrypt(c: Residues, p: int, q: int) -> Residues:
    """Plaintexts by decryption mod p^2 and q^2 (Paillier 1999, section 7); releases the GIL."""
    values = to_mpz(c)
    mp = _half(values, mpz(p), mpz(q))
    mq = _half(values, mpz(q), mpz(p))
    inverse = gmpy2.invert(p, q)
    joined = (a + p * ((b - a) * inverse % q) for a, b in zip(mp, mq, strict=True))
    return from_mpz(joined, width_of(p * q))


def _half(values: list[mpz], p: mpz, q: mpz) -> list[mpz]:
    square = p * p
    powers = gmpy2.powmod_base_list([v % square for v in values], p - 1, square)
    h = gmpy2.invert((p - 1) * q % p, p)
    return [(x - 1) // p * h % p for x in powers]
