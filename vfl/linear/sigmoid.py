"""The separable sigmoid: sigma(a + b) as a polynomial in tau(b) whose coefficients depend on a alone.

The guest knows its logit a_i in the clear.  The host maps its logit b_i from the declared range
[lo, hi] to tau_i in [-1, 1] and sends the Chebyshev powers T_1(tau_i), ..., T_q(tau_i) encrypted.
The guest interpolates tau -> sigma(a_i + b(tau)) at the q + 1 Chebyshev nodes and gets

    sigma(a_i + b_i) = sum_{j=0..q} c_j(a_i) T_j(tau_i)  +  O(rho^-q)

with rho set by the nearest singularity of the interpolated function (Trefethen, Approximation
Theory and Approximation Practice, theorem 8.2).

    Differs from the design's linear tau: tau(b) is affine in tanh((b - centre) / (2 spread)).
    The tail in which the sigmoid is flat anyway is squeezed, which moves the singularities away
    from [-1, 1].  Degrees for an error of 3e-5, linear against curved: WOE columns of give_credit
    7 / 6, default_credit 7 / 6, caravan 12 / 9, breast 57 / 21; standardised columns of
    default_credit, whose logits reach -27, 38 / 14.  A large spread is the linear map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Curve = Callable[[Vector], Vector]
"""A function of logits, one by one."""

RANGE_STEP = 0.5
"""A declared range is rounded outward to multiples of this, so that it says little of one row."""

MAX_DEGREE = 64

STRAIGHT = 1e6
"""A spread so large that the map is linear."""

STEEPEST = 18.0
"""Largest argument whose tanh a float64 tells from 1."""

_SPREADS = (1.25, 1.5, 2.0, 3.0, 5.0, 100.0)
_CENTRES = 9


@dataclass(frozen=True, slots=True)
class Interval:
    """The host's declared range of logits and the map tau from it onto [-1, 1]."""

    lo: float
    hi: float
    centre: float = 0.0
    spread: float = 100.0

    def tau(self, b: Vector) -> Vector:
        """Map logits to [-1, 1]; those outside the range are clipped to it."""
        low, high = self._ends()
        bent = np.tanh((np.clip(b, self.lo, self.hi) - self.centre) / (2.0 * self.spread))
        return np.clip((2.0 * bent - low - high) / (high - low), -1.0, 1.0)

    def logit(self, tau: Vector) -> Vector:
        """Return the logit that tau stands for."""
        low, high = self._ends()
        bent = np.clip(0.5 * ((high - low) * tau + high + low), low, high)
        return np.asarray(self.centre + 2.0 * self.spread * np.arctanh(bent), dtype=np.float64)

    def _ends(self) -> tuple[float, float]:
        scale = 2.0 * self.spread
        return math.tanh((self.lo - self.centre) / scale), math.tanh((self.hi - self.centre) / scale)


def sigmoid(u: Vector) -> Vector:
    """Return 1 / (1 + e^-u) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * u)), dtype=np.float64)


def curvature(u: Vector) -> Vector:
    """Return the sigmoid's derivative, sigma(u) (1 - sigma(u))."""
    return np.asarray(0.25 / np.cosh(0.5 * np.clip(u, -1e3, 1e3)) ** 2, dtype=np.float64)


def declared_range(b: Vector) -> tuple[float, float]:
    """Return [lo, hi] around all logits, rounded outward; never empty."""
    lo = RANGE_STEP * math.floor(float(b.min()) / RANGE_STEP)
    hi = RANGE_STEP * math.ceil(float(b.max()) / RANGE_STEP)
    return (lo, hi) if lo < hi else (lo - RANGE_STEP, hi + RANGE_STEP)


def chebyshev_powers(b: Vector, interval: Interval, degree: int) -> Matrix:
    """Return T_1(tau), ..., T_q(tau) of the logits: shape (n, q), entries in [-1, 1]."""
    return np.asarray(chebyshev.chebvander(interval.tau(b), degree)[:, 1:], dtype=np.float64)


def separable_coefficients(a: Vector, interval: Interval, degree: int, of: Curve = sigmoid) -> Matrix:
    """Return c_0(a), ..., c_q(a) of the interpolant of sigma(a + b), or another curve: shape (n, q + 1)."""
    nodes, weights = _nodes(degree)
    return of(a[:, None] + interval.logit(nodes)[None, :]) @ weights


@lru_cache(MAX_DEGREE)  # a search for the least degree asks for the same ones again and again
def _nodes(degree: int) -> tuple[Vector, Matrix]:
    """Return the Chebyshev nodes, and what makes coefficients of the values there."""
    nodes: Vector = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    weights = np.asarray(chebyshev.chebvander(nodes, degree), np.float64) * (2.0 / (degree + 1))
    weights[:, 0] *= 0.5
    return nodes, weights


@lru_cache(MAX_DEGREE)
def _between(degree: int) -> tuple[Vector, Matrix]:
    """Return points between the nodes, and the polynomials T_0, ..., T_q there: shape (q + 1, points)."""
    tau: Vector = np.cos(np.linspace(0.0, np.pi, 12 * (degree + 2)))
    return tau, np.asarray(chebyshev.chebvander(tau, degree).T, np.float64)


def taylor_coefficients(a: Vector, interval: Interval) -> Matrix:
    """Return c_0, c_1 of the classic u/4 + 1/2, which keeps the ranking and ruins the PD: (n, 2).

    Its interval must be linear in the logit: a large spread.
    """
    middle, half = 0.5 * (interval.hi + interval.lo), 0.5 * (interval.hi - interval.lo)
    return np.column_stack([0.5 + 0.25 * (a + middle), np.full(len(a), 0.25 * half)])


@dataclass(frozen=True, slots=True)
class Polynomial:
    """What guest and host agree on for one gradient: the map of the host's logit, and the degree."""

    interval: Interval
    degree: int
    is_taylor: bool = False

    @classmethod
    def fitting(
        cls, a: Vector, lo: float, hi: float, error: float, *, bent: bool = True, of: Curve = sigmoid
    ) -> Polynomial:
        """Return the one of least degree that errs by at most `error` for guest logits a.

        `bent`: whether the map may be another than the linear one.  `of`: of which curve.
        """
        return cls(*approximation_for(a, lo, hi, error, bent=bent, of=of))

    @classmethod
    def taylor(cls, lo: float, hi: float) -> Polynomial:
        """Return the straight line."""
        return cls(Interval(lo, hi, 0.5 * (lo + hi), STRAIGHT), 1, True)

    def powers(self, b: Vector) -> Matrix:
        """Return the host's side: shape (n, q)."""
        return chebyshev_powers(b, self.interval, self.degree)

    def coefficients(self, a: Vector) -> Matrix:
        """Return the guest's side, c_0 first: shape (n, q + 1)."""
        if self.is_taylor:
            return taylor_coefficients(a, self.interval)
        return separable_coefficients(a, self.interval, self.degree)


def interpolation_error(a: Vector, interval: Interval, degree: int, of: Curve = sigmoid) -> float:
    """Return the largest error of the interpolant over the interval, for guest logits a (a grid)."""
    tau, polynomials = _between(degree)
    fit = separable_coefficients(a, interval, degree, of) @ polynomials
    return float(np.abs(fit - of(a[:, None] + interval.logit(tau)[None, :])).max())


def approximation_for(
    a: Vector, lo: float, hi: float, error: float, *, bent: bool = True, of: Curve = sigmoid
) -> tuple[Interval, int]:
    """Return the map and the smallest degree whose interpolant errs by at most `error`.

    Where no degree up to MAX_DEGREE does, the map that errs least at MAX_DEGREE.
    """
    grid = np.linspace(float(a.min()), float(a.max()), 25)
    maps = list(_maps(lo, hi)) if bent else [Interval(lo, hi, 0.5 * (lo + hi), STRAIGHT)]
    for degree in range(1, MAX_DEGREE):
        for interval in maps:
            if interpolation_error(grid, interval, degree, of) <= error:
                return interval, degree
    return min(maps, key=lambda m: interpolation_error(grid, m, MAX_DEGREE, of)), MAX_DEGREE


def _maps(lo: float, hi: float) -> Iterator[Interval]:
    # Where tanh rounds to 1 it has no inverse; the last spread serves any range that is accepted.
    for spread in (s for s in _SPREADS if hi - lo < 2 * STEEPEST * s):
        for centre in np.linspace(lo, hi, _CENTRES):
            yield Interval(lo, hi, float(centre), spread)
