"""Whether a model's PDs are true: by tenths of the customers, by one test, by one line.

Rows are ranked by PD and cut into ten parts of equal size; `y` is 0 or 1 (1 = bad), `p` the PDs,
both of shape (n,).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import chi2

from vfl.stats.metrics import Z95

TENTHS = 10
NEWTON_STEPS = 50
LEAST_PD = 1e-15
STEEPEST = 100.0
"""A slope beyond this says that the PDs part the classes: there is none."""


def tenths(p: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return the rows of each tenth, the safest first; fewer than ten parts of fewer than ten rows."""
    return np.array_split(np.argsort(p, kind="stable"), min(TENTHS, len(p)))


def calibration_table(y: NDArray[Any], p: NDArray[np.float64]) -> list[dict[str, float]]:
    """Return rows, bads, mean PD, bad rate and its 95 % interval of each tenth, the safest first."""
    table = []
    for members in tenths(p):
        events = int(np.sum(y[members]))
        low, rate, high = wilson(events, len(members))
        table.append(
            {
                "rows": len(members),
                "bads": events,
                "mean_pd": float(p[members].mean()),
                "rate": rate,
                "rate_low": low,
                "rate_high": high,
            }
        )
    return table


def hosmer_lemeshow(
    y: NDArray[Any], p: NDArray[np.float64], *, fitted: bool
) -> tuple[float, int, float] | None:
    """Return chi-squared, degrees of freedom and p-value over the tenths (Hosmer & Lemeshow 1980).

    Two degrees fewer than tenths for rows that the model was `fitted` to, else as many.  None where a
    tenth's PDs are all 0 or all 1, or there is no degree left.
    """
    parts = tenths(p)
    size = np.array([len(members) for members in parts])
    bads = np.array([np.sum(y[members]) for members in parts])
    pd = np.array([p[members].mean() for members in parts])
    freedom = len(parts) - 2 * fitted
    if freedom < 1 or not np.all((pd > 0) & (pd < 1)):
        return None
    statistic = float(np.sum((bads - size * pd) ** 2 / (size * pd * (1 - pd))))
    return statistic, freedom, float(chi2.sf(statistic, freedom))


def calibration_line(y: NDArray[Any], p: NDArray[np.float64]) -> dict[str, float] | None:
    """Return intercept and slope of the labels' regression on the PD's log odds, with 95 % intervals.

    A true PD has intercept 0 and slope 1; a slope below 1 says that the PDs are too far apart (Cox,
    Biometrika 45, 1958).  None where the PDs part the classes, or one class or one PD is all there is.
    """
    if not 0 < np.sum(y) < len(y) or np.ptp(p) == 0:
        return None
    inside = np.clip(p, LEAST_PD, 1 - LEAST_PD)
    x = np.log(inside) - np.log1p(-inside)
    beta = np.zeros(2)  # from where Newton's steps do not overshoot
    for _ in range(NEWTON_STEPS):
        mean = expit(beta[0] + beta[1] * x)
        variance, error = mean * (1 - mean), y - mean
        a, b, c = (float(np.sum(variance * power)) for power in (1.0, x, x * x))
        hessian = np.array([[a, b], [b, c]])
        if np.linalg.cond(hessian) > 1 / np.finfo(float).eps:
            return None
        step = np.linalg.solve(hessian, [np.sum(error), np.sum(error * x)])
        beta = beta + step
        if abs(beta[1]) > STEEPEST:
            return None
        if np.max(np.abs(step)) < 1e-10:
            return _line(beta, Z95 * np.sqrt(np.diag(np.linalg.inv(hessian))))
    return None


def _line(beta: NDArray[np.float64], reach: NDArray[np.float64]) -> dict[str, float]:
    return {
        f"{name}{end}": float(beta[i] + side * reach[i])
        for i, name in enumerate(("intercept", "slope"))
        for end, side in (("", 0), ("_low", -1), ("_high", 1))
    }


def wilson(events: int, rows: int) -> tuple[float, float, float]:
    """Return the 95 % interval of a rate and the rate between: (low, rate, high) (Wilson 1927)."""
    rate, z2 = events / rows, Z95**2 / rows
    centre = (rate + z2 / 2) / (1 + z2)
    reach = (rate * (1 - rate) * z2 + z2 * z2 / 4) ** 0.5 / (1 + z2)
    return min(centre - reach, rate), rate, max(centre + reach, rate)
