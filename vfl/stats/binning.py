"""Bins of one column: quantiles of a numeric one, levels of a categorical one.

    numeric       cuts e = unique quantiles 1/b .. (b-1)/b of the non-blank training values
                  (numpy's linear interpolation), those equal to the maximum dropped;
                  bin i = (e[i-1], e[i]]
    categorical   every training level is a bin, in sorted order

A code is a bin's index, -1 for a blank, -2 for a level that training did not show.  So a code
indexes an array of `slots` numbers, one per bin and then two more:

    counts or WOE:   [bin 0, .., bin k-1, unseen, blank]     value = table[code]

A numeric column is an array of float64 with NaN for blank; a categorical one is an array of str
objects with None for blank.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""A column's values: float64 with NaN for blank, or object with str and None."""

BLANK, UNSEEN = -1, -2


@dataclass(frozen=True, slots=True)
class NumericBins:
    """Bins between increasing cuts; k cuts make k + 1 bins."""

    cuts: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.cuts).all() and all(a < b for a, b in pairwise(self.cuts))):
            raise ValueError("cuts must be finite and increasing")

    @property
    def slots(self) -> int:
        """The length of an array that every code indexes."""
        return len(self.cuts) + 3

    def codes(self, values: Values) -> NDArray[np.int64]:
        """Return each value's bin, shape (n,)."""
        bins = np.searchsorted(np.asarray(self.cuts, np.float64), values, side="left")
        return np.where(np.isnan(values), BLANK, bins).astype(np.int64)

    def labels(self) -> tuple[str, ...]:
        """Return the name of every slot, as a reader would write the interval."""
        ends = [f"{cut:.6g}" for cut in self.cuts]
        inner = [f"({a}, {b}]" for a, b in pairwise(ends)]
        bins = [f"<= {ends[0]}", *inner, f"> {ends[-1]}"] if ends else ["any value"]
        return (*bins, "unseen", "blank")

    def as_json(self) -> dict[str, list[float]]:
        """Return {"cuts": [..]}; `from_json` gives back an equal object."""
        return {"cuts": list(self.cuts)}


@dataclass(frozen=True, slots=True)
class LevelBins:
    """One bin per level, in sorted order."""

    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not all(a < b for a, b in pairwise(self.levels)):
            raise ValueError("levels must be distinct and sorted")

    @property
    def slots(self) -> int:
        """The length of an array that every code indexes."""
        return len(self.levels) + 2

    def codes(self, values: Values) -> NDArray[np.int64]:
        """Return each value's bin, shape (n,)."""
        known: dict[str | None, int] = {level: i for i, level in enumerate(self.levels)}
        known[None] = BLANK
        return np.fromiter((known.get(v, UNSEEN) for v in values), np.int64, len(values))

    def labels(self) -> tuple[str, ...]:
        """Return the name of every slot."""
        return (*self.levels, "unseen", "blank")

    def as_json(self) -> dict[str, list[str]]:
        """Return {"levels": [..]}; `from_json` gives back an equal object."""
        return {"levels": list(self.levels)}


Binning = NumericBins | LevelBins
"""The bins of one column."""


def quantile_cuts(x: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return the cuts of at most `bins` bins holding about the same number of values each."""
    shown = x[~np.isnan(x)]
    if not len(shown):
        return np.empty(0)
    cuts = np.unique(np.quantile(shown, np.arange(1, bins) / bins))
    return cuts[cuts < float(shown.max())]


def levels_of(values: Values) -> tuple[str, ...]:
    """Return the distinct levels of a categorical column, sorted, without the blank."""
    return tuple(sorted({v for v in values if v is not None}))


def fit_bins(column: Values, rows: NDArray[np.bool_] | NDArray[np.int64], bins: int) -> Binning:
    """Return the bins of a column from its training `rows` (a mask or indices) alone."""
    if is_numeric(column):
        return NumericBins(tuple(float(cut) for cut in quantile_cuts(column[rows], bins)))
    return LevelBins(levels_of(column[rows]))


def from_json(data: dict[str, Any]) -> Binning:
    """Return the bins that `as_json` described; raise ValueError on anything else."""
    match data:
        case {"cuts": list(cuts)}:
            return NumericBins(tuple(float(cut) for cut in cuts))
        case {"levels": list(levels)}:
            return LevelBins(tuple(str(level) for level in levels))
    raise ValueError("bins need cuts or levels")


def is_numeric(values: Values) -> bool:
    """Tell a numeric column (float64) from a categorical one (object)."""
    assert values.dtype.kind in "fO", values.dtype
    return values.dtype.kind == "f"
