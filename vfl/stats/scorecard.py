"""Scorecard points: a logit on the scale that credit officers read.

    points = base_score + pdo / ln 2 * (ln(good:bad odds) - ln(base_odds))
    logit  = ln(bad:good odds) = -ln(good:bad odds)

So more points are a better customer, and `pdo` more points double the odds of being good.  One
point is ln 2 / pdo of a logit.  Siddiqi, "Credit Risk Scorecards" (2006), ch. 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The scale: `base_score` points stand for `base_odds` goods to one bad; `pdo` points double them."""

    base_score: float = 600.0
    base_odds: float = 50.0
    pdo: float = 20.0

    def __post_init__(self) -> None:
        if not (self.base_odds > 0 and self.pdo > 0):
            raise ValueError("base_odds and pdo must be positive")

    @property
    def one_point(self) -> float:
        """The worth of one point, in units of the logit."""
        return log(2) / self.pdo

    def points(self, logit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the exact points of logits, same shape."""
        return self.base_score - (logit + log(self.base_odds)) / self.one_point

    def whole_points(self, logit: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the points as they are printed: to the nearest integer, same shape."""
        return np.rint(self.points(logit)).astype(np.int64)

    def logit_of(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logits of points, same shape: the inverse of `points`."""
        return (self.base_score - points) * self.one_point - log(self.base_odds)

    def rounded_to_point(self, logit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each logit at the nearest multiple of one point, same shape.

        A party's exact logit of binned columns identifies its whole row; a multiple of one point
        does so far more rarely.
        """
        return np.rint(logit / self.one_point) * self.one_point

    def added(self, logit: float) -> float:
        """Return the points that a part of a logit adds, without the offset of `base`."""
        return 0.0 - logit / self.one_point  # never -0.0, which would be printed

    def base(self, logit: float) -> float:
        """Return the points from which all parts count, where the logit's constant is `logit`."""
        return self.base_score - log(self.base_odds) / self.one_point + self.added(logit)


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands of scores, A the best: band k holds points from cut k, included, up to the cut above it.

    `cuts`: falling points, each of which begins a band; what is below the last is the last band.
    """

    cuts: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """A, B, ...: one more than there are cuts."""
        return tuple(ascii_uppercase[: len(self.cuts) + 1])

    def of(self, points: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of each score's band, 0 for A, same shape."""
        rising = np.array(self.cuts[::-1], np.float64)
        return len(self.cuts) - np.searchsorted(rising, points, side="right")
