"""How far a party's own columns have moved since training, and the guest's score: for its books alone.

A column is cut as the model cuts it, or into deciles of the training rows where the model does not; the
score, into tenths of the training rows.  By month: [{"month": "2027-06", "rows": the common rows, "score":
index of the measured ones among them, "columns": {column: index}}], the indices where there are rows enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from parties.programs.alignment import Common, Mask, measured_rows
from parties.programs.model import Features, Half, columns_of
from parties.programs.run import Run
from vfl.stats.binned import Bins
from vfl.stats.stability import Population
from vfl.stats.standard import Standardiser
from vfl.table.table import Table

if TYPE_CHECKING:
    from parties.programs.evaluation import Measured  # with scikit-learn, which no host needs

DECILES = 10

MONTH_ROWS = 50
"""Rows of a month from which an index says more than chance."""


def population_of(common: Common, features: Features) -> Population:
    """Return the training rows' columns, counted by bin."""
    columns = columns_of(common.training)
    if not isinstance(features, Standardiser):
        return Population.of(features.bins, columns)
    used = {name: columns[name] for name in dict.fromkeys(features.sources)}
    return Population.of(Bins.fit(used, np.ones(len(common.training), np.bool_), DECILES), used)


def held_out_stability(run: Run, common: Common, half: Half) -> dict[str, Any]:
    """Return what run.json says of the columns' stability from train to test; nothing without test rows."""
    return (
        {}
        if common.train.all()
        else batch_stability(run, common.table.take(np.flatnonzero(~common.train)), half)
    )


def batch_stability(run: Run, table: Table, half: Half) -> dict[str, Any]:
    """Return what score.json says of the columns' stability from the training rows to a batch."""
    if half.population is None or not len(table):
        return {}
    role = run.job.parties[run.party.party].role
    return {"stability": {role: half.population.stability(columns_of(table))}}


def monthly(
    table: Table, population: Population | None, scores: Callable[[Mask], float | None] | None = None
) -> dict[str, Any]:
    """Return what run.json says of the months of a party's common rows; nothing of a table without.

    `scores`: the index of the score in some of the table's rows.
    """
    if table.month is None:
        return {}
    months = sorted({str(month) for month in table.month if month is not None})
    return {"months": [_month(table, month, population, scores) for month in months]}


def _month(
    table: Table,
    month: str,
    population: Population | None,
    scores: Callable[[Mask], float | None] | None,
) -> dict[str, Any]:
    rows = np.asarray(table.month == month)
    found: dict[str, Any] = {"month": month, "rows": int(rows.sum())}
    if found["rows"] < MONTH_ROWS:
        return found
    if scores and (index := scores(rows)) is not None:
        found["score"] = index
    if population:
        found["columns"] = population.stability(columns_of(table.take(np.flatnonzero(rows))))
    return found


def measured_moves(run: Run, common: Common, measured: Measured) -> Callable[[Mask], float | None]:
    """Return what gives the index of the score in some of the common rows, those that are measured."""
    shown = measured_rows(run.job, common.train)
    return lambda rows: measured.moved(rows[shown])
