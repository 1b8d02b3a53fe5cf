"""Bins of one column: intervals of a numeric one, levels or groups of levels of a categorical one.

    quantile      cuts e = unique quantiles 1/b .. (b-1)/b of the non-blank training values
                  (numpy's linear interpolation), those equal to the maximum dropped
    width         cuts that part the range of these values into b intervals of one width
    bin i         (e[i-1], e[i]];  a special code (-1, 999, ..) is a bin of its own behind them
    categorical   every training level is a bin, in sorted order; or a bin is a group of levels

A code is a bin's index, -1 for a blank, -2 for a level that training did not show.  So a code
indexes an array of `slots` numbers, one per bin and then two more:

    counts or WOE:   [bin 0, .., bin k-1, unseen, blank]     value = table[code]

A numeric column is an array of float64 with NaN for blank; a categorical one is an array of str
objects with None for blank.

JSON: {"cuts": [..]}, {"levels": [..]} or {"groups": [[level, ..], ..]}, each with "special": [..]
if there are any.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""A column's values: float64 with NaN for blank, or object with str and None."""

BLANK, UNSEEN = -1, -2

Method = Literal["quantile", "width"]


@dataclass(frozen=True, slots=True)
class NumericBins:
    """Bins between increasing cuts, k cuts make k + 1 bins; and one for each special code."""

    cuts: tuple[float, ...]
    special: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.cuts).all() and all(a < b for a, b in pairwise(self.cuts))):
            raise ValueError("cuts must be finite and increasing")
        if not np.isfinite(self.special).all() or len(set(self.special)) < len(self.special):
            raise ValueError("special codes must be finite and distinct")

    @property
    def ordered(self) -> int:
        """The number of intervals: the slots before the special codes'."""
        return len(self.cuts) + 1

    @property
    def slots(self) -> int:
        """The length of an array that every code indexes."""
        return self.ordered + len(self.special) + 2

    def codes(self, values: Values) -> NDArray[np.int64]:
        """Return each value's bin, shape (n,)."""
        bins = np.searchsorted(np.asarray(self.cuts, np.float64), values, side="left")
        for k, code in enumerate(self.special):
            bins[values == code] = self.ordered + k
        return np.where(np.isnan(values), BLANK, bins).astype(np.int64)

    def labels(self) -> tuple[str, ...]:
        """Return the name of every slot, as a reader would write the interval."""
        ends = [f"{cut:.6g}" for cut in self.cuts]
        inner = [f"({a}, {b}]" for a, b in pairwise(ends)]
        bins = [f"<= {ends[0]}", *inner, f"> {ends[-1]}"] if ends else ["any value"]
        return (*bins, *(f"special {code:.6g}" for code in self.special), "unseen", "blank")

    def as_json(self) -> dict[str, list[float]]:
        """Return the bins as the module's docstring describes them."""
        return {"cuts": list(self.cuts)} | ({"special": list(self.special)} if self.special else {})


@dataclass(frozen=True, slots=True)
class LevelBins:
    """One bin per level, in sorted order; `special`: levels that are never merged with others."""

    levels: tuple[str, ...]
    special: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(a < b for a, b in pairwise(self.levels)):
            raise ValueError("levels must be distinct and sorted")

    @property
    def slots(self) -> int:
        """The length of an array that every code indexes."""
        return len(self.levels) + 2

    def codes(self, values: Values) -> NDArray[np.int64]:
        """Return each value's bin, shape (n,)."""
        return _level_codes(values, {level: i for i, level in enumerate(self.levels)})

    def labels(self) -> tuple[str, ...]:
        """Return the name of every slot."""
        return (*self.levels, "unseen", "blank")

    def as_json(self) -> dict[str, list[str]]:
        """Return the bins as the module's docstring describes them."""
        return {"levels": list(self.levels)} | ({"special": list(self.special)} if self.special else {})


@dataclass(frozen=True, slots=True)
class GroupedLevels:
    """One bin per group of levels, in the order given; `special`: levels that are never merged."""

    groups: tuple[tuple[str, ...], ...]
    special: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        levels = [level for group in self.groups for level in group]
        if len(set(levels)) < len(levels) or not all(self.groups):
            raise ValueError("groups must hold levels, each once")

    @property
    def slots(self) -> int:
        """The length of an array that every code indexes."""
        return len(self.groups) + 2

    def codes(self, values: Values) -> NDArray[np.int64]:
        """Return each value's bin, shape (n,)."""
        return _level_codes(values, {level: i for i, group in enumerate(self.groups) for level in group})

    def labels(self) -> tuple[str, ...]:
        """Return the name of every slot."""
        return (*(" | ".join(group) for group in self.groups), "unseen", "blank")

    def as_json(self) -> dict[str, list[Any]]:
        """Return the bins as the module's docstring describes them."""
        groups: dict[str, list[Any]] = {"groups": [list(group) for group in self.groups]}
        return groups | ({"special": list(self.special)} if self.special else {})


Binning = NumericBins | LevelBins | GroupedLevels
"""The bins of one column."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a party says of one column's bins: `cuts` in place of fitted ones, and special codes."""

    cuts: tuple[float, ...] | None = None
    special: tuple[float | str, ...] = ()


NO_WISHES = Wishes()


def quantile_cuts(x: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return the cuts of at most `bins` bins holding about the same number of values each."""
    shown = x[~np.isnan(x)]
    if not len(shown):
        return np.empty(0)
    cuts = np.unique(np.quantile(shown, np.arange(1, bins) / bins))
    return cuts[cuts < float(shown.max())]


def width_cuts(x: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return the cuts of `bins` bins of one width; none for a constant or an empty column."""
    shown = x[~np.isnan(x)]
    if not len(shown) or shown.min() == shown.max():
        return np.empty(0)
    return np.unique(np.linspace(shown.min(), shown.max(), bins + 1)[1:-1])


def levels_of(values: Values) -> tuple[str, ...]:
    """Return the distinct levels of a categorical column, sorted, without the blank."""
    return tuple(sorted({v for v in values if v is not None}))


def fit_bins(
    column: Values,
    rows: NDArray[np.bool_] | NDArray[np.int64],
    bins: int,
    method: Method = "quantile",
    wishes: Wishes = NO_WISHES,
) -> Binning:
    """Return the bins of a column from its training `rows` (a mask or indices) alone."""
    train = column[rows]
    if not is_numeric(column):
        return LevelBins(levels_of(train), tuple(str(code) for code in wishes.special))
    special = tuple(float(code) for code in wishes.special)
    if wishes.cuts is not None:
        return NumericBins(wishes.cuts, special)
    fitted = {"quantile": quantile_cuts, "width": width_cuts}[method]
    return NumericBins(tuple(map(float, fitted(train[~np.isin(train, special)], bins))), special)


def from_json(data: dict[str, Any]) -> Binning:
    """Return the bins that `as_json` described; raise ValueError on anything else."""
    match data:
        case {"cuts": list(cuts), **more}:
            return NumericBins(tuple(map(float, cuts)), tuple(map(float, more.get("special", []))))
        case {"levels": list(levels), **more}:
            return LevelBins(tuple(map(str, levels)), tuple(map(str, more.get("special", []))))
        case {"groups": list(groups), **more}:
            told = tuple(tuple(map(str, group)) for group in groups)
            return GroupedLevels(told, tuple(map(str, more.get("special", []))))
    raise ValueError("bins need cuts, levels or groups")


def is_numeric(values: Values) -> bool:
    """Tell a numeric column (float64) from a categorical one (object)."""
    assert values.dtype.kind in "fO", values.dtype
    return values.dtype.kind == "f"


def _level_codes(values: Values, bins: dict[str, int]) -> NDArray[np.int64]:
    codes = (BLANK if v is None else bins.get(v, UNSEEN) for v in values)
    return np.fromiter(codes, np.int64, len(values))
