"""Which of a party's columns enter the model, from its own training rows alone.

    information value   between the least and the most; beyond 0.5 look for a leak of the outcome
    correlation         |r| of two columns beyond the most: the one with the lower IV goes, the
                        strongest columns choosing first
    variance inflation  VIF_j = (R^-1)_jj beyond the most: the highest goes, until none is; R is
                        the matrix of correlations, so VIF_j = 1 / (1 - R_j^2) of column j on the others

in this order.  A column that is the same in every row correlates with none.

Siddiqi, "Credit Risk Scorecards" (2006), ch. 6; Marquardt, Technometrics 12 (1970).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SelectionLimits:
    """The bounds of information values, of correlations and of variance inflation; None for no bound."""

    min_iv: float | None = None
    max_iv: float | None = None
    max_correlation: float | None = None
    max_vif: float | None = None


def left_out(x: Matrix, values: Mapping[str, float], limits: SelectionLimits) -> dict[str, str]:
    """Return why each column that does not pass is left out; `values`: IV by column, in the order of x."""
    names = list(values)
    out = {name: why for name, iv in values.items() if (why := _by_value(iv, limits))}
    r = correlations(x)
    if limits.max_correlation is not None:
        ranked = sorted((n for n in names if n not in out), key=lambda n: -values[n])
        places = [names.index(name) for name in ranked]
        out |= {
            names[j]: f"its correlation with {names[near]} is {r[j, near]:.2f}"
            for j, near in overlapping(r, places, limits.max_correlation).items()
        }
    if limits.max_vif is not None:
        out |= _by_inflation(r, names, [n for n in names if n not in out], limits.max_vif)
    return out


def correlations(x: Matrix) -> Matrix:
    """Return Pearson's correlations of the columns of x, shape (d, d); 0 with a constant one."""
    centred = x - x.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    # Rounding of the mean gives a constant a length that is not 0.
    constant = x.max(axis=0) == x.min(axis=0)
    scaled = np.where(constant, 0.0, centred / np.where(constant, 1.0, lengths))
    r = scaled.T @ scaled
    np.fill_diagonal(r, 1.0)
    return np.asarray(r)


def inflation(r: Matrix) -> Matrix:
    """Return each column's variance inflation factor, infinite where it is a sum of the others."""
    if np.linalg.matrix_rank(r, hermitian=True) < len(r):
        return np.full(len(r), np.inf)
    return np.asarray(np.diag(np.linalg.inv(r)))


def overlapping(r: Matrix, ranked: Sequence[int], most: float) -> dict[int, int]:
    """Return each column that goes with the one that stays in its place; `ranked`: who chooses first."""
    kept: list[int] = []
    out: dict[int, int] = {}
    for j in ranked:
        near = next((k for k in kept if abs(r[j, k]) > most), None)
        if near is None:
            kept.append(j)
        else:
            out[j] = near
    return out


def _by_value(iv: float, limits: SelectionLimits) -> str:
    if limits.min_iv is not None and iv < limits.min_iv:
        return f"its information value {iv:.4f} is below {limits.min_iv:g}"
    if limits.max_iv is not None and iv > limits.max_iv:
        return f"its information value {iv:.4f} is above {limits.max_iv:g}"
    return ""


def _by_inflation(r: Matrix, names: list[str], kept: list[str], most: float) -> dict[str, str]:
    out: dict[str, str] = {}
    while len(kept) > 1:
        places = [names.index(name) for name in kept]
        factors = inflation(r[np.ix_(places, places)])
        if not factors.max() > most:
            break
        # Of equals, as in a matrix without full rank, the last: files name what matters first.
        worst = len(kept) - 1 - int(np.argmax(factors[::-1]))
        out[kept[worst]] = f"its variance inflation is {factors[worst]:.3g}"
        del kept[worst]
    return out
