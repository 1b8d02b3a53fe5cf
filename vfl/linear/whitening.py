"""Local whitening: each party's own coordinates in which the joint loss is nearly round.

    L L^T = X^T X / 4 + penalty,    z = L^T w,    gradient in z = L^-1 gradient in w

X^T X / 4 bounds the Hessian of the logistic loss (Boehning and Lindsay 1988), so in z the joint
Hessian's eigenvalues lie in (0, number of parties].  Each party factors its own columns; nothing
is exchanged.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.fixed_point import encode

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

STEEPEST_SIGMOID = 0.25
"""The largest variance of a label, and derivative of the sigmoid."""

MATRIX_BITS = 30
"""Bits of the largest entry of L^-1 where sums are whitened under encryption."""

RIDGE = 1e-9
"""Relative to the largest diagonal entry: lets collinear unpenalised columns be factored."""


def factor(x: Matrix, penalty: Vector, variance: float = STEEPEST_SIGMOID) -> Matrix:
    """Return the lower triangular L, shape (d, d), of a party's columns and their penalties.

    `variance`: what stands for 1/4 where the loss is another than the logistic one, an outcome's mean.
    """
    gram = variance * (x.T @ x) + np.diag(penalty)
    gram[np.diag_indices_from(gram)] += RIDGE * gram.diagonal().max()
    return np.asarray(np.linalg.cholesky(gram), dtype=np.float64)


def as_integers(lower: Matrix) -> tuple[NDArray[np.int64], int]:
    """Return L^-1 as integers of 30 bits, shape (d, d), and their fractional bits."""
    inverse = np.asarray(np.linalg.inv(lower), dtype=np.float64)
    fraction = MATRIX_BITS - math.ceil(math.log2(np.abs(inverse).max()))
    return encode(inverse, fraction), fraction


def to_white(lower: Matrix, gradient: Vector) -> Vector:
    """Return L^-1 gradient."""
    return np.asarray(np.linalg.solve(lower, gradient), dtype=np.float64)


def from_white(lower: Matrix, step: Vector) -> Vector:
    """Return L^-T step: a step in whitened coordinates as a change of coefficients."""
    return np.asarray(np.linalg.solve(lower.T, step), dtype=np.float64)
