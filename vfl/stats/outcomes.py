"""How well amounts or counts are predicted: deviance and what it explains, errors, and tenths.

deviance   sum_i w_i d_i / sum_i w_i, with Tweedie's unit deviance d of power 0, 1 or 2 (Jorgensen 1997)
d2         1 - deviance / that of one level for all rows, each with its offset
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, mean_squared_error, mean_tweedie_deviance

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
