"""`Ifma`: the seam's operations, with the checks that kernels leave out, on threads."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import gmpy2
import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma import conversion, fixed_base, lists, packing
from vfl.crypto.modular.ifma.arithmetic import LIMB, Words
from vfl.crypto.modular.ifma.compiled import ready
from vfl.crypto.modular.ifma.constants import Modulus, aligned, decryption, empty, exponent_digits, modulus
from vfl.crypto.modular.ifma.decryption import decrypt
from vfl.crypto.modular.ifma.rows import Integers
from vfl.crypto.modular.ifma.rowwise import row_powers, words
from vfl.crypto.modular.ifma.threads import CHUNKS, Threads
from vfl.crypto.modular.pairs import ONE, Pairs, divide, load, store
from vfl.crypto.modular.residues import Residues, width_of

SMALL = 128
"""Fewer rows than this for each thread stay in the calling thread."""

SHORT = 400
"""The same where a row takes a product or two: a quarter of a millisecond's work."""

NUMBERS = 1 << 14
"""The same where a number is cut into digits."""

BLOCK = 1 << 15
"""Pairs in Montgomery form at once: 20 MB at 2048 bits."""

COUNT_BYTES = 5
"""Of the numbers of rows in bins: fewer than 2^40 rows."""

SEGMENTS = 1 << 14
"""Buckets at once: 10 MB at 2048 bits."""


class Ifma:
    """Modular arithmetic on AVX-512 IFMA in `workers` threads; compiled kernels are kept in `cache`.

    Raises OSError where the folder cannot be written, CalledProcessError where compiling fails.
    """

    def __init__(self, workers: int, cache: Path) -> None:
        ready(cache)
        self._threads = Threads(workers)
        self._table = functools.lru_cache(maxsize=2)(self._new_table)
        self._montgomery_table = functools.lru_cache(maxsize=8)(self._new_montgomery_table)

    def __repr__(self) -> str:
        return f"Ifma(workers={self._threads.count})"

    def multiply(self, a: Pairs, b: Pairs, n: int) -> Pairs:
        """Return a_i b_i."""
        m, out = _modulus(a, n), np.empty(a.shape, np.uint8)
        assert a.shape == b.shape
        x, y, z = words(a), words(b), words(out)
        self._threads.share(
            len(a), lambda i, j: conversion.multiply(z, x, y, m.words, i, j, m.R2, m.K), SHORT
        )
        return out

    def product(self, c: Pairs, n: int) -> Pairs:
        """Return prod_i c_i."""
        return self.sum_by_bin(c, np.zeros((len(c), 1), np.int64), [1], n)[0]

    def sum_by_bin(self, c: Pairs, codes: Integers, bins: Sequence[int], n: int) -> list[Pairs]:
        """Return the products by bin: one list of the rows of all bins, cut into equal parts.

        Residues are multiplied as they stand, not in Montgomery form, and each product divides by R: what
        comes out of a bin of k rows is R^-k times its product.
        """
        m, sizes = _modulus(c, n), np.array(bins, np.int64)
        assert codes.shape == (len(c), len(bins))
        total, rows = aligned(np.tile(m.one[::8], int(sizes.sum()))), np.zeros(sizes.sum(), np.int64)
        for block in _blocks(len(c), BLOCK):
            order, ends = _sorted(codes[block], sizes)
            assert ends[-1] == order.size, "codes out of range"
            part = self._segments(self._limbs(c[block], m), order, ends, m)
            lists.multiply_rows(total, part, 0, len(rows), m.K)
            rows += np.diff(ends, prepend=0)
        k = rows.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :COUNT_BYTES]
        out = self._raised(self._montgomery_table(n), k, self._wire(total, m), m)
        return np.split(out, np.cumsum(sizes)[:-1])

    def fixed_base_powers(self, base: int, exponents: Residues, n: int, factors: Pairs) -> Pairs:
        """Return factor_i base^(e_i)."""
        m, (count, size) = _modulus(factors, n), exponents.shape
        assert len(factors) == count and size <= fixed_base.MOST_BYTES
        if not size:
            return factors
        return self._raised(self._table(base, n, 8 * size), exponents, factors, m)

    def row_powers(self, c: NDArray[np.uint8], k: Integers, n: int) -> Pairs:
        """Return prod_j c_ij^(k_ij), signed, with one inversion for a chunk of rows."""
        (count, q, width), k = c.shape, np.ascontiguousarray(k, np.int64)
        flat = c.reshape(count * q, width)
        m = _modulus(flat, n)
        assert k.shape == (count, q)
        out = store([ONE] * count, width).copy()

        def chunk(first: int, end: int) -> None:
            for rows in _blocks(end - first, BLOCK // q + 1, first):
                pairs = slice(rows.start * q, rows.stop * q)
                out[rows] = row_powers(flat[pairs], k[rows], m)

        self._threads.share(count if q else 0, chunk, least=256)
        return out

    def multi_exponentiation(self, c: Pairs, k: Integers, n: int) -> Pairs:
        """Return prod_i c_i^(k_ij) for each column j, by buckets of signed digits (Pippenger 1980)."""
        m, k = _modulus(c, n), np.asarray(k, np.int64)
        assert len(c) == len(k)
        total = aligned(np.tile(m.one[::8], 2 * k.shape[1]))
        for block in _blocks(len(c), BLOCK):
            rows = self._stored(c[block], m)
            part = self._powers_of_columns(rows, k[block], m)
            lists.multiply_rows(total, part, 0, 2 * k.shape[1], m.K)
        signed = load(self._wire(total, m))
        return store(divide(signed[::2], signed[1::2], gmpy2.mpz(n)), c.shape[1])

    def packed(self, c: Pairs, slots: int, bits: int, n: int) -> Pairs:
        """Return prod_j c_j^(2^(bits j)) for each group of `slots` rows."""
        assert slots > 0 and bits >= 0
        m = _modulus(c, n)
        slots = max(1, min(slots, len(c)))  # a short group alone takes no squarings for what it lacks
        out, x = np.empty((-(-len(c) // slots), c.shape[1]), np.uint8), words(c)
        z = words(out)

        def groups(first: int, end: int) -> None:
            packing.pack(z, x, len(c), slots, bits, m.words, first, end, m.one, m.R2, m.K)

        self._threads.share(len(out), groups, least=8)
        return out

    def powers(self, c: Pairs, exponent: int, n: int) -> Pairs:
        """Return c_i^exponent."""
        m, out = _modulus(c, n), np.empty(c.shape, np.uint8)
        digits, x, z = exponent_digits(exponent), words(c), words(out)
        self._threads.share(
            len(c), lambda i, j: packing.power(z, x, digits, m.words, i, j, m.R2, m.K), least=8
        )
        return out

    def shares_a_factor(self, c: Pairs, n: int) -> bool:
        """Return whether any c_i has a factor in common with n: one greatest common divisor for all."""
        ((x0, _),) = load(self.product(c, n))
        return math.gcd(int(x0), n) != 1

    def crt_decrypt(self, c: Pairs, p: int, q: int) -> Residues:
        """Return the plaintexts."""
        m, key = _modulus(c, p * q), decryption(p, q)
        out = np.empty((len(c), width_of(p * q)), np.uint8)
        x, z = words(c), words(out)
        self._threads.share(len(c), lambda i, j: decrypt(z, x, m.words, i, j, *key), SMALL)
        return out

    def _raised(self, table: Words, exponents: Residues, factors: Pairs, m: Modulus) -> Pairs:
        """Factors times powers of the base of a table."""
        e, f, out = np.ascontiguousarray(exponents).ravel(), words(factors), np.empty(factors.shape, np.uint8)
        size, z = exponents.shape[1], words(out)
        self._threads.share(
            len(out),
            lambda i, j: fixed_base.powers(z, table, e, size, f, m.words, i, j, m.one, m.K),
            least=max(SMALL, SHORT // size),
        )
        return out

    def _limbs(self, c: Pairs, m: Modulus) -> Words:
        """c in limbs as it stands, and one more row that holds one in Montgomery form."""
        out, x = empty((len(c) + 1) * m.row), words(c)
        self._threads.share(len(c), lambda i, j: conversion.to_limbs(out, x, m.words, m.limbs, i, j), SHORT)
        out[-m.row :] = m.one[::8]
        return out

    def _stored(self, c: Pairs, m: Modulus) -> Words:
        """c in Montgomery form, and one more row that holds one."""
        out, x = empty((len(c) + 1) * m.row), words(c)
        self._threads.share(
            len(c), lambda i, j: conversion.to_stored(out, x, m.words, i, j, m.R2, m.K), SHORT
        )
        out[-m.row :] = m.one[::8]
        return out

    def _wire(self, rows: Words, m: Modulus) -> Pairs:
        out = np.empty((len(rows) // m.row, 16 * m.words), np.uint8)
        z = words(out)
        self._threads.share(len(out), lambda i, j: conversion.to_wire(z, rows, m.words, i, j, m.K), SHORT)
        return out

    def _segments(self, rows: Words, order: Integers, ends: Integers, m: Modulus) -> Words:
        """The products of the rows in each segment of a list, as stored rows."""
        unit = len(rows) // m.row - 1
        parts = 8 * (CHUNKS * self._threads.count if len(order) > SMALL * self._threads.count else 1)
        cut, out = empty((len(ends) + parts) * m.row), empty(len(ends) * m.row)
        self._threads.share(
            parts,
            lambda i, j: lists.multiply_segments(cut, rows, unit, order, ends, parts, i, j, m.one, m.K),
            least=8,
        )
        self._threads.share(
            len(ends),
            lambda i, j: lists.join_segments(out, cut, ends, parts, i, j, m.one, m.K),
            SHORT,
        )
        return out

    def _powers_of_columns(self, rows: Words, k: Integers, m: Modulus) -> Words:
        """The products of positive and of negated negative powers, two stored rows for each column."""
        bits = int((k ^ (k >> 63)).max(initial=0)).bit_length() + 1
        w = _window(len(k), bits)
        windows, half = bits // w + 1, 1 << (w - 1)  # the last digit cannot be carried out of
        step = max(1, SEGMENTS // (windows << w))
        done = []
        for columns in _blocks(k.shape[1], step):
            part = np.ascontiguousarray(k[:, columns])
            codes = self._digits(part, windows, w)
            order, ends = _sorted(codes, np.full(codes.shape[1], 2 * half, np.int64))
            done.append(self._joined(self._segments(rows, order, ends, m), codes.shape[1], windows, w, m))
        return np.concatenate(done)

    def _digits(self, k: Integers, windows: int, w: int) -> Integers:
        """The codes of the signed digits of k, `windows` columns for each of its own."""
        codes, flat = np.empty(k.size * windows, np.int64), k.ravel()
        self._threads.share(k.size, lambda i, j: lists.signed_digits(codes, flat, windows, w, i, j), NUMBERS)
        return codes.reshape(len(k), k.shape[1] * windows)

    def _joined(self, buckets: Words, lists_: int, windows: int, w: int, m: Modulus) -> Words:
        sums, out = empty(2 * lists_ * m.row), empty(2 * lists_ // windows * m.row)
        self._threads.share(
            2 * lists_,
            lambda i, j: lists.collapse(sums, buckets, 1 << (w - 1), i, j, m.one, m.K),
            least=max(8, SHORT >> w),
        )
        lists.join_windows(out, sums, windows, w, 0, len(out) // m.row, m.K)
        return out

    def _new_table(self, base: int, n: int, bits: int) -> Words:
        m, lines = modulus(n), -(-bits // fixed_base.WINDOW)
        inverse = int(gmpy2.invert(base, n**2))
        bases, inverses = empty(lines * m.row), empty(lines * m.row)
        fixed_base.line_bases(bases, lines, m.stored(base), m.K)
        fixed_base.line_bases(inverses, lines, m.stored(inverse), m.K)
        table = empty((lines * m.row) << fixed_base.WINDOW)
        self._threads.share(
            lines, lambda i, j: fixed_base.build(table, i, j, bases, inverses, m.one, m.K), least=8
        )
        return table

    def _new_montgomery_table(self, n: int) -> Words:
        R = 1 << (LIMB * modulus(n).limbs)
        return self._new_table(R % n**2, n, 8 * COUNT_BYTES)


def _modulus(c: Pairs, n: int) -> Modulus:
    m = modulus(n)
    assert c.dtype == np.uint8 and c.ndim == 2 and c.shape[1] == 16 * m.words
    return m


def _sorted(codes: Integers, sizes: Integers) -> tuple[Integers, Integers]:
    """The rows by code, column after column, and where the list of each code ends; no others are listed."""
    order, ends = np.empty(codes.size, np.int64), np.zeros(sizes.sum(), np.int64)
    lists.sort_by_code(order, ends, np.ascontiguousarray(codes, np.int64).ravel(), sizes)
    return order, ends


def _blocks(count: int, size: int, first: int = 0) -> Iterator[slice]:
    for i in range(first, first + count, size):
        yield slice(i, min(i + size, first + count))


def _window(rows: int, bits: int) -> int:
    """The bits of a digit that take the fewest products: one for each row, two for each bucket."""
    return min(range(2, 14), key=lambda w: (bits // w + 1) * (rows + 2 * (1 << w)))
