"""A party's half of a regression as a sum over its source columns: what every export is written from.

    logit = base + sum over columns of what the case is worth that holds the cell

A column's cases exclude each other: intervals of numbers, levels, a blank, any other cell.  A
standardised number is worth `logit` for each unit beyond `around`, where it lies in none of the column's
intervals: of a clipped one these are what is beyond its ends.  Only the guest's half has an
intercept; the joint logit is the sum of all halves', and so is the linear predictor of an amount.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import assert_never

from parties.programs.model import Half
from parties.programs.stored import RegressionKind
from vfl.stats.binned import IndicatorColumns, WoeColumns
from vfl.stats.binning import BLANK, UNSEEN, Binning, NumericBins
from vfl.stats.merging import level_groups
from vfl.stats.standard import Codes, Filled, IsBlank, IsLevel, StandardColumn, Standardiser


@dataclass(frozen=True, slots=True)
class Interval:
    """low < x <= high, either of them perhaps infinite."""

    low: float
    high: float

    @property
    def label(self) -> str:
        """The interval as a reader writes it."""
        if self.low == -inf:
            return "any value" if self.high == inf else f"<= {self.high:.6g}"
        return f"> {self.low:.6g}" if self.high == inf else f"({self.low:.6g}, {self.high:.6g}]"


@dataclass(frozen=True, slots=True)
class Code:
    """The number is this special code: its case goes before the intervals."""

    value: float

    @property
    def label(self) -> str:
        """The code as a reader writes it."""
        return f"special {self.value:.6g}"


@dataclass(frozen=True, slots=True)
class Level:
    """The cell is this text."""

    label: str


@dataclass(frozen=True, slots=True)
class Blank:
    """The cell is blank."""

    label = "blank"


@dataclass(frozen=True, slots=True)
class Other:
    """A text that no training row had."""

    label = "unseen"


@dataclass(frozen=True, slots=True)
class Unit:
    """Each unit of a number beyond `around`."""

    around: float

    @property
    def label(self) -> str:
        """What the logit is for."""
        return f"each unit beyond {self.around:.6g}"


When = Interval | Code | Level | Blank | Other | Unit


@dataclass(frozen=True, slots=True)
class Case:
    """What a cell adds to the logit."""

    when: When
    logit: float


@dataclass(frozen=True, slots=True)
class Term:
    """One source column's cases."""

    column: str
    numeric: bool
    cases: tuple[Case, ...]

    def worth(self, when: type[Blank] | type[Other]) -> float:
        """Return the logit of a blank, or of any other cell."""
        return next((case.logit for case in self.cases if isinstance(case.when, when)), 0.0)


@dataclass(frozen=True, slots=True)
class Card:
    """A half as the module's docstring describes it."""

    run: str
    base: float
    terms: tuple[Term, ...]
    is_guests: bool
    kind: RegressionKind = "logistic"

    @classmethod
    def of(cls, half: Half) -> Card:
        """Return a half's card."""
        weights = dict(half.weights)
        intercept = weights.pop("intercept", None)
        values = list(weights.values())
        match half.features:
            case WoeColumns() | IndicatorColumns() as binned:
                base, terms = 0.0, _binned(binned, values)
            case Standardiser(columns, special):
                base, terms = _standardised(columns, special, values, half)
            case _:
                assert_never(half.features)
        return cls(half.run, base + (intercept or 0.0), tuple(terms), intercept is not None, half.kind)

    @property
    def output(self) -> str:
        """What the sum of all halves is called: for amounts the linear predictor."""
        return "logit" if self.kind == "logistic" else "predictor"

    @property
    def said(self) -> str:
        """What the sum of all halves is, in words."""
        return {
            "logistic": "the logit of a bad outcome",
            "linear": "the predicted outcome",
        }.get(self.kind, "the natural logarithm of the predicted outcome")


def _binned(features: WoeColumns | IndicatorColumns, weights: list[float]) -> list[Term]:
    tables: list[list[float]] = []
    if isinstance(features, WoeColumns):
        tables = [(w * table).tolist() for w, table in zip(weights, features.tables, strict=True)]
    else:
        left = iter(weights)
        for size, shown in zip(features.bins.sizes, features.shown, strict=True):
            table = [0.0] * size
            for slot in shown:
                table[slot] = next(left)
            tables.append(table)
    return [
        Term(name, isinstance(bins, NumericBins), tuple(_cases(bins, table)))
        for (name, bins), table in zip(features.bins.of.items(), tables, strict=True)
    ]


def _cases(bins: Binning, table: list[float]) -> Iterator[Case]:
    if isinstance(bins, NumericBins):
        ends = (-inf, *bins.cuts, inf)
        yield from (Case(Code(code), table[bins.ordered + k]) for k, code in enumerate(bins.special))
        yield from (Case(Interval(*ab), table[slot]) for slot, ab in enumerate(pairwise(ends)))
    else:
        for slot, group in enumerate(level_groups(bins)):
            yield from (Case(Level(text), table[slot]) for text in group)
        yield Case(Other(), table[UNSEEN])
    yield Case(Blank(), table[BLANK])


def _unit(numbers: Filled, mean: float, slope: float) -> Iterator[Case]:
    if numbers.low > -inf:
        yield Case(Interval(-inf, numbers.low), slope * (numbers.low - mean))
    yield Case(Unit(mean), slope)
    if numbers.high < inf:
        yield Case(Interval(numbers.high, inf), slope * (numbers.high - mean))


def _standardised(
    columns: tuple[StandardColumn, ...], codes: Mapping[str, Codes], weights: list[float], half: Half
) -> tuple[float, list[Term]]:
    base, terms = 0.0, []
    for source in dict.fromkeys(column.source for column in columns):
        cases: list[Case] = []
        blank = 0.0
        for column, weight in zip(columns, weights, strict=True):
            if column.source != source:
                continue
            slope = weight / column.std
            match column.piece:
                case Filled() as numbers:
                    cases += _unit(numbers, column.mean, slope)
                    blank += slope * (numbers.blank - column.mean)
                case IsLevel(level):
                    cases.append(Case(Level(level), slope))
                    base -= slope * column.mean
                case IsBlank():
                    blank += slope
                    base -= slope * column.mean
                case _:
                    assert_never(column.piece)
        numeric = half.levels[source] is None
        special = (Code(float(code)) if numeric else Level(str(code)) for code in codes.get(source, ()))
        found = (*(Case(when, blank) for when in special), *cases, Case(Blank(), blank))
        terms.append(Term(source, numeric, found))
    return base, terms
