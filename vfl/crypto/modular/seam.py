"""What every arithmetic backend can do.

Notation: c_i are residues modulo m, products are modulo m, Python loops over rows never appear
above this seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.residues import Residues

Integers = NDArray[np.int64]


class Modular(Protocol):
    """Batches of modular work."""

    def multiply(self, a: Residues, b: Residues, m: int) -> Residues:
        """Return a_i b_i: shape (n, width)."""
        ...

    def product(self, c: Residues, m: int) -> Residues:
        """Return prod_i c_i: shape (1, width)."""
        ...

    def sum_by_bin(self, c: Residues, codes: Integers, bins: Sequence[int], m: int) -> list[Residues]:
        """Return for each column j and bin k the product of the c_i with codes[i, j] = k.

        `codes`: shape (n, d), 0 <= codes[:, j] < bins[j].  Result: d arrays of shape (bins[j], width);
        an empty bin holds 1.
        """
        ...

    def fixed_base_powers(self, base: int, exponents: Residues, m: int, times: Residues) -> Residues:
        """Return times_i base^(e_i): shape (n, width)."""
        ...

    def row_powers(self, c: NDArray[np.uint8], k: Integers, m: int) -> Residues:
        """Return prod_j c_ij^(k_ij), signed: c of shape (n, q, width), k of shape (n, q)."""
        ...

    def multi_exponentiation(self, c: Residues, k: Integers, m: int) -> Residues:
        """Return prod_i c_i^(k_ij) for each j, signed: k of shape (n, d), result (d, width)."""
        ...

    def crt_decrypt(self, c: Residues, p: int, q: int) -> Residues:
        """Return the Paillier plaintexts of c under N = pq, generator 1 + N: shape (n, width of N)."""
        ...
