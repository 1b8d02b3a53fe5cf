"""Customers of a bank and an insurer, drawn from a model that is known.

Every customer is a draw from a normal copula: a `z` of unit variance for each column, correlated a
little within and across the institutions.  A column is a monotone function of its z, so its
distribution is the one written in the tables below, and the label is drawn from

    ln(odds of default) = intercept + sum over columns of coefficient * z  (+ the level's effect)

A blank stands for z = 0, so the truth can be learned from what is shown.  Blanks, levels and effects
are mild enough that, from about 1,500 customers on, every bin of five has the rows and events that
a WOE needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.stats.binning import fit_bins
from vfl.stats.woe import bin_counts

Floats = NDArray[np.float64]

DEFAULT_RATE = 0.08
TRAIN_SHARE = 0.7
SHARED_RISK = 0.25
"""How much of each column's z is one hidden propensity to be a bad risk, seen by both institutions."""
BINS = 5


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric column: its coefficient per z, how z becomes a value, its decimals and blanks."""

    coefficient: float
    value: Callable[[Floats], Floats]
    decimals: int = 0
    blank: float = 0.0


@dataclass(frozen=True, slots=True)
class Level:
    """A categorical column: each level's share of the customers and its effect on the log odds."""

    levels: dict[str, tuple[float, float]]
    blank: float = 0.0


Columns = dict[str, Number | Level]


def counts(*shares: float) -> Callable[[Floats], Floats]:
    """Return the map from z to 0, 1, 2, .. taken by these shares of the customers."""
    ends = np.cumsum(shares)[:-1]
    return lambda z: np.searchsorted(ends, share_below(z)).astype(np.float64)


def lognormal(median: float, spread: float, step: float = 1.0) -> Callable[[Floats], Floats]:
    """Return the map from z to a skewed amount, rounded to a step."""
    return lambda z: np.round(median * np.exp(spread * z) / step) * step


def between(low: float, high: float, skew: float) -> Callable[[Floats], Floats]:
    """Return the map from z to a value in (low, high), leaning to the low end where skew > 1."""
    return lambda z: low + (high - low) * share_below(z) ** skew


BANK: Columns = {
    "income": Number(-0.34, lognormal(34_000, 0.5, 100), blank=0.09),
    "utilisation": Number(0.48, between(0, 1, 1.7), decimals=3),
    "months_on_book": Number(-0.30, between(3, 300, 1.8)),
    "delinquencies": Number(0.48, counts(0.66, 0.20, 0.08, 0.04, 0.02)),
    "loan_amount": Number(0.20, lognormal(9_000, 0.75, 50), blank=0.08),
    "employment": Level(
        {
            "permanent": (0.55, -0.18),
            "temporary": (0.17, 0.40),
            "self-employed": (0.15, 0.25),
            "retired": (0.13, -0.05),
        }
    ),
}

INSURER: Columns = {
    "claims_3y": Number(0.45, counts(0.60, 0.23, 0.10, 0.05, 0.02)),
    "premium_late_payments": Number(0.52, counts(0.58, 0.22, 0.12, 0.05, 0.03)),
    "vehicle_age": Number(0.22, between(0, 22, 1.4), blank=0.09),
    "years_insured": Number(-0.26, between(0, 35, 1.6)),
    "coverage_ratio": Number(-0.28, between(0.4, 1.25, 0.9), decimals=2, blank=0.08),
    "region": Level(
        {"north": (0.27, 0.0), "south": (0.31, -0.20), "east": (0.19, 0.30), "west": (0.23, 0.0)}, blank=0.08
    ),
    "occupation_class": Level(
        {"office": (0.38, -0.20), "trade": (0.27, 0.10), "transport": (0.18, 0.35), "public": (0.17, -0.05)}
    ),
}


@dataclass(frozen=True, slots=True)
class Customers:
    """Everything about every customer: columns with their blanks, true logits by side, labels."""

    columns: dict[str, NDArray[Any]]
    bank_logit: Floats
    insurer_logit: Floats
    intercept: float
    label: NDArray[np.int64]
    train: NDArray[np.bool_]


def draw(rng: np.random.Generator, n: int) -> Customers:
    """Return `n` customers whose mean PD is the default rate."""
    risk = rng.standard_normal(n)
    bank, bank_logit = _side(rng, BANK, risk)
    insurer, insurer_logit = _side(rng, INSURER, risk)
    intercept = _intercept(bank_logit + insurer_logit)
    pd = 1 / (1 + np.exp(-(intercept + bank_logit + insurer_logit)))
    label = (rng.random(n) < pd).astype(np.int64)
    return Customers(bank | insurer, bank_logit, insurer_logit, intercept, label, rng.random(n) < TRAIN_SHARE)


def bins_hold(everyone: Customers, overlap: NDArray[np.int64]) -> bool:
    """Tell whether each bin has >= max(50, 1 %) rows and >= 5 of each class, among training rows."""
    rows = overlap[everyone.train[overlap]]
    return all(
        _smallest_holds(everyone.columns[name][rows], everyone.label[rows]) for name in everyone.columns
    )


def _smallest_holds(column: NDArray[Any], y: NDArray[np.int64]) -> bool:
    binning = fit_bins(column, np.arange(len(column)), BINS)
    pos, neg = bin_counts(binning.codes(column), y, binning.slots)
    used = pos + neg > 0
    return bool(
        np.all((pos + neg)[used] >= max(50, 0.01 * len(y))) and min(pos[used].min(), neg[used].min()) >= 5
    )


def _side(rng: np.random.Generator, columns: Columns, risk: Floats) -> tuple[dict[str, NDArray[Any]], Floats]:
    values: dict[str, NDArray[Any]] = {}
    logit = np.zeros(len(risk))
    for name, column in columns.items():
        shown = share_below(rng.standard_normal(len(risk))) >= column.blank
        values[name], effect = _column(rng, column, risk, shown)
        logit += effect
    return values, logit


def _column(
    rng: np.random.Generator, column: Number | Level, risk: Floats, shown: NDArray[np.bool_]
) -> tuple[NDArray[Any], Floats]:
    """Return a column's values, blank where not shown, and its effects on the log odds."""
    z = rng.standard_normal(len(risk))
    if isinstance(column, Level):
        shares, effects = np.array(list(column.levels.values())).T
        level = counts(*shares)(z).astype(np.int64)
        texts = np.array([*column.levels, None], object)
        return texts[np.where(shown, level, -1)], np.where(shown, effects[level], 0.0)
    z = SHARED_RISK * np.sign(column.coefficient) * risk + np.sqrt(1 - SHARED_RISK**2) * z
    value = np.round(column.value(z), column.decimals)
    return np.where(shown, value, np.nan), np.where(shown, column.coefficient * z, 0.0)


def share_below(z: Floats) -> Floats:
    """Return each z's rank as a share of the customers, in (0, 1): exact shares, whatever the draw."""
    ranks = np.empty(len(z))
    ranks[np.argsort(z)] = np.arange(len(z))
    return (ranks + 0.5) / len(z)


def _intercept(logit: Floats) -> float:
    """Return the intercept at which the mean PD is the default rate, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-(middle + logit)))) < DEFAULT_RATE:
            low = middle
        else:
            high = middle
    return (low + high) / 2
