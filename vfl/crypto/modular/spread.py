"""Modular arithmetic on a cluster's workers: each computes with the best backend that runs there.

Backends agree bit for bit, so that it makes no difference which worker does what.  What takes longer to
send than to compute is done here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from operator import methodcaller

import numpy as np
from numpy.typing import NDArray

from vfl.cluster import WORTH, Cluster, Workers
from vfl.crypto.modular.choice import best
from vfl.crypto.modular.gmp import Gmp
from vfl.crypto.modular.kernels import FEW
from vfl.crypto.modular.pairs import Pairs
from vfl.crypto.modular.residues import Residues
from vfl.crypto.modular.seam import Integers, Modular

BIT = 33e-9
"""Seconds that a row takes at 2048 bits on one core with IFMA, for each bit of a randomiser."""

FACTOR = 5e-6
"""The same for each factor of a product of powers."""

CELL = 0.4e-6
"""The same for each cell of a sum by bin."""

TERM = 0.8e-6
"""The same for each term of a multi-exponentiation."""

SQUARING = 0.3e-6
"""The same for each bit of a slot, or of one exponent for all rows."""

DECRYPTION = 190e-6
"""The same for a decryption."""

GMP = 14
"""How many times as long everything takes without IFMA."""


class Spread:
    """Modular arithmetic on the workers of `cluster`, and `here` what is not worth sending.

    `wanted`: the backend at the workers, None for the fastest that each can run.  `worth`: seconds of
    work from which a chunk is sent.
    """

    def __init__(
        self, cluster: Cluster, here: Modular, wanted: str | None = None, worth: float = WORTH
    ) -> None:
        worth /= GMP if isinstance(here, Gmp) else 1
        self._here, self._workers = here, Workers(cluster, best, wanted, worth)

    def __repr__(self) -> str:
        return f"Spread({self._workers.cluster!r}, {self._here!r})"

    def multiply(self, a: Pairs, b: Pairs, n: int) -> Pairs:
        """Return a_i b_i: a microsecond a row, here."""
        return self._here.multiply(a, b, n)

    def product(self, c: Pairs, n: int) -> Pairs:
        """Return prod_i c_i: here, for the same reason."""
        return self._here.product(c, n)

    def sum_by_bin(self, c: Pairs, codes: Integers, bins: Sequence[int], n: int) -> list[Pairs]:
        """Return the products by bin: rows are shared, their products joined here."""
        rows, columns = codes.shape
        cuts = self._workers.cut(rows, CELL * columns, c.shape[1] + 8 * columns)
        if len(cuts) < 2:
            return self._here.sum_by_bin(c, codes, bins, n)
        name, sizes = "sum_by_bin", list(bins)
        parts = self._workers.map(methodcaller(name, c[s], codes[s], sizes, n) for s in cuts)
        total = self._joined([np.concatenate(part) for part in parts], n)
        return np.split(total, np.cumsum(sizes)[:-1])

    def fixed_base_powers(self, base: int, exponents: Residues, n: int, factors: Pairs) -> Pairs:
        """Return factor_i base^(e_i)."""
        rows, size = exponents.shape
        cuts = self._workers.cut(rows, BIT * 8 * max(size, 1), size + 2 * factors.shape[1], FEW)
        if len(cuts) < 2:
            return self._here.fixed_base_powers(base, exponents, n, factors)
        name = "fixed_base_powers"
        return self._rows(methodcaller(name, base, exponents[s], n, factors[s]) for s in cuts)

    def row_powers(self, c: NDArray[np.uint8], k: Integers, n: int) -> Pairs:
        """Return prod_j c_ij^(k_ij), signed."""
        rows, q, width = c.shape
        cuts = self._workers.cut(rows, FACTOR * max(q, 1), q * (width + 8))
        if len(cuts) < 2:
            return self._here.row_powers(c, k, n)
        return self._rows(methodcaller("row_powers", c[s], k[s], n) for s in cuts)

    def multi_exponentiation(self, c: Pairs, k: Integers, n: int) -> Pairs:
        """Return prod_i c_i^(k_ij): rows are shared, their products joined here."""
        rows, columns = k.shape
        cuts = self._workers.cut(rows, TERM * max(columns, 1), c.shape[1] + 8 * columns)
        if len(cuts) < 2:
            return self._here.multi_exponentiation(c, k, n)
        return self._joined(
            self._workers.map(methodcaller("multi_exponentiation", c[s], k[s], n) for s in cuts), n
        )

    def packed(self, c: Pairs, slots: int, bits: int, n: int) -> Pairs:
        """Return prod_j c_(S i + j)^(2^(bits j)): whole groups are shared."""
        groups = -(-len(c) // slots)
        cuts = self._workers.cut(groups, SQUARING * slots * max(bits, 1), slots * c.shape[1])
        if len(cuts) < 2:
            return self._here.packed(c, slots, bits, n)
        return self._rows(
            methodcaller("packed", c[s.start * slots : s.stop * slots], slots, bits, n) for s in cuts
        )

    def powers(self, c: Pairs, exponent: int, n: int) -> Pairs:
        """Return c_i^exponent."""
        cuts = self._workers.cut(len(c), SQUARING * exponent.bit_length(), c.shape[1])
        if len(cuts) < 2:
            return self._here.powers(c, exponent, n)
        return self._rows(methodcaller("powers", c[s], exponent, n) for s in cuts)

    def shares_a_factor(self, c: Pairs, n: int) -> bool:
        """Return whether any c_i has a factor in common with n: here, as a product."""
        return self._here.shares_a_factor(c, n)

    def crt_decrypt(self, c: Pairs, p: int, q: int) -> Residues:
        """Return the plaintexts: p and q go to the workers."""
        cuts = self._workers.cut(len(c), DECRYPTION, c.shape[1])
        if len(cuts) < 2:
            return self._here.crt_decrypt(c, p, q)
        return self._rows(methodcaller("crt_decrypt", c[s], p, q) for s in cuts)

    def _rows(self, calls: Iterable[Callable[[Modular], Pairs]]) -> Pairs:
        return np.concatenate(self._workers.map(calls))

    def _joined(self, parts: list[Pairs], n: int) -> Pairs:
        return functools.reduce(lambda a, b: self._here.multiply(a, b, n), parts)
