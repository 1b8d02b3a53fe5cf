"""The trees of a pooled table: ours node by node, and xgboost's in the same run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parties.config.data import Data
from parties.inspection import training_rows
from parties.sources import read_training
from scripts.benchmarks.real.tree_jobs import TreeCase
from vfl.crypto.randomness import Randomness
from vfl.stats.binned import Bins
from vfl.trees import pooled
from vfl.trees.grow import Rules
from vfl.trees.model import codes_of, layout_of
from vfl.trees.tree import Codes, Tree


class Forest(Protocol):
    """Institutions' tables, and the trees to grow from them."""

    @property
    def institutions(self) -> tuple[str, ...]:
        """Who holds columns, the guest first."""

    @property
    def model(self) -> dict[str, Any]:
        """The job's section `model`."""

    def data(self, party: str) -> dict[str, Any]:
        """Return an institution's section `data`."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """The common customers as an analyst with all tables has them: party by party, in one order."""

    bins: tuple[Bins, ...]
    codes: tuple[Codes, ...]
    y: NDArray[np.int8]
    train: NDArray[np.bool_]

    @classmethod
    def read(cls, case: Forest) -> Pooled:
        """Join a case's tables, and bin their columns by the training rows."""
        tables = [read_training(Data.model_validate(case.data(party))) for party in case.institutions]
        ids = [np.asarray(table.ids) for table in tables]
        common = reduce(np.intersect1d, ids)
        orders = [np.argsort(own) for own in ids]
        places = [
            order[np.searchsorted(own, common, sorter=order)] for own, order in zip(ids, orders, strict=True)
        ]
        guest, *_ = tables = [table.take(rows) for table, rows in zip(tables, places, strict=True)]
        assert guest.label is not None
        train = training_rows(guest)
        columns = [{name: column.values for name, column in table.columns.items()} for table in tables]
        bins = tuple(Bins.fit(own, train, case.model["max_bin"]) for own in columns)
        codes = tuple(codes_of(one, own) for one, own in zip(bins, columns, strict=True))
        return cls(bins, codes, guest.label, train)

    def grown(self, case: TreeCase) -> list[Tree]:
        """Return our trees of the pooled training rows."""
        rules = Rules(case.trees, case.depth, case.model["learning_rate"], guest_grows_first=False)
        codes = [own[self.train] for own in self.codes]
        layouts = tuple(map(layout_of, self.bins))
        return pooled.fit(codes, layouts, self.y[self.train], rules, rng=Randomness()).trees

    def xgboost_seconds(self, case: TreeCase) -> float | None:
        """Return what xgboost takes for as many trees from the same bins; None where it is not installed."""
        try:
            return boosted(self, case.model)[0]
        except ImportError:
            return None


def boosted(pooled: Pooled, model: dict[str, Any]) -> tuple[float, NDArray[np.float64]]:
    """Return the seconds that xgboost takes for a job's trees from the same bins, and the PDs of all rows."""
    from xgboost import XGBClassifier

    codes = np.column_stack(pooled.codes).astype(np.float32)
    codes[codes < 0] = np.nan
    trained = codes[pooled.train]
    ours = ("kind", "first_tree", "node_rows")
    given = {name: value for name, value in model.items() if name not in ours}
    cores = {"tree_method": "hist", "base_score": 0.5, "n_jobs": os.cpu_count()}
    begun = time.perf_counter()
    fit = XGBClassifier(**{**given, **cores, "max_bin": 64}).fit(trained, pooled.y[pooled.train])
    return time.perf_counter() - begun, fit.predict_proba(codes)[:, 1]
