"""The mathematics of the joint regression, in plaintext: split columns reach the pooled optimum."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.polynomial import chebyshev
from sklearn.linear_model import LogisticRegression

from vfl.linear import whitening
from vfl.linear.bfgs import Bfgs
from vfl.linear.relay import polynomials_of_sum
from vfl.linear.sigmoid import (
    MAX_DEGREE,
    Interval,
    approximation_for,
    chebyshev_powers,
    declared_range,
    interpolation_error,
    separable_coefficients,
    sigmoid,
    taylor_coefficients,
)


@pytest.mark.parametrize("span", [(-1.0, 2.5), (-3.5, 3.5), (-27.0, 1.0)])
def test_the_separable_sigmoid_keeps_its_error(span: tuple[float, float]) -> None:
    a = np.linspace(-4.0, 2.0, 60)
    b = np.linspace(*span, 60)
    interval, degree = approximation_for(a, *span, 1e-5)
    assert degree < MAX_DEGREE
    fit = separable_coefficients(a, interval, degree)
    got = fit[:, 0] + (fit[:, 1:] * chebyshev_powers(b, interval, degree)).sum(1)
    assert np.abs(got - sigmoid(a + b)).max() <= 1.1e-5


def test_the_error_falls_with_the_degree() -> None:
    a, interval = np.linspace(-3, 3, 9), Interval(-2.0, 2.0)
    errors = [interpolation_error(a, interval, q) for q in (2, 4, 8, 16)]
    assert all(later < 0.2 * earlier for earlier, later in pairwise(errors))


def test_taylor_is_linear_in_the_logit() -> None:
    a, b, interval = np.linspace(-2, 2, 9), np.linspace(-1, 1, 9), Interval(-1.0, 1.0, spread=1e4)
    c = taylor_coefficients(a, interval)
    got = c[:, 0] + c[:, 1] * chebyshev_powers(b, interval, 1)[:, 0]
    np.testing.assert_allclose(got, 0.5 + (a + b) / 4, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.9])
def test_polynomials_of_a_sum_are_sums_of_polynomials(alpha: float) -> None:
    s, beta = np.random.default_rng(4).uniform(-1, 1, (2, 200)) * [[1.0], [1 - alpha]]
    known, wanted = (chebyshev.chebvander(v, MAX_DEGREE) for v in (s, alpha * s + beta))
    for j, m in enumerate(polynomials_of_sum(alpha, beta, MAX_DEGREE), start=1):
        assert m.shape == (200, j + 1)
        assert np.abs(m).max() <= 2
        np.testing.assert_allclose((m * known[:, : j + 1]).sum(1), wanted[:, j], atol=1e-12)


def test_a_declared_range_is_rounded_outward() -> None:
    assert declared_range(np.array([-0.2, 1.3])) == (-0.5, 1.5)
    assert declared_range(np.zeros(3)) == (-0.5, 0.5)


def test_whitened_columns_have_unit_curvature_at_most() -> None:
    x = np.random.default_rng(1).normal(size=(500, 4)) @ np.diag([1, 10, 0.1, 3])
    lower = whitening.factor(x, np.ones(4))
    white = np.array([whitening.to_white(lower, column) for column in (x.T @ x / 4)]).T
    assert np.linalg.eigvalsh(whitening.to_white(lower, white.T)).max() <= 1.0


def test_together_equals_pooled() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3000, 7))
    y = (rng.random(3000) < sigmoid(x @ np.linspace(-0.6, 0.6, 7) - 1)).astype(float)
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x, y)
    parts = [np.column_stack([np.ones(3000), x[:, :3]]), x[:, 3:]]
    penalties = [np.array([0.0, 1, 1, 1]), np.ones(4)]
    factors = [whitening.factor(p, q) for p, q in zip(parts, penalties, strict=True)]
    w = [np.zeros(4), np.zeros(4)]
    seen: list[list[np.ndarray]] = [[], []]
    optimiser = Bfgs()
    for _ in range(20):
        residual = sigmoid(sum(p @ v for p, v in zip(parts, w, strict=True))) - y
        for k in (0, 1):
            gradient = parts[k].T @ residual + penalties[k] * w[k]
            seen[k].append(whitening.to_white(factors[k], gradient))
        step = optimiser.step(sum(np.array(g) @ g[-1] for g in seen))
        for k in (0, 1):
            w[k] = w[k] + whitening.from_white(factors[k], step @ np.array(seen[k]))
    joint = np.concatenate(w)
    np.testing.assert_allclose(joint[1:], pooled.coef_[0], atol=1e-8)
    np.testing.assert_allclose(joint[0], pooled.intercept_[0], atol=1e-8)
