"""How far a distribution has moved: the population stability index.

    sum over bins of (b - a) ln(b / a),    a, b = (rows of the bin + 1/2) / (all rows + bins / 2)

a is of the training rows, b of the others.  The halves keep a bin that one of them lacks finite.
Bins are slots as `vfl.stats.binning` numbers them; those that neither side has are not counted.
Below 0.1 nothing has moved to speak of; above 0.25 the model was made for other people.

JSON of a population: {column: {"bins": .., "rows": [the training rows of each slot]}}.

Siddiqi, "Credit Risk Scorecards" (2006), ch. 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vfl.stats.binned import Bins
from vfl.stats.binning import Values

TENTHS = 10


def population_stability(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Return the index of two counts of the same bins; neither may be all 0."""
    assert before.sum() > 0
    assert after.sum() > 0
    shown = before + after > 0
    a, b = ((rows[shown] + 0.5) / (rows.sum() + shown.sum() / 2) for rows in (before, after))
    return float(np.sum((b - a) * np.log(b / a)))


def score_stability(then: NDArray[np.float64], now: NDArray[np.float64]) -> dict[str, Any]:
    """Return the index of two samples of scores over the tenths of the first, and the shares by bin.

    "edges" are the bins' inner bounds: a bin reaches above one edge, up to and including the next.
    """
    edges = np.unique(np.quantile(then, np.arange(1, TENTHS) / TENTHS))
    before, after = (
        np.bincount(np.searchsorted(edges, scores, side="left"), minlength=len(edges) + 1)
        for scores in (then, now)
    )
    return {
        "index": population_stability(before, after),
        "edges": edges.tolist(),
        "then": (before / len(then)).tolist(),
        "now": (after / len(now)).tolist(),
    }


@dataclass(frozen=True, slots=True)
class Population:
    """The columns of the training rows, as counts by bin."""

    bins: Bins
    rows: dict[str, NDArray[np.int64]]

    @classmethod
    def of(cls, bins: Bins, columns: Mapping[str, Values]) -> Self:
        """Count the training rows' columns."""
        return cls(bins, _counted(bins, columns))

    def stability(self, columns: Mapping[str, Values]) -> dict[str, float]:
        """Return the index of each column from the training rows to these; nothing for no rows."""
        return self.moved(self.counted(columns))

    def counted(self, columns: Mapping[str, Values]) -> dict[str, NDArray[np.int64]]:
        """Return how many of these rows each bin has, by column; counts of several tables add up."""
        return _counted(self.bins, columns)

    def moved(self, counts: Mapping[str, NDArray[np.int64]]) -> dict[str, float]:
        """Return the index of each column from the training rows to rows that were counted."""
        return {
            name: population_stability(self.rows[name], after)
            for name, after in counts.items()
            if after.any()
        }

    def as_json(self) -> dict[str, Any]:
        """Return the population as the module's docstring describes it."""
        return {
            name: {"bins": binning.as_json(), "rows": self.rows[name].tolist()}
            for name, binning in self.bins.of.items()
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the population that `as_json` described."""
        bins = Bins.described(data)
        return cls(bins, {name: np.array(column["rows"], np.int64) for name, column in data.items()})


def _counted(bins: Bins, columns: Mapping[str, Values]) -> dict[str, NDArray[np.int64]]:
    slots = zip(bins.of.items(), bins.slots_of(columns), strict=True)
    return {name: np.bincount(own, minlength=binning.slots) for (name, binning), own in slots}
