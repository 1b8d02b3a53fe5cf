"""How well amounts or counts are predicted: deviance and what it explains, errors, and tenths.

    deviance   sum_i w_i d_i / sum_i w_i
    d2         1 - deviance / that of one level for all rows, each with its offset

where d is Tweedie's unit deviance (Jorgensen 1997) of

    power 0    (y - mu)^2
    power 1    2 (y ln(y / mu) - y + mu)
    power 2    2 (ln(mu / y) + y / mu - 1)

and mu^power the variance of an outcome, but for its scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.metrics import mean_absolute_error, mean_squared_error, mean_tweedie_deviance

from vfl.stats.metrics import Z95

Vector = NDArray[np.float64]
TENTHS = 10


def evaluate_outcomes(y: Vector, mu: Vector, level: Vector, weight: Vector, power: int) -> dict[str, Any]:
    """Return what predictions mu of outcomes y are worth; `level`: those of a model without columns.

    "d2" is None where all outcomes are the level.
    """
    found, without = (
        float(mean_tweedie_deviance(y, p, sample_weight=weight, power=power)) for p in (mu, level)
    )
    return {
        "rows": len(y),
        "mean": float(np.average(y, weights=weight)),
        "mean_prediction": float(np.average(mu, weights=weight)),
        "deviance": found,
        "d2": 1 - found / without if without > 0 else None,
        "rmse": float(np.sqrt(mean_squared_error(y, mu, sample_weight=weight))),
        "mae": float(mean_absolute_error(y, mu, sample_weight=weight)),
    }


def deviances(y: Vector, mu: Vector, power: int) -> Vector:
    """Return the unit deviance of each row."""
    if power == 0:
        return (y - mu) ** 2
    if power == 1:
        return np.asarray(2 * (xlogy(y, y / mu) - y + mu), np.float64)
    return 2 * (np.log(mu / y) + y / mu - 1)


def deviance_gain(y: Vector, joint: Vector, alone: Vector, weight: Vector, power: int) -> dict[str, float]:
    """Return by how much the joint predictions lower the deviance, with a 95 % interval: the rows' mean.

    "gain", "low" and "high", which are normal: a mean of differences row by row.
    """
    each = deviances(y, alone, power) - deviances(y, joint, power)
    mean = float(np.average(each, weights=weight))
    error = float(np.sqrt(np.sum((weight * (each - mean)) ** 2)) / weight.sum())
    return {"gain": mean, "low": mean - Z95 * error, "high": mean + Z95 * error}


def prediction_tenths(y: Vector, mu: Vector, order: Vector, weight: Vector) -> list[dict[str, Any]]:
    """Return the rows in tenths by `order`, the highest first: mean prediction and outcome of each, and lift.

    `order`: the predictions without offsets, so that a long exposure makes no high risk.  Lift is a tenth's
    mean outcome over that of all rows.
    """
    parts = np.array_split(np.argsort(-order, kind="stable"), min(TENTHS, len(y)))
    mean = float(np.average(y, weights=weight))
    rows = []
    for part in parts:
        total = float(weight[part].sum())
        if total == 0.0:
            continue
        seen = float(y[part] @ weight[part]) / total
        rows.append(
            {
                "rows": len(part),
                "mean_prediction": float(mu[part] @ weight[part]) / total,
                "mean": seen,
                "lift": seen / mean if mean > 0 else None,
            }
        )
    return rows
