"""Standardised columns: medians for blanks, one-hot levels, then z-scores.

    numeric c       blank -> training median
    categorical c   a 0/1 column `c=level` for each training level but the first; blank = all 0
    either          a 0/1 column `c__na` where training has blanks
    every column    (x - mean) / std with ddof 0; columns that are constant in training dropped

All statistics come from the training rows alone.  The order is the source columns', each one's
pieces as listed above.  A special code of a column (-1, 999, ..) counts as a blank.
JSON: {"columns": [{"source", "mean", "std", and one of "fill": number, "level": text,
"blank": true}]}, and {"special": {source: [code, ..]}} if there are any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vfl.stats.binning import Values, is_numeric, levels_of

SMALLEST_STD = 1e-12


@dataclass(frozen=True, slots=True)
class Filled:
    """The values, blanks filled with a number."""

    fill: float

    def name(self, source: str) -> str:
        """Return the derived column's name."""
        return source

    def of(self, values: Values) -> NDArray[np.float64]:
        """Return the derived column, shape (n,)."""
        return np.where(np.isnan(values), self.fill, values).astype(np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return {"fill": number}."""
        return {"fill": self.fill}


@dataclass(frozen=True, slots=True)
class IsLevel:
    """1 where the value is the level."""

    level: str

    def name(self, source: str) -> str:
        """Return the derived column's name."""
        return f"{source}={self.level}"

    def of(self, values: Values) -> NDArray[np.float64]:
        """Return the derived column, shape (n,)."""
        return np.asarray(values == self.level, np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return {"level": text}."""
        return {"level": self.level}


@dataclass(frozen=True, slots=True)
class IsBlank:
    """1 where the value is blank."""

    def name(self, source: str) -> str:
        """Return the derived column's name."""
        return f"{source}__na"

    def of(self, values: Values) -> NDArray[np.float64]:
        """Return the derived column, shape (n,)."""
        return blanks(values).astype(np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return {"blank": true}."""
        return {"blank": True}


Codes = tuple[float | str, ...]
"""Special codes of a column: numbers of a numeric one, texts (or numbers that stand for them) else."""

Piece = Filled | IsLevel | IsBlank


@dataclass(frozen=True, slots=True)
class StandardColumn:
    """One derived column: a piece of a source column, and its training mean and std."""

    source: str
    piece: Piece
    mean: float
    std: float

    @property
    def name(self) -> str:
        """The derived column's name."""
        return self.piece.name(self.source)

    def of(self, values: Values) -> NDArray[np.float64]:
        """Return the z-scores of the source's values, shape (n,)."""
        return (self.piece.of(values) - self.mean) / self.std

    def as_json(self) -> dict[str, Any]:
        """Return the column as the module's docstring describes it."""
        return {"source": self.source, "mean": self.mean, "std": self.std, **self.piece.as_json()}


@dataclass(frozen=True, slots=True)
class Standardiser:
    """How a party's table becomes its design matrix."""

    columns: tuple[StandardColumn, ...]
    special: Mapping[str, Codes] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        columns: Mapping[str, Values],
        rows: NDArray[np.bool_] | NDArray[np.int64],
        special: Mapping[str, Codes] = MappingProxyType({}),
    ) -> Self:
        """Learn medians, levels, means and stds from the training `rows` (a mask or indices)."""
        train = {name: _without(values[rows], special.get(name, ())) for name, values in columns.items()}
        return cls(tuple(column for source in train for column in _fitted(source, train[source])), special)

    @property
    def names(self) -> tuple[str, ...]:
        """The derived columns' names, in the order of the matrix."""
        return tuple(column.name for column in self.columns)

    @property
    def sources(self) -> tuple[str, ...]:
        """The source column of each derived one."""
        return tuple(column.source for column in self.columns)

    def transform(self, columns: Mapping[str, Values]) -> NDArray[np.float64]:
        """Return the design matrix of any rows, shape (n, d)."""
        n = len(next(iter(columns.values()), ()))
        design = np.empty((n, len(self.columns)))
        for j, column in enumerate(self.columns):
            values = _without(columns[column.source], self.special.get(column.source, ()))
            design[:, j] = column.of(values)
        return design

    def as_json(self) -> dict[str, Any]:
        """Return the standardiser as the module's docstring describes it."""
        columns = {"columns": [column.as_json() for column in self.columns]}
        special = {source: list(codes) for source, codes in self.special.items()}
        return columns | ({"special": special} if special else {})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the standardiser that `as_json` described; raise ValueError on anything else."""
        try:
            special = {str(source): tuple(codes) for source, codes in data.get("special", {}).items()}
            return cls(tuple(_column_from_json(column) for column in data["columns"]), special)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a standardiser: {error}") from error


def _without(values: Values, special: Codes) -> Values:
    """Return the values with special codes as blanks."""
    if not special:
        return values
    if is_numeric(values):
        return np.where(np.isin(values, np.array(special, np.float64)), np.nan, values)
    codes = set(map(str, special))
    return np.array([None if value in codes else value for value in values], object)


def blanks(values: Values) -> NDArray[np.bool_]:
    """Return which values are blank, shape (n,)."""
    if is_numeric(values):
        return np.isnan(values)
    return np.fromiter((v is None for v in values), np.bool_, len(values))


def pieces(values: Values) -> Iterator[Piece]:
    """Yield the pieces of a source column whose training values these are."""
    na = blanks(values)
    if is_numeric(values):
        yield Filled(0.0 if na.all() else float(np.median(values[~na])))
    else:
        yield from (IsLevel(level) for level in levels_of(values)[1:])
    if na.any():
        yield IsBlank()


def _fitted(source: str, train: Values) -> Iterator[StandardColumn]:
    for piece in pieces(train):
        x = piece.of(train)
        mean, std = float(x.mean()), float(x.std())
        # Rounding of the mean gives a large constant a std that is not 0: compare the ends as well.
        if std > SMALLEST_STD and x.min() < x.max():
            yield StandardColumn(source, piece, mean, std)


def _column_from_json(data: dict[str, Any]) -> StandardColumn:
    return StandardColumn(
        str(data["source"]), _piece_from_json(data), float(data["mean"]), float(data["std"])
    )


def _piece_from_json(data: dict[str, Any]) -> Piece:
    match data:
        case {"fill": fill}:
            return Filled(float(fill))
        case {"level": level}:
            return IsLevel(str(level))
        case {"blank": True}:
            return IsBlank()
    raise ValueError("a standard column needs fill, level or blank")
