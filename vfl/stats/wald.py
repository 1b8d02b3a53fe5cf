"""Wald's test of single coefficients: is this one zero?

z = w / s,    p = P(|Z| > |z|) of a normal Z,    s^2 the diagonal of the coefficients' covariance
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray


def wald(
    names: Sequence[str], coefficients: NDArray[np.float64], covariance: NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    """Return by name {"standard_error", "z", "p"}: shapes (d,) and (d, d)."""
    errors = np.sqrt(covariance.diagonal())
    rows = zip(names, errors.tolist(), (coefficients / errors).tolist(), strict=True)
    return {name: {"standard_error": s, "z": z, "p": erfc(abs(z) / sqrt(2))} for name, s, z in rows}
