"""Weight of evidence and information value, from the counts of a column's bins.

    WOE_b = ln( ((pos_b + 1/2) / P) / ((neg_b + 1/2) / N) )
    IV    = sum_b (pos_b / P - neg_b / N) WOE_b

pos_b and neg_b are the bads (y = 1) and goods of bin b, P and N the totals of the training rows.
**Sign: a positive WOE is riskier than the average customer.**  The halves keep a bin with one
class finite.  A bin without a row has WOE 0, so the slots for blanks and unseen levels (see
`vfl.stats.binning`) need no special case.

Good, "Weight of evidence: a brief survey" (Bayesian Statistics 2, 1985); Siddiqi, "Credit Risk
Scorecards" (2006), ch. 6, whose sign is the opposite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def woe(pos: NDArray[Any], neg: NDArray[Any], total_pos: float, total_neg: float) -> NDArray[np.float64]:
    """Return each bin's weight of evidence, shape of `pos`."""
    assert total_pos > 0 and total_neg > 0
    evidence = np.log(((pos + 0.5) / total_pos) / ((neg + 0.5) / total_neg))
    return np.where(pos + neg > 0, evidence, 0.0)


def contributions(
    pos: NDArray[Any], neg: NDArray[Any], total_pos: float, total_neg: float
) -> NDArray[np.float64]:
    """Return what each bin adds to the information value, shape of `pos`."""
    return np.asarray((pos / total_pos - neg / total_neg) * woe(pos, neg, total_pos, total_neg))


def information_value(pos: NDArray[Any], neg: NDArray[Any], total_pos: float, total_neg: float) -> float:
    """Return a column's information value: below 0.02 it tells nothing, above 0.5 look for a leak."""
    return float(np.sum(contributions(pos, neg, total_pos, total_neg)))


def bin_counts(
    codes: NDArray[np.int64], y: NDArray[Any], slots: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bads and goods of each slot, shape (slots,) each; `table[codes]` reads them back."""
    places = codes % slots
    rows = np.bincount(places, minlength=slots)
    pos = np.bincount(places[np.asarray(y) == 1], minlength=slots)
    return pos.astype(np.int64), (rows - pos).astype(np.int64)
