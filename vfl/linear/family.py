"""What tells one generalised linear model from another: link, residual and deviance, as pure functions.

    linear    mu = u      r = w (a + m - y) + w h v             v = (b - m) / h
    poisson   mu = e^u    r = -w y + w e^(a + hi) v             v = e^(b - hi)
    gamma     mu = e^u    r = w - w y e^(-a - lo) v             v = e^(lo - b)

u = a + b is the linear predictor, a the guest's part with its offset, b the hosts' part in [lo, hi], whose
middle is m and whose half width is h; w is what a row counts.  r is the derivative of half the deviance by
u (McCullagh and Nelder 1989, 2.5), with the log link for gamma.  Each is c_0 + c_1 v, of which the guest
knows c_0 and c_1, and hosts v: exactly, so that no polynomial is needed as for the sigmoid.  Every v lies in
[-1, 1]; of a sum of hosts' b it is a product of theirs with the log link, and a weighted mean else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Name = Literal["linear", "poisson", "gamma"]


@dataclass(frozen=True, slots=True)
class Target:
    """What the guest knows of its rows: outcomes, what each counts, and what is added to its predictor."""

    y: Vector
    weight: Vector
    offset: Vector

    def take(self, rows: NDArray[np.bool_]) -> Target:
        """Return what is known of some of the rows."""
        return Target(self.y[rows], self.weight[rows], self.offset[rows])


@dataclass(frozen=True, slots=True)
class Family:
    """One of them.  `power`: mu^power is the variance of an outcome, but for its scale."""

    name: Name
    power: int
    factor: Callable[[Vector, float, float], Vector]
    """v of b, lo and hi."""
    terms: Callable[[Vector, Vector, float, float], tuple[Vector, Vector]]
    """c_0 and c_1 of a, y, lo and hi, for rows that count once."""

    @property
    def is_log(self) -> bool:
        """Whether the link is the logarithm, and not the identity."""
        return self.power > 0

    def mean(self, u: Vector) -> Vector:
        """Return mu."""
        return np.exp(u) if self.is_log else u

    def without_offset(self, target: Target) -> tuple[Vector, Vector]:
        """Return outcomes and weights whose regression without offsets has the same residuals."""
        if not self.is_log:
            return target.y - target.offset, target.weight
        exposure = np.exp(target.offset)
        return target.y / exposure, target.weight * exposure if self.power == 1 else target.weight

    def level(self, target: Target) -> Vector:
        """Return the mu of a model without columns: one level for all rows, each with its offset."""
        y, weight = self.without_offset(target)
        mean = float(np.average(y, weights=weight))
        return np.exp(target.offset) * mean if self.is_log else target.offset + mean

    def residual(self, target: Target, mu: Vector) -> Vector:
        """Return r of predictions mu."""
        slope = mu ** (1 - self.power) if self.is_log else 1.0
        return target.weight * (mu - target.y) * slope


def _linear_factor(b: Vector, lo: float, hi: float) -> Vector:
    return np.clip((2.0 * b - lo - hi) / (hi - lo), -1.0, 1.0)


def _linear_terms(a: Vector, y: Vector, lo: float, hi: float) -> tuple[Vector, Vector]:
    return a + 0.5 * (lo + hi) - y, np.full(len(a), 0.5 * (hi - lo))


def _poisson_factor(b: Vector, _lo: float, hi: float) -> Vector:
    return np.exp(np.minimum(b - hi, 0.0))


def _poisson_terms(a: Vector, y: Vector, _lo: float, hi: float) -> tuple[Vector, Vector]:
    return -y, np.exp(a + hi)


def _gamma_factor(b: Vector, lo: float, _hi: float) -> Vector:
    return np.exp(np.minimum(lo - b, 0.0))


def _gamma_terms(a: Vector, y: Vector, lo: float, _hi: float) -> tuple[Vector, Vector]:
    return np.ones(len(a)), -y * np.exp(-a - lo)


LINEAR = Family("linear", 0, _linear_factor, _linear_terms)
POISSON = Family("poisson", 1, _poisson_factor, _poisson_terms)
GAMMA = Family("gamma", 2, _gamma_factor, _gamma_terms)

FAMILIES: dict[str, Family] = {family.name: family for family in (LINEAR, POISSON, GAMMA)}
