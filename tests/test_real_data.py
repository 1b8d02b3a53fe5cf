"""On real records `vfl local` gives the pooled model: same customers, coefficients and measures."""

from dataclasses import replace

import pytest
from shared_data import shared

from scripts.benchmarks.real.jobs import Case
from scripts.benchmarks.real.pooled import Model
from scripts.benchmarks.real_data import compared, measured


def test_two_institutions_that_train_apart_get_the_scorecard_of_the_pooled_records(tmp_path):
    shared("german/bank.csv")
    found = measured(Case("german"), tmp_path)
    ours = {c.what: c.ours for c in found["comparisons"]}
    assert [ours[what] for what in ("common customers", "train rows", "test rows")] == [890, 625, 265]
    assert found["converged"]
    assert not [c for c in found["comparisons"] if not c.met]
    assert found["apart_from_sklearn"] <= 1e-4


@pytest.mark.parametrize(
    ("what", "apart", "met"),
    [("duration", 0.9e-4, True), ("duration", 1.1e-4, False), ("intercept", -1.1e-4, False)],
)
def test_a_coefficient_misses_its_limit_beyond_the_fourth_decimal(what, apart, met):
    pooled = Model({"train": 60, "test": 40}, {"intercept": -1.0, "duration": 0.5}, {}, 0.0)
    ours = replace(pooled, coefficients=pooled.coefficients | {what: pooled.coefficients[what] + apart})
    *counts, worst = compared(Case("german"), ours, pooled)
    assert all(count.met for count in counts)
    assert worst.what == f"coefficient {what}"
    assert worst.met is met


@pytest.mark.parametrize(
    ("measure", "apart", "met"),
    [
        ("auc", 4e-5, True),
        ("auc", 6e-5, False),
        ("ks", -6e-5, False),
        ("logloss", 4e-4, True),
        ("logloss", 6e-4, False),
        ("mean_pd", -6e-4, False),
    ],
)
def test_a_measure_misses_its_limit_beyond_its_decimals(measure, apart, met):
    pooled = Model({"test": 40}, {"intercept": -1.0}, {"test": {measure: 0.25}}, 0.0)
    ours = replace(pooled, splits={"test": {measure: 0.25 + apart}})
    assert [c.met for c in compared(Case("german"), ours, pooled)] == [True, True, True, met]


def test_a_lost_customer_misses_the_limit():
    pooled = Model({"train": 60, "test": 40}, {"intercept": -1.0}, {}, 0.0)
    ours = replace(pooled, rows={"train": 59, "test": 40})
    assert [c.what for c in compared(Case("german"), ours, pooled) if not c.met] == [
        "common customers",
        "train rows",
    ]
