"""A party's half of the joint regression, and model.json, the file it is kept in.

{"kind": "logistic" | "linear" | "poisson" | "gamma", "run": the training's name,
 "features_kind": "woe" | "indicators" | "standard",
 "features": as vfl.stats.binned or vfl.stats.standard write them,
 "columns": {source column: its training levels, or null for numbers},
 "coefficients": {model column: weight}, the guest's "intercept" first,
 "population": its training rows by column and bin, as vfl.stats.stability writes them,
 "averages": {"columns": {source column: its mean part of the logit}, "partners": theirs}, the guest's,
 "unit": the power of two, 1 but of linear, by which parts of a prediction are divided when they are told,
 "calibration": {"intercept": a, "slope": b}, the guest's, of sigmoid: taylor,
 "absent": [hosts that stayed away from the training], if any did}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parties.programs.stored import (
    Levels,
    RegressionKind,
    levels_from,
    levels_json,
    stored,
)
from vfl.stats.binned import IndicatorColumns, WoeColumns
from vfl.stats.binning import Values, levels_of
from vfl.stats.stability import Population
from vfl.stats.standard import Standardiser
from vfl.table.table import Categorical, Table

Vector = NDArray[np.float64]
Features = WoeColumns | IndicatorColumns | Standardiser

KINDS: dict[str, type[WoeColumns] | type[IndicatorColumns] | type[Standardiser]] = {
    "woe": WoeColumns,
    "indicators": IndicatorColumns,
    "standard": Standardiser,
}

MOST_LEVELS = 5
"""Unseen levels that are named of one column."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The logit a + b u in place of the joint logit u."""

    intercept: float = 0.0
    slope: float = 1.0

    def apply(self, logit: Vector) -> Vector:
        """Return the calibrated logits."""
        return self.intercept + self.slope * logit


@dataclass(frozen=True, slots=True)
class Averages:
    """What the average training customer has in the joint logit: each of the guest's columns, the partners.

    `partners`: all of them together; None where no row of theirs was measured.
    """

    columns: dict[str, float]
    partners: float | None


@dataclass(frozen=True, slots=True)
class Half:
    """One party's features with their weights."""

    run: str
    features: Features
    weights: dict[str, float]
    levels: dict[str, tuple[str, ...] | None]
    calibration: Calibration | None = None
    population: Population | None = None
    averages: Averages | None = None
    absent: tuple[str, ...] = ()
    """Hosts without which it was fitted, and is scored."""
    kind: RegressionKind = "logistic"
    unit: float = 1.0

    @property
    def slopes(self) -> Vector:
        """The weights without the intercept, shape (d,)."""
        return np.array([w for name, w in self.weights.items() if name != "intercept"])

    @property
    def slope(self) -> float:
        """What calibration multiplies each part of the joint logit with."""
        return self.calibration.slope if self.calibration else 1.0

    def calibrated(self, logit: Vector) -> Vector:
        """Return calibrated logits, the same where the model needs no calibration."""
        return self.calibration.apply(logit) if self.calibration else logit

    def logit(self, table: Table) -> Vector:
        """Return this party's part of each row's logit."""
        weights = dict(self.weights)
        intercept = weights.pop("intercept", 0.0)
        x = self.features.transform(columns_of(table))
        return np.asarray(intercept + x @ np.array(list(weights.values())), np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return the half as the module's docstring describes it."""
        kind = next(name for name, kind in KINDS.items() if isinstance(self.features, kind))
        described: dict[str, Any] = {
            "kind": self.kind,
            "run": self.run,
            "features_kind": kind,
            "features": self.features.as_json(),
            "columns": levels_json(self.levels),
            "coefficients": self.weights,
        }
        if self.unit != 1.0:
            described["unit"] = self.unit
        if self.population:
            described["population"] = self.population.as_json()
        if self.averages:
            described["averages"] = asdict(self.averages)
        if self.calibration:
            described["calibration"] = {
                "intercept": self.calibration.intercept,
                "slope": self.calibration.slope,
            }
        if self.absent:
            described["absent"] = list(self.absent)
        return described

    @classmethod
    def load(cls, path: Path, kind: RegressionKind = "logistic") -> Self:
        """Return the half in a file, of a regression of one kind."""
        with stored(path, kind) as data:
            levels = levels_from(data)
            features = KINDS[data["features_kind"]].from_json(data["features"])
            calibration = Calibration(**data["calibration"]) if "calibration" in data else None
            population = Population.from_json(data["population"]) if "population" in data else None
            averages = Averages(**data["averages"]) if "averages" in data else None
            weights, absent = data["coefficients"], tuple(data.get("absent", ()))
            told = (calibration, population, averages, absent, kind, float(data.get("unit", 1.0)))
            return cls(data["run"], features, weights, levels, *told)


def columns_of(table: Table) -> dict[str, Values]:
    """Return the values of a table's columns."""
    return {name: column.values for name, column in table.columns.items()}


def levels_in(training: Table, features: Features | None = None) -> dict[str, tuple[str, ...] | None]:
    """Return each column's levels, None for numbers; of WOE columns, without those left out."""
    needed = features.names if isinstance(features, WoeColumns) else training.columns
    return {
        name: levels_of(column.values) if isinstance(column, Categorical) else None
        for name, column in training.columns.items()
        if name in needed
    }


def unseen(levels: Levels, table: Table) -> list[str]:
    """Return a warning for each level that no training row had: it counts as average."""
    return unseen_warnings(table.source, unseen_in(levels, table))


def unseen_in(levels: Levels, table: Table) -> dict[str, dict[str, int]]:
    """Return by column the levels that no training row had, and how many rows have each."""
    found: dict[str, dict[str, int]] = {}
    for name, known in levels.items():
        if known is None:
            continue
        values = table.columns[name].values
        shown, rows = np.unique(values[values != None].astype(str), return_counts=True)  # noqa: E711
        found[name] = {str(v): int(k) for v, k in zip(shown, rows, strict=True) if str(v) not in known}
    return found


def unseen_warnings(source: str, found: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a warning for each of these levels."""
    warnings = []
    for name, levels in found.items():
        for level, count in sorted(levels.items())[:MOST_LEVELS]:
            lines = f"{count} rows have it" if count > 1 else "one row has it"
            warnings.append(f"{source}: {name}: the model does not know the level {level!r}; {lines}")
        if len(levels) > MOST_LEVELS:
            warnings.append(f"{source}: {name}: and {len(levels) - MOST_LEVELS} more levels")
    return warnings


def numbered(sources: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return what model columns are called where their names stay secret: the source's number."""
    said = []
    for j, source in enumerate(sources):
        number = f"column {columns.index(source) + 1}"
        piece = sources[: j + 1].count(source)
        said.append(number if sources.count(source) == 1 else f"{number}, part {piece}")
    return tuple(said)
