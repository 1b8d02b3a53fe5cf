"""Standardised columns: numbers for blanks, clipping, one-hot levels, then z-scores.

    numeric c       blank -> training median, training mean or a constant; then x to the nearest of
                    [low, high], where numbers are clipped
    categorical c   a 0/1 column `c=level` for each training level but the first; blank = all 0
    either          a 0/1 column `c__na` where training has blanks, unless it is not wanted
    every column    (x - mean) / std with ddof 0; columns that are constant in training dropped

Clipped at k deviations: low, high = mean -+ k std of the numbers before, and mean and std stay
theirs, so that no z-score lies beyond k.  Clipped at the share q: low, high are the quantiles q and
1 - q of the numbers, blanks filled; mean and std are of what is clipped.

All statistics come from the training rows alone.  The order is the source columns', each one's
pieces as listed above.  A special code of a column (-1, 999, ..) counts as a blank.
JSON: {"columns": [{"source", "mean", "std", and one of "fill": number, "level": text,
"blank": true}]}, beside "fill" {"low", "high"} where it is clipped, and {"special": {source:
[code, ..]}} if there are any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, nextafter
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from vfl.stats.binning import Values, is_numeric, levels_of

SMALLEST_STD = 1e-12

Imputation = Literal["median", "mean", "constant"]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What becomes of numbers before they are z-scores.

    `constant`: the number for blanks of impute constant; `clip`: deviations from the mean, `clip_share`:
    the share of the training rows at either end, one of them at most.
    """

    impute: Imputation = "median"
    constant: float = 0.0
    blank_columns: bool = True
    clip: float | None = None
    clip_share: float | None = None

    def fill(self, known: NDArray[np.float64]) -> float:
        """Return the number for blanks, from the training numbers that are none."""
        match self.impute:
            case "constant":
                return self.constant
            case "mean":
                return float(known.mean()) if len(known) else 0.0
            case "median":
                return float(np.median(known)) if len(known) else 0.0


AS_EVER = Preparation()


@dataclass(frozen=True, slots=True)
class Filled:
    """The values, blanks filled with a number, and all of them between two ends."""

    fill: float
    low: float = -inf
    high: float = inf

    @property
    def blank(self) -> float:
        """What stands for a blank."""
        return min(max(self.fill, self.low), self.high)

    def name(self, source: str) -> str:
        """Return the derived column's name."""
        return source

    def of(self, values: Values) -> NDArray[np.float64]:
        """Return the derived column, shape (n,)."""
        return np.clip(np.where(np.isnan(values), self.fill, values), self.low, self.high)

    def as_json(self) -> dict[str, Any]:
        """Return {"fill": number}, with the ends if there are any."""
        clipped = self.low > -inf or self.high < inf
        return {"fill": self.fill} | ({"low": self.low, "high": self.high} if clipped else {})


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
        preparation: Preparation = AS_EVER,
    ) -> Self:
        """Learn fills, ends, levels, means and stds from the training `rows` (a mask or indices)."""
        train = {name: _without(values[rows], special.get(name, ())) for name, values in columns.items()}
        fitted = (column for source in train for column in _fitted(source, train[source], preparation))
        return cls(tuple(fitted), special)

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


def pieces(values: Values, preparation: Preparation = AS_EVER) -> Iterator[Piece]:
    """Yield the pieces of a source column whose training values these are."""
    na = blanks(values)
    if is_numeric(values):
        filled = Filled(preparation.fill(values[~na]))
        if preparation.clip_share is not None:
            share = preparation.clip_share
            low, high = np.quantile(filled.of(values), (share, 1 - share)).tolist()
            filled = Filled(filled.fill, low, high)
        yield filled
    else:
        yield from (IsLevel(level) for level in levels_of(values)[1:])
    if na.any() and preparation.blank_columns:
        yield IsBlank()


def _fitted(source: str, train: Values, preparation: Preparation) -> Iterator[StandardColumn]:
    for piece in pieces(train, preparation):
        x = piece.of(train)
        mean, std = float(x.mean()), float(x.std())
        # Rounding of the mean gives a large constant a std that is not 0: compare the ends as well.
        if std > SMALLEST_STD and x.min() < x.max():
            yield StandardColumn(source, _clipped(piece, mean, std, preparation.clip), mean, std)


def _clipped(piece: Piece, mean: float, std: float, deviations: float | None) -> Piece:
    """Return numbers between ends of which no z-score lies beyond so many deviations, rounded or not."""
    if deviations is None or not isinstance(piece, Filled):
        return piece
    low, high = mean - deviations * std, mean + deviations * std
    while (low - mean) / std < -deviations:
        low = nextafter(low, mean)
    while (high - mean) / std > deviations:
        high = nextafter(high, mean)
    return Filled(piece.fill, low, high)


def _column_from_json(data: dict[str, Any]) -> StandardColumn:
    return StandardColumn(
        str(data["source"]), _piece_from_json(data), float(data["mean"]), float(data["std"])
    )


def _piece_from_json(data: dict[str, Any]) -> Piece:
    match data:
        case {"fill": fill, "low": low, "high": high}:
            return Filled(float(fill), float(low), float(high))
        case {"fill": fill}:
            return Filled(float(fill))
        case {"level": level}:
            return IsLevel(str(level))
        case {"blank": True}:
            return IsBlank()
    raise ValueError("a standard column needs fill, level or blank")
