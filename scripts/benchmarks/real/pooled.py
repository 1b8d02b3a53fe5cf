"""The pooled table of a real set, and what one analyst who held all of it would fit."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from parties.config.data import Data
from parties.inspection import training_rows
from parties.sources import read_training
from scripts.benchmarks.real.jobs import DATA, Case, Tables
from vfl.linear.sigmoid import sigmoid
from vfl.stats.binning import Values, fit_bins
from vfl.stats.metrics import evaluate
from vfl.stats.standard import Standardiser
from vfl.stats.woe import bin_counts, woe
from vfl.table.ids import IdRules, normalised

MEASURES = ("auc", "ks", "logloss", "mean_pd")


@dataclass(frozen=True, slots=True)
class Model:
    """A joint model: its rows and measures by split, its coefficients by column, its seconds."""

    rows: dict[str, int]
    coefficients: dict[str, float]
    splits: dict[str, dict[str, float]]
    seconds: float


def pooled_table(case: Tables) -> tuple[dict[str, Values], NDArray[np.int8], NDArray[np.bool_]]:
    """Return the joined columns in the parties' order, the labels, and which rows train."""
    tables, ids = [], []
    for party in ("bank", *case.hosts):
        table = read_training(Data.model_validate(case.data(party)))
        clean = normalised(table.ids, IdRules(**case.alignment), table.source)
        tables.append(table.take(clean.rows))
        ids.append(np.asarray(clean.ids))
    common = reduce(np.intersect1d, ids)
    joined = [
        table.take(np.intersect1d(own, common, return_indices=True)[1])
        for table, own in zip(tables, ids, strict=True)
    ]
    guest = joined[0]
    assert guest.label is not None
    columns = {name: column.values for table in joined for name, column in table.columns.items()}
    return columns, guest.label, training_rows(guest)


def fitted(case: Tables) -> Model:
    """Return scikit-learn's fit on the pooled table, on our own features."""
    columns, y, train = pooled_table(case)
    begun = time.perf_counter()
    if case.features == "standard":
        standard = Standardiser.fit(columns, train)
        names, x = list(standard.names), standard.transform(columns)
    else:
        names = list(columns)
        x = np.column_stack([evidence(values, y, train) for values in columns.values()])
    fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12, max_iter=500).fit(x[train], y[train])
    seconds = time.perf_counter() - begun
    w = [*fit.intercept_.tolist(), *fit.coef_[0].tolist()]
    p = sigmoid(w[0] + x @ np.array(w[1:]))
    parts = {split: part for split, part in (("train", train), ("test", ~train)) if part.any()}
    splits = {split: chosen(evaluate(y[rows], p[rows])) for split, rows in parts.items()}
    rows = {split: int(part.sum()) for split, part in parts.items()}
    return Model(rows, dict(zip(["intercept", *names], w, strict=True)), splits, seconds)


def evidence(values: Values, y: NDArray[np.int8], train: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return each row's weight of evidence in one column, learnt from the training rows."""
    bins = fit_bins(values, train, 10)
    codes = bins.codes(values)
    events = int(y[train].sum())
    return woe(*bin_counts(codes[train], y[train], bins.slots), events, int(train.sum()) - events)[codes]


def published(case: Case) -> Model:
    """Return the same model as the data's baselines.json and expected_scores.csv have it."""
    found = json.loads((DATA / "baselines.json").read_text(encoding="utf-8"))[case.name]
    [result] = [r for r in found["results"] if (r["model"], r["scope"]) == (case.baseline, "joint")]
    joint = found["lr" if case.features == "standard" else "woe_lr"]["joint"]
    schema = case.schema
    scores = pd.read_csv(case.folder / "expected_scores.csv", usecols=[case.baseline])[case.baseline]
    # With a free intercept the mean PD of the training rows is their event rate.
    mean_pd = {"train": found["pos_train"], "test": float(scores.mean())}
    splits = {
        split: {m: result[prefix + m] for m in ("auc", "ks", "logloss")} | {"mean_pd": mean_pd[split]}
        for split, prefix in (("train", "train_"), ("test", ""))
    }
    rows = {split: schema[f"overlap_{split}"] for split in splits}
    return Model(rows, {"intercept": joint["intercept"], **joint["coef"]}, splits, result["seconds"])


def chosen(measures: dict[str, int | float | None]) -> dict[str, float]:
    """Return the measures that are compared."""
    return {m: value for m in MEASURES if (value := measures[m]) is not None}
