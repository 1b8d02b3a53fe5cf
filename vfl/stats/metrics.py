"""How well a model ranks and how true its probabilities are, as credit risk reports it.

    AUC   probability that a random bad has a higher PD than a random good
    Gini  2 AUC - 1
    KS    max over thresholds of (share of bads above - share of goods above)
    Brier mean of (p - y)^2

`y` is 0 or 1 (1 = bad), `p` a probability of 1 (for ranks any increasing function of it), both of
shape (n,).  Intervals are at 95 %: Hanley & McNeil (Radiology 143, 1982) for one AUC, which needs
only its value and the class counts; DeLong, DeLong & Clarke-Pearson (Biometrics 44, 1988) for the
difference of two AUCs on the same rows, which are strongly correlated; Raghavachari (Annals of
Statistics 1, 1973) for KS, normal with the variance of two shares at the threshold it is taken at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


def ks(y: NDArray[Any], p: NDArray[np.float64]) -> float:
    """Return the largest distance between the score distributions of bads and goods; both must occur."""
    goods, bads = _shares_at_ks(y, p)
    return bads - goods


def ks_interval(y: NDArray[Any], p: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of KS's interval; both classes must occur."""
    goods, bads = _shares_at_ks(y, p)
    events = int(np.sum(y))
    variance = bads * (1 - bads) / events + goods * (1 - goods) / (len(y) - events)
    reach = Z95 * float(np.sqrt(variance))
    return max(bads - goods - reach, 0.0), min(bads - goods + reach, 1.0)


def evaluate(y: NDArray[Any], p: NDArray[np.float64]) -> dict[str, int | float | None]:
    """Return rows, events, auc, ks, gini, logloss, brier, mean_pd, event_rate, auc_low and auc_high.

    What is undefined is None: the rank measures where only one class occurs, all but the counts
    where there is no row.
    """
    rows, events = len(y), int(np.sum(y))
    return {"rows": rows, "events": events, **_ranking(y, p, events, rows - events), **_probabilities(y, p)}


def hanley_mcneil(auc: float, events: int, others: int) -> float:
    """Return the standard error of one AUC, from its value and the class counts alone."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (events - 1) * (q1 - auc * auc) + (others - 1) * (q2 - auc * auc)
    return float(np.sqrt(max(variance, 0.0) / (events * others)))


def auc_difference(
    y: NDArray[Any], p: NDArray[np.float64], q: NDArray[np.float64]
) -> tuple[float, float, float] | None:
    """Return AUC(p) - AUC(q) and its interval's ends, None with fewer than two rows of a class."""
    bad = np.asarray(y) == 1
    if min(bad.sum(), (~bad).sum()) < 2:
        return None
    of_bads, of_goods = (a - b for a, b in zip(_placements(bad, p), _placements(bad, q), strict=True))
    difference = float(of_bads.mean())
    error = np.sqrt(of_bads.var(ddof=1) / len(of_bads) + of_goods.var(ddof=1) / len(of_goods))
    return difference, difference - Z95 * float(error), difference + Z95 * float(error)


def _shares_at_ks(y: NDArray[Any], p: NDArray[np.float64]) -> tuple[float, float]:
    """Return the shares of goods and of bads at or above the threshold where they differ most."""
    goods, bads, _ = roc_curve(y, p, drop_intermediate=False)
    widest = int(np.argmax(bads - goods))
    return float(goods[widest]), float(bads[widest])


def _ranking(y: NDArray[Any], p: NDArray[np.float64], events: int, others: int) -> dict[str, float | None]:
    if not (events and others):
        return dict.fromkeys(("auc", "auc_low", "auc_high", "ks", "gini"))
    auc = float(roc_auc_score(y, p))
    reach = Z95 * hanley_mcneil(auc, events, others)
    return {
        "auc": auc,
        "auc_low": max(auc - reach, 0.0),
        "auc_high": min(auc + reach, 1.0),
        "ks": ks(y, p),
        "gini": 2 * auc - 1,
    }


def _probabilities(y: NDArray[Any], p: NDArray[np.float64]) -> dict[str, float | None]:
    if not len(y):
        return dict.fromkeys(("logloss", "brier", "mean_pd", "event_rate"))
    return {
        "logloss": float(log_loss(y, p, labels=[0, 1])),
        "brier": float(np.mean((p - y) ** 2)),
        "mean_pd": float(np.mean(p)),
        "event_rate": float(np.mean(y)),
    }


def _placements(
    bad: NDArray[np.bool_], p: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return DeLong's V10 and V01: each bad's share of goods below it, each good's of bads above it.

    By mid-ranks (Sun & Xu, IEEE Signal Processing Letters 21, 2014): n log n, ties count half.
    """
    overall, bads, goods = rankdata(p), rankdata(p[bad]), rankdata(p[~bad])
    return (overall[bad] - bads) / len(goods), 1 - (overall[~bad] - goods) / len(bads)
