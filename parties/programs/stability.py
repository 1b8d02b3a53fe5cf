"""How far a party's own columns have moved since training: for its books alone.

A column is cut as the model cuts it, or into deciles of the training rows where the model does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parties.programs.alignment import Common
from parties.programs.model import Features, Half, columns_of
from parties.programs.run import Run
from vfl.stats.binned import Bins
from vfl.stats.stability import Population
from vfl.stats.standard import Standardiser
from vfl.table.table import Table

DECILES = 10


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
