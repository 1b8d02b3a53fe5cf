"""The hot loops on pairs of GMP integers, one function each; pure, picklable, no threads of their own.

Not constant time: GMP's multiplication and the choice of table entries depend on their operands,
so whoever can time these loops on the same machine may learn about exponents.
"""

from __future__ import annotations

import math
from functools import lru_cache

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from vfl.crypto.modular.pairs import ONE, Pair, Pairs, from_pairs, load, pair, square, store, times, to_pairs
from vfl.crypto.modular.residues import Residues, store_residues, to_ints, width_of

WINDOW = 12
"""Bits of a fixed-base window: 86 products for 1024 bits, 220 MB a process."""

FEW = 256
"""Batches of fewer powers than this are not worth a table, in time or in memory."""


@lru_cache(maxsize=2)
def fixed_base_table(base: int, n: int, bits: int) -> list[list[Pair]]:
    """Return T[i][d] = base^(d 2^(WINDOW i)), as x0 and slope x1 / x0 mod n."""
    mod = mpz(n)
    b, table = pair(base, mod), []
    for _ in range(-(-bits // WINDOW)):
        b0, b1 = b
        inverse = gmpy2.invert(b0, mod)
        slope, x0, x0_inverse, x_slope = b1 * inverse % mod, mpz(1), mpz(1), mpz(0)
        line = []
        for _ in range(1 << WINDOW):
            line.append((x0, x_slope))
            q, x0 = divmod(x0 * b0, mod)
            x0_inverse = x0_inverse * inverse % mod
            x_slope = (x_slope + slope + q * x0_inverse) % mod
        table.append(line)
        b = x0, x0 * x_slope % mod
    return table


def fixed_base_powers(base: int, exponents: Residues, n: int, factors: Pairs) -> Pairs:
    """factor_i base^(e_i), by windows of the exponent (Brickell, Gordon, McCurley and Wilson 1992).

    Differs from the paper: factors t come as t0 and slope.  With x0 t0 = q n + r the product is
    r + (x1 t0 + q + r slope(t)) n, so slopes are added, and multiplied in once, at the end.
    """
    mod = mpz(n)
    if len(factors) < FEW:
        return _few_powers(base, exponents, mod, factors)
    table = fixed_base_table(base, n, 8 * exponents.shape[1])
    out = []
    for (x0, x1), digits in zip(load(factors), _windows(exponents), strict=True):
        slope = 0
        for line, d in zip(table, digits, strict=True):
            t0, t_slope = line[d]
            q, r = divmod(x0 * t0, mod)
            x1 = (x1 * t0 + q) % mod
            x0 = r
            slope += t_slope
        out.append((x0, (x1 + x0 * slope) % mod))
    return store(out, factors.shape[1])


def _few_powers(base: int, exponents: Residues, mod: mpz, factors: Pairs) -> Pairs:
    powers = gmpy2.powmod_exp_list(base, [mpz(e) for e in to_ints(exponents)], mod * mod)
    out = [times(x, pair(p, mod), mod) for x, p in zip(load(factors), powers, strict=True)]
    return store(out, factors.shape[1])


def _windows(exponents: Residues) -> list[list[int]]:
    """The digits of each exponent in base 2^WINDOW, lowest first."""
    bits = np.unpackbits(exponents, axis=1, bitorder="little")
    bits = np.pad(bits, ((0, 0), (0, -bits.shape[1] % WINDOW)))
    digits = bits.reshape(len(bits), -1, WINDOW) @ (1 << np.arange(WINDOW, dtype=np.uint16))
    out: list[list[int]] = digits.tolist()
    return out


def sum_by_bin(c: Pairs, codes: NDArray[np.int64], bins: list[int], n: int) -> list[list[Pair]]:
    """Products of the c_i by bin of each column."""
    mod, values = mpz(n), load(c)
    out = []
    for column, size in zip(codes.T, bins, strict=True):
        order = np.argsort(column, kind="stable").tolist()
        ends = np.cumsum(np.bincount(column, minlength=size)).tolist()
        out.append([_product(values, order[a:b], mod) for a, b in zip([0, *ends[:-1]], ends, strict=True)])
    return out


def _product(values: list[Pair], picked: list[int], mod: mpz) -> Pair:
    x0, x1 = ONE
    for i in picked:
        y0, y1 = values[i]
        q, r = divmod(x0 * y0, mod)  # `times`, without the cost of a call
        x1 = (x0 * y1 + x1 * y0 + q) % mod
        x0 = r
    return x0, x1


def row_powers(c: NDArray[np.uint8], k: NDArray[np.int64], n: int) -> tuple[list[Pair], list[Pair]]:
    """Numerators and denominators of prod_j c_ij^(k_ij): interleaved binary exponentiation.

    Exponents are taken as two's complement of t + 1 bits, so the bases of negative ones are
    multiplied into the denominator once, at weight 2^t.
    """
    count, q, width = c.shape
    mod, values = mpz(n), load(c.reshape(count * q, width))
    t = int(np.abs(k).max(initial=1)).bit_length()
    bits = ((k[:, :, None] >> np.arange(t)) & 1).astype(bool)
    tops, bottoms = [], []
    for i in range(count):
        bases = values[i * q : (i + 1) * q]
        top = bottom = ONE
        for j in np.flatnonzero(k[i] < 0):
            bottom = times(bottom, bases[j], mod)
        for level in bits[i].T[::-1].tolist():
            top = square(top, mod)
            for base, used in zip(bases, level, strict=True):
                if used:
                    top = times(top, base, mod)
        tops.append(top)
        bottoms.append(_squared(bottom, t if bottom != ONE else 0, mod))
    return tops, bottoms


def _squared(x: Pair, often: int, mod: mpz) -> Pair:
    for _ in range(often):
        x = square(x, mod)
    return x


def pippenger(values: list[Pair], k: NDArray[np.int64], n: int) -> tuple[Pair, Pair]:
    """Numerator and denominator of prod_i c_i^(k_i), by buckets of signed digits (Pippenger 1980)."""
    mod = mpz(n)
    w = max(2, min(12, len(values).bit_length() - 3))
    top = bottom = ONE
    for digits in reversed(_signed_digits(k, w)):
        top, bottom = _squared(top, w, mod), _squared(bottom, w, mod)
        plus, minus = _bucket_sums(values, digits, w, mod)
        top, bottom = times(top, plus, mod), times(bottom, minus, mod)
    return top, bottom


def _signed_digits(k: NDArray[np.int64], w: int) -> list[list[int]]:
    """Digits of each k in base 2^w, within [-2^(w-1), 2^(w-1)), lowest first."""
    digits, rest = [], k.copy()
    while rest.any():
        low = (rest + (1 << (w - 1))) & ((1 << w) - 1)
        low -= 1 << (w - 1)
        rest = (rest - low) >> w
        digits.append(low.tolist())
    return digits


def _bucket_sums(values: list[Pair], digits: list[int], w: int, mod: mpz) -> tuple[Pair, Pair]:
    """prod c_i^(d_i) over the positive and over the negated negative digits."""
    size = (1 << (w - 1)) + 1
    plus: list[Pair | None] = [None] * size
    minus: list[Pair | None] = [None] * size
    for v, d in zip(values, digits, strict=True):
        buckets, i = (plus, d) if d > 0 else (minus, -d)
        if i:
            b = buckets[i]
            buckets[i] = v if b is None else times(b, v, mod)
    return _weighted(plus, mod), _weighted(minus, mod)


def _weighted(buckets: list[Pair | None], mod: mpz) -> Pair:
    """prod_d bucket_d^d by running products from the highest bucket down."""
    running = total = ONE
    for b in reversed(buckets[1:]):
        if b is not None:
            running = times(running, b, mod)
        if running != ONE:
            total = times(total, running, mod)
    return total


def packed(c: Pairs, slots: int, bits: int, n: int) -> Pairs:
    """prod_j c_j^(2^(bits j)) of each group of `slots` rows, by Horner's rule."""
    mod, values, out = mpz(n), load(c), []
    for i in range(0, len(values), slots):
        *rest, total = values[i : i + slots]
        for x in reversed(rest):
            total = times(_squared(total, bits, mod), x, mod)
        out.append(total)
    return store(out, c.shape[1])


def powers(c: Pairs, exponent: int, n: int) -> Pairs:
    """c_i^exponent; releases the GIL, which products of pairs would hold."""
    return to_pairs(gmpy2.powmod_base_list(from_pairs(c, n), exponent, mpz(n) ** 2), n)


def shares_a_factor(c: Pairs, n: int) -> bool:
    """Whether any c_i is not coprime to n: one greatest common divisor for all."""
    mod, acc = mpz(n), mpz(1)
    for x0, _ in load(c):
        acc = acc * x0 % mod
    return math.gcd(int(acc), n) != 1


def crt_decrypt(c: Pairs, p: int, q: int) -> Residues:
    """Plaintexts by decryption mod p^2 and q^2 (Paillier 1999, section 7); releases the GIL."""
    n = mpz(p) * q
    values = [x0 + x1 * n for x0, x1 in load(c)]
    mp = _half(values, mpz(p), mpz(q))
    mq = _half(values, mpz(q), mpz(p))
    inverse = gmpy2.invert(p, q)
    joined = [a + p * ((b - a) * inverse % q) for a, b in zip(mp, mq, strict=True)]
    return store_residues(joined, width_of(p * q))


def _half(values: list[mpz], p: mpz, q: mpz) -> list[mpz]:
    power = p * p
    powers = gmpy2.powmod_base_list([v % power for v in values], p - 1, power)
    h = gmpy2.invert((p - 1) * q % p, p)
    return [(x - 1) // p * h % p for x in powers]
