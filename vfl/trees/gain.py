"""What a split gains and a leaf weighs (Chen and Guestrin 2016, equations 5 and 7).

    weight = -G / (H + lambda)
    gain   = G_L^2 / (H_L + lambda) + G_R^2 / (H_R + lambda) - G^2 / (H + lambda)

Differs from the paper: no factor of one half, and gamma is compared with the gain while the tree
grows, as a least gain; xgboost prunes afterwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]

LEAST_GAIN = 1e-6
"""A gain below this is rounding (xgboost's kRtEps)."""


def leaf_weight(g: float, h: float, reg_lambda: float) -> float:
    """Return the logit that lowers the loss most, 0 where no row counts."""
    return -g / (h + reg_lambda) if g else 0.0


def quality(g: Sums, h: Sums, reg_lambda: float) -> Sums:
    """Return G^2 / (H + lambda), 0 where both are empty."""
    return np.asarray(g * g / np.maximum(h + reg_lambda, np.finfo(float).tiny), np.float64)


def split_gain(g_left: Sums, h_left: Sums, g: Sums, h: Sums, reg_lambda: float) -> Sums:
    """Return the gain of each split of nodes whose sums are g and h."""
    sides = quality(g_left, h_left, reg_lambda) + quality(g - g_left, h - h_left, reg_lambda)
    return np.asarray(sides - quality(g, h, reg_lambda), np.float64)
