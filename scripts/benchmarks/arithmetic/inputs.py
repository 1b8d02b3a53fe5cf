"""What every implementation computes with: the same kind of numbers for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

ENCRYPT = "encrypt, |N|/2 bits"
SHORT = "encrypt, 448 bits"
DECRYPT = "decrypt"
ADD = "add"
WOE = "X^T r, 5 WOE columns"
POWERS = "5 times 20 bits, rows"
PRODUCT = "10 x 1000 of 24 bits"

BIN_COLUMNS = (5, 10, 13)
BINS = 32


def by_bin(columns: int) -> str:
    """Return the name of sums by bin."""
    return f"sum by bin, {columns} columns"


def numeric(bits: int) -> str:
    """Return the name of a product with columns of many values."""
    return f"X^T r, 10 columns, {bits} bits"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Signed residuals, codes of bins, weights and powers for some rows."""

    rows: int
    residuals: Integers
    codes: dict[int, Integers]
    powers: Integers
    matrix: Integers

    @classmethod
    def drawn(cls, rows: int) -> Inputs:
        """Return numbers of the sizes that a training has."""
        rng = np.random.default_rng(1)
        return cls(
            rows,
            rng.integers(-1000, 1000, rows),
            {columns: rng.integers(0, BINS, (rows, columns)) for columns in BIN_COLUMNS},
            rng.integers(-(2**20), 2**20, (max(1, rows // 5), 5)),
            rng.integers(-(2**24), 2**24, (1000, 10)),
        )
