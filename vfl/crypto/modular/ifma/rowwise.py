"""Signed powers of some rows, from wire rows to wire rows, in the calling thread."""

from __future__ import annotations

import gmpy2
import numpy as np

from vfl.crypto.modular.ifma import conversion, powers
from vfl.crypto.modular.ifma.arithmetic import Words
from vfl.crypto.modular.ifma.constants import Modulus, empty
from vfl.crypto.modular.ifma.rows import Integers
from vfl.crypto.modular.pairs import ONE, Pairs, divide, load, store

LARGEST_GROUP = 5
"""A table of 2^5 products of eight pairs is 160 kB at 2048 bits: it stays in the second cache."""


def words(a: Pairs) -> Words:
    """Return rows of bytes as words, flat, where they lie if a kernel can read them there."""
    flat = np.ascontiguousarray(a).reshape(-1)
    found = flat.view(np.uint64)
    return found if found.flags.aligned else flat.copy().view(np.uint64)


def row_powers(c: Pairs, k: Integers, m: Modulus) -> Pairs:
    """Return prod_j c_ij^(k_ij): k of shape (N, q), c holds N q pairs, N > 0 and q > 0."""
    count, q = k.shape
    rows, e = empty(len(c) * m.row), k.reshape(-1)
    conversion.to_stored(rows, words(c), m.words, 0, len(c), m.R2, m.K)
    bits = int((e ^ (e >> 63)).max()).bit_length()  # -2^bits <= e < 2^bits
    bottoms = _inverses(rows, e, count, q, m)
    out = empty(count * m.row)
    powers.powers(out, rows, e, q, bits, _group(q, bits), bottoms, 0, count, m.one, m.K)
    wire = np.empty((count, c.shape[1]), np.uint8)
    conversion.to_wire(words(wire), out, m.words, 0, count, m.K)
    return wire


def _inverses(rows: Words, e: Integers, count: int, q: int, m: Modulus) -> Words:
    """1 / prod_(e_j < 0) c_ij, for the rows and a few more up to a multiple of eight."""
    padded = -(-count // 8) * 8
    bottoms, running = empty(padded * m.row), empty(padded * m.row)
    powers.negatives(bottoms, running, rows, e, q, 0, count, m.one, m.K)
    totals, inverted = running[-8 * m.row :].copy(), empty(8 * m.row)
    conversion.to_stored(inverted, words(_inverted(totals, m)), m.words, 0, 8, m.R2, m.K)
    powers.inverses(bottoms, running, inverted, padded, m.K)
    return bottoms


def _inverted(rows: Words, m: Modulus) -> Pairs:
    wire = np.empty((len(rows) // m.row, 16 * m.words), np.uint8)
    conversion.to_wire(words(wire), rows, m.words, 0, len(wire), m.K)
    return store(divide([ONE] * len(wire), load(wire), gmpy2.mpz(m.n)), wire.shape[1])


def _group(q: int, bits: int) -> int:
    """The size of groups that takes the fewest products: tables, then one for each bit and group."""

    def products(group: int) -> int:
        sizes = [min(group, q - j) for j in range(0, q, group)]
        return sum((1 << s) - 1 - s + bits for s in sizes)

    return min(range(1, min(q, LARGEST_GROUP) + 1), key=products)
