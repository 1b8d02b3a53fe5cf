"""What every arithmetic backend can do.

Notation: n is the modulus of a key; the c_i, and all products, are numbers modulo n^2 as `Pairs`.
Python loops over rows never appear above this seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.pairs import Pairs
from vfl.crypto.modular.residues import Residues

Integers = NDArray[np.int64]


class Modular(Protocol):
    """Batches of modular work: N rows, d columns, pairs of `width` bytes."""

    def multiply(self, a: Pairs, b: Pairs, n: int) -> Pairs:
        """Return a_i b_i: shape (N, width)."""
        ...

    def product(self, c: Pairs, n: int) -> Pairs:
        """Return prod_i c_i: shape (1, width)."""
        ...

    def sum_by_bin(self, c: Pairs, codes: Integers, bins: Sequence[int], n: int) -> list[Pairs]:
        """Return for each column j and bin k the product of the c_i with codes[i, j] = k.

        `codes`: shape (N, d), 0 <= codes[:, j] < bins[j].  Result: d arrays of shape (bins[j], width);
        an empty bin holds 1.
        """
        ...

    def fixed_base_powers(self, base: int, exponents: Residues, n: int, factors: Pairs) -> Pairs:
        """Return factor_i base^(e_i): shape (N, width)."""
        ...

    def row_powers(self, c: NDArray[np.uint8], k: Integers, n: int) -> Pairs:
        """Return prod_j c_ij^(k_ij), signed: c of shape (N, q, width), k of shape (N, q)."""
        ...

    def multi_exponentiation(self, c: Pairs, k: Integers, n: int) -> Pairs:
        """Return prod_i c_i^(k_ij) for each j, signed: k of shape (N, d), result (d, width)."""
        ...

    def packed(self, c: Pairs, slots: int, bits: int, n: int) -> Pairs:
        """Return prod_j c_(S i + j)^(2^(bits j)), j < S = slots, for each i: shape (ceil(N / S), width).

        The last group may hold fewer than S rows.
        """
        ...

    def powers(self, c: Pairs, exponent: int, n: int) -> Pairs:
        """Return c_i^exponent, one public exponent above 0: shape (N, width)."""
        ...

    def shares_a_factor(self, c: Pairs, n: int) -> bool:
        """Return whether any c_i has a factor in common with n."""
        ...

    def crt_decrypt(self, c: Pairs, p: int, q: int) -> Residues:
        """Return the Paillier plaintexts of c under n = pq, generator 1 + n: shape (N, width_of(n))."""
        ...
