"""The generalised linear model of one table in the clear: a guest's own, from which a joint fit begins.

    minimise  sum_i w_i d_i / 2 + sum_j coef_j^2 / (2 C),    d_i the unit deviance, the intercept free

scikit-learn divides the first sum by that of the weights, but in its ridge and for labels; penalties are
translated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import GammaRegressor, LogisticRegression, PoissonRegressor, Ridge

from vfl.linear.family import Family, Target

Vector = NDArray[np.float64]
TIGHT = 1e-9
MOST = 500
"""Iterations of a solver that takes less than twenty."""


def fitted(family: Family, x: NDArray[np.float64], target: Target, strength: float) -> Vector:
    """Return the intercept and the coefficients; x of shape (n, d), `strength` is C."""
    y, weight = family.without_offset(target)
    fit: Ridge | PoissonRegressor | GammaRegressor
    if not family.is_log:
        fit = Ridge(alpha=1 / strength, solver="cholesky")
    else:
        kind = PoissonRegressor if family.power == 1 else GammaRegressor
        alpha = 1 / (strength * float(weight.sum()))
        fit = kind(alpha=alpha, solver="newton-cholesky", tol=TIGHT, max_iter=MOST)
    fit.fit(x, y, sample_weight=weight)
    return np.concatenate([[fit.intercept_], fit.coef_])


def fitted_labels(
    x: NDArray[np.float64], y: NDArray[np.int8], strength: float, weight: Vector | None = None
) -> Vector:
    """Return the intercept and the coefficients of a logistic regression of labels; x of shape (n, d)."""
    fit = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-10, max_iter=MOST)
    fit.fit(x, y, sample_weight=weight)
    return np.concatenate([fit.intercept_, fit.coef_[0]])
