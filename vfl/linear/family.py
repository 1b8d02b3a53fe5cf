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

    def without_offset(self, y: Vector, weight: Vector, offset: Vector) -> tuple[Vector, Vector]:
        """Return outcomes and weights whose regression without offsets has the same residuals."""
        if not self.is_log:
            return y - offset, weight
        exposure = np.exp(offset)
        return y / exposure, weight * exposure if self.power == 1 else weight


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
