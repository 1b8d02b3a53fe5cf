"""The points of a report's curves: few enough to draw and to keep beside a run.

`y` is 0 or 1 (1 = bad, both occur), `p` the PDs, both of shape (n,).  Points are rounded to five
decimals, at most MOST_POINTS a curve.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

Points = list[float]

MOST_POINTS = 240
BARS = 30
LEAST_PD = 1e-4


def roc_points(y: NDArray[Any], p: NDArray[np.float64]) -> dict[str, Points]:
    """Return "goods" and "bads": the shares refused at each threshold."""
    goods, bads, _ = roc_curve(y, p)
    keep = _thinned(len(goods))
    return {"goods": _rounded(goods[keep]), "bads": _rounded(bads[keep])}


def ks_points(y: NDArray[Any], p: NDArray[np.float64]) -> dict[str, Any]:
    """Return the shares of "bads" and "goods" among the riskiest share of "customers", and where they part.

    "widest" is (share of customers, of goods, of bads) at the threshold of KS.
    """
    order = np.argsort(-p, kind="stable")
    bads, goods = (np.cumsum(y[order] == c) / np.sum(y == c) for c in (1, 0))
    customers = np.arange(1, len(y) + 1) / len(y)
    last_of_ties = np.append(p[order][1:] != p[order][:-1], True)
    widest = int(np.argmax(np.where(last_of_ties, bads - goods, -np.inf)))
    keep = _thinned(len(y))
    return {
        "customers": _rounded(customers[keep]),
        "bads": _rounded(bads[keep]),
        "goods": _rounded(goods[keep]),
        "widest": _rounded(np.array([customers[widest], goods[widest], bads[widest]])),
    }


def score_bars(y: NDArray[Any], p: NDArray[np.float64]) -> dict[str, Points]:
    """Return the shares of "goods" and of "bads" between "edges" of equal width in log odds."""
    inside = np.clip(p, LEAST_PD, 1 - LEAST_PD)
    logit = np.log(inside / (1 - inside))
    edges = np.linspace(logit.min() - 1e-5, logit.max() + 1e-5, BARS + 1)
    bars = {
        name: np.histogram(logit[y == c], edges)[0] / np.sum(y == c)
        for c, name in ((0, "goods"), (1, "bads"))
    }
    return {"edges": _rounded(edges)} | {name: _rounded(shares) for name, shares in bars.items()}


def _thinned(n: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, MOST_POINTS).astype(np.int64))


def _rounded(values: NDArray[np.float64]) -> Points:
    return [round(float(value), 5) for value in values]
