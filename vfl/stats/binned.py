"""Binned columns as a design matrix: the weight of evidence of each bin, or one indicator a bin.

    woe          x_ij = WOE of the bin that row i is in, one column per source column
    indicators   x_ib = 1 where row i is in bin b, else 0: every bin with a training row but the
                 most frequent one, whose rows are all 0 (the first of equals is left out)

A level that training did not show has WOE 0, and no indicator.

JSON: {column: {"bins": .., "woe": [one number per slot]}} and {column: {"bins": .., "slots": [..]}}.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vfl.stats.binning import NO_WISHES, Binning, Method, Values, Wishes, fit_bins, from_json
from vfl.stats.merging import without_small

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bins:
    """How a party's columns become codes: one binning a column."""

    of: dict[str, Binning]

    @classmethod
    def fit(
        cls,
        columns: Mapping[str, Values],
        train: NDArray[np.bool_],
        bins: int,
        method: Method = "quantile",
        wishes: Mapping[str, Wishes] = MappingProxyType({}),
    ) -> Self:
        """Learn from the training rows alone; `wishes`: of the columns that the party has any for."""
        of = {
            name: fit_bins(values, train, bins, method, wishes.get(name, NO_WISHES))
            for name, values in columns.items()
        }
        return cls(of)

    @classmethod
    def described(cls, columns: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return the bins in descriptions of columns, which have them under "bins"."""
        return cls({name: from_json(column["bins"]) for name, column in columns.items()})

    def without_small(
        self, columns: Mapping[str, Values], train: NDArray[np.bool_], least: float, but: Container[str]
    ) -> Self:
        """Return bins of `least` training rows or more, `but` those of the columns named."""
        of = dict(self.of)
        for name, slots in zip(self.of, self.slots_of(columns), strict=True):
            if name not in but:
                rows = np.bincount(slots[train], minlength=of[name].slots)
                of[name] = without_small(of[name], rows, least)
        return type(self)(of)

    def slots_of(self, columns: Mapping[str, Values]) -> list[NDArray[np.int64]]:
        """Return each column's slot of each row."""
        return [binning.codes(columns[name]) % binning.slots for name, binning in self.of.items()]

    @property
    def sizes(self) -> list[int]:
        """The slots of each column."""
        return [binning.slots for binning in self.of.values()]


@dataclass(frozen=True, slots=True)
class WoeColumns:
    """The weight of evidence of each column's bin."""

    bins: Bins
    tables: tuple[NDArray[np.float64], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the matrix's columns."""
        return tuple(self.bins.of)

    @property
    def sources(self) -> tuple[str, ...]:
        """The source column of each of the matrix's columns."""
        return self.names

    def only(self, names: Container[str]) -> Self:
        """Return those of these names."""
        bins = {name: binning for name, binning in self.bins.of.items() if name in names}
        tables = zip(self.names, self.tables, strict=True)
        return type(self)(Bins(bins), tuple(table for name, table in tables if name in names))

    def transform(self, columns: Mapping[str, Values]) -> Matrix:
        """Return the design matrix of any rows, shape (n, d)."""
        slots = self.bins.slots_of(columns)
        return np.column_stack([table[s] for table, s in zip(self.tables, slots, strict=True)])

    def as_json(self) -> dict[str, Any]:
        """Return the columns as the module's docstring describes them."""
        pairs = zip(self.bins.of.items(), self.tables, strict=True)
        return {name: {"bins": b.as_json(), "woe": table.tolist()} for (name, b), table in pairs}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the columns that `as_json` described."""
        bins = Bins.described(data)
        return cls(bins, tuple(np.asarray(column["woe"], np.float64) for column in data.values()))


@dataclass(frozen=True, slots=True)
class IndicatorColumns:
    """One indicator for each bin but the most frequent, for a party that may not know their WOE."""

    bins: Bins
    shown: tuple[tuple[int, ...], ...]
    """The slots of each column that have an indicator."""

    @classmethod
    def fit(cls, bins: Bins, columns: Mapping[str, Values], train: NDArray[np.bool_]) -> Self:
        """Choose the indicators from the training rows."""
        shown = []
        for slots, size in zip(bins.slots_of(columns), bins.sizes, strict=True):
            rows = np.bincount(slots[train], minlength=size)
            shown.append(tuple(int(s) for s in np.flatnonzero(rows) if s != rows.argmax()))
        return cls(bins, tuple(shown))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the matrix's columns: `column: bin`."""
        labelled = zip(self.bins.of.items(), self.shown, strict=True)
        return tuple(f"{name}: {b.labels()[slot]}" for (name, b), slots in labelled for slot in slots)

    @property
    def sources(self) -> tuple[str, ...]:
        """The source column of each of the matrix's columns."""
        return tuple(name for name, slots in zip(self.bins.of, self.shown, strict=True) for _ in slots)

    def transform(self, columns: Mapping[str, Values]) -> Matrix:
        """Return the design matrix of any rows, shape (n, d)."""
        pairs = zip(self.bins.slots_of(columns), self.shown, strict=True)
        parts = [slots[:, None] == np.array(shown, np.int64) for slots, shown in pairs]
        return np.concatenate(parts, axis=1).astype(np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return the columns as the module's docstring describes them."""
        pairs = zip(self.bins.of.items(), self.shown, strict=True)
        return {name: {"bins": b.as_json(), "slots": list(slots)} for (name, b), slots in pairs}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the columns that `as_json` described."""
        bins = Bins.described(data)
        return cls(bins, tuple(tuple(column["slots"]) for column in data.values()))
