"""How far AUC, KS and Gini, and what a partner adds to them, move from sample to sample.

Rows are drawn with replacement, all models on the same draws, and each measure is taken from how
often a row was drawn.  Intervals are at 95 %, by the bias-corrected percentiles of Efron (Canadian
Journal of Statistics 9, 1981): KS is a maximum, and its resamples lie above the estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from vfl.stats.metrics import Z95

Draw = Callable[[int], NDArray[np.int64]]
"""n -> n row numbers in [0, n), each uniform."""
Interval = tuple[float, float]

MEASURES = ("auc", "ks", "gini")
MOST_DRAWS = 40_000_000
RESAMPLES = (200, 1000)
"""The fewest, and the most, which are taken while rows x resamples is at most MOST_DRAWS."""


def resamples(rows: int) -> int:
    """Return how many resamples of so many rows are taken."""
    fewest, most = RESAMPLES
    return max(fewest, min(most, MOST_DRAWS // max(rows, 1)))


@dataclass(frozen=True, slots=True)
class Ranked:
    """A model's bads and goods from the safest to the riskiest, and how many goods, and bads, lie below.

    `goods_below`, `goods_up_to` and `bads_below` count for each bad those of a lower score, of none higher,
    and of a lower one.
    """

    goods: NDArray[np.int64]
    bads: NDArray[np.int64]
    goods_below: NDArray[np.int64]
    goods_up_to: NDArray[np.int64]
    bads_below: NDArray[np.int64]

    @classmethod
    def by(cls, p: NDArray[np.float64], y: NDArray[Any]) -> Ranked:
        """Return the rows ranked by a score, shape (n,), whose bads have `y` 1."""
        order = np.argsort(p, kind="stable")
        bad = np.asarray(y)[order] == 1
        goods, bads = order[~bad], order[bad]
        below, up_to = (np.searchsorted(p[goods], p[bads], side) for side in ("left", "right"))
        return cls(goods, bads, below, up_to, np.searchsorted(p[bads], p[bads], "left"))

    def measured(self, times: NDArray[np.int64]) -> tuple[float, float, float]:
        """Return AUC, KS and Gini of a sample that holds row i `times[i]` times; NaN without a class.

        Only thresholds just below a bad can be KS's: between two of them goods alone are added.
        """
        goods, bads = _summed(times[self.goods]), _summed(times[self.bads])
        if not (goods[-1] and bads[-1]):
            return np.nan, np.nan, np.nan
        below = goods[self.goods_below]
        # Summed, not a product of vectors: that would wake BLAS's threads a thousand times.
        pairs = np.sum(np.diff(bads) * (below + goods[self.goods_up_to])) / 2
        auc = float(pairs / (goods[-1] * bads[-1]))
        ks = float(np.max(below / goods[-1] - bads[self.bads_below] / bads[-1]))
        return auc, max(ks, 0.0), 2 * auc - 1


def intervals(
    y: NDArray[Any], joint: NDArray[np.float64], alone: NDArray[np.float64], draw: Draw
) -> dict[str, dict[str, Interval]]:
    """Return by measure the intervals of "joint", "guest_only" and "uplift", their difference.

    Nothing with fewer than two rows of a class.
    """
    n, events = len(y), int(np.sum(y))
    if min(events, n - events) < 2:
        return {}
    models = (Ranked.by(joint, y), Ranked.by(alone, y))
    here = _both(models, np.ones(n, np.int64))
    count = resamples(n)
    drawn = np.array([_both(models, np.bincount(draw(n), minlength=n)) for _ in range(count)])
    return {
        measure: {
            name: bias_corrected(float(here[row, column]), drawn[:, row, column])
            for row, name in enumerate(("joint", "guest_only", "uplift"))
        }
        for column, measure in enumerate(MEASURES)
    }


def bias_corrected(estimate: float, drawn: NDArray[np.float64]) -> Interval:
    """Return the interval of an estimate from its resamples; those that are NaN are left out.

    With z0 the normal quantile of the share of resamples below the estimate, ties by half, its ends
    are the resamples' quantiles at Phi(2 z0 -+ 1.96).
    """
    known = drawn[~np.isnan(drawn)]
    below = (np.mean(known < estimate) + np.mean(known <= estimate)) / 2
    z0 = float(ndtri(np.clip(below, 1 / len(known), 1 - 1 / len(known))))
    low, high = np.quantile(known, ndtr([2 * z0 - Z95, 2 * z0 + Z95]))
    return float(low), float(high)


def _both(models: tuple[Ranked, Ranked], times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return both models' measures and their difference, shape (3, len(MEASURES))."""
    joint, alone = (np.array(model.measured(times)) for model in models)
    return np.stack([joint, alone, joint - alone])


def _summed(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many of the first 0, 1, .. are drawn, exact as doubles."""
    return np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
