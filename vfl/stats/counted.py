"""A column's bins with the bads and goods that training rows put in each: what WOE and IV come from.

Counts are by slot, as `vfl.stats.binning` numbers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vfl.stats.binning import Binning, NumericBins
from vfl.stats.merging import Limits, Trend, best_ends, joined, mergeable
from vfl.stats.woe import bin_counts, contributions, information_value, woe

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CountedBins:
    """A binning, and the bads `pos` and goods `neg` of each slot; both classes must occur."""

    binning: Binning
    pos: Counts
    neg: Counts

    @classmethod
    def of(cls, binning: Binning, slots: NDArray[np.int64], y: NDArray[Any]) -> Self:
        """Count training rows by their slots."""
        return cls(binning, *bin_counts(slots, y, binning.slots))

    @property
    def totals(self) -> tuple[int, int]:
        """All bads and all goods."""
        return int(self.pos.sum()), int(self.neg.sum())

    @property
    def woe(self) -> NDArray[np.float64]:
        """The weight of evidence of each slot."""
        return woe(self.pos, self.neg, *self.totals)

    @property
    def information_value(self) -> float:
        """The column's information value."""
        return information_value(self.pos, self.neg, *self.totals)

    def merged(self, limits: Limits, trend: Trend) -> CountedBins:
        """Return the column with its bins merged for the highest information value.

        Intervals merge with their neighbours, by the trend; levels with those of the nearest WOE.
        Blanks, special codes and unseen levels stay what they are.
        """
        order = mergeable(self.binning)
        if not isinstance(self.binning, NumericBins):
            order, trend = order[np.argsort(self.woe[order], kind="stable")], "none"
        if not len(order):
            return self
        ends = best_ends(self.pos[order], self.neg[order], self.totals, limits, trend)
        binning, places = joined(self.binning, order, ends)
        pos, neg = (np.zeros(binning.slots, np.int64) for _ in range(2))
        np.add.at(pos, places, self.pos)
        np.add.at(neg, places, self.neg)
        return CountedBins(binning, pos, neg)

    def rows(self) -> list[dict[str, Any]]:
        """Return a line for each bin that holds anybody: bin, rows, events, woe, iv."""
        table, values, labels = (
            self.woe,
            contributions(self.pos, self.neg, *self.totals),
            self.binning.labels(),
        )
        return [
            {
                "bin": labels[k],
                "rows": int(self.pos[k] + self.neg[k]),
                "events": int(self.pos[k]),
                "woe": float(table[k]),
                "iv": float(values[k]),
            }
            for k in np.flatnonzero(self.pos + self.neg)
        ]
