"""Standardised columns equal the published means and stds, and their own definition."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared

from vfl.stats.standard import Standardiser

cells = st.tuples(
    st.one_of(st.integers(-9, 9).map(float), st.just(np.nan)),
    st.one_of(st.sampled_from("abc"), st.none()),
)
tables = st.lists(cells, min_size=1, max_size=40)


def columns_of(rows):
    numeric, level = zip(*rows, strict=True)
    text = np.empty(len(rows), object)
    text[:] = level
    return {"x": np.array(numeric, np.float64), "c": text}


def pooled(name):
    """Return the joined rows' columns as arrays, the training mask and the test ids."""
    parties = json.loads((shared(name) / "schema.json").read_text())["parties"]
    texts = {c for party in parties.values() for c in party["categorical"]}
    bank, insurer = (
        pd.read_csv(shared(name) / f"{party}.csv", dtype={"id": str, **dict.fromkeys(texts, str)})
        for party in ("bank", "insurer")
    )
    joined = bank.merge(insurer, on="id", validate="one_to_one").sort_values("id")
    columns = {}
    for c in (c for party in parties.values() for c in party["features"]):
        missing = joined[c].astype(object).where(joined[c].notna(), None)
        columns[c] = missing.to_numpy(object) if c in texts else joined[c].to_numpy(np.float64)
    return columns, (joined["split"] == "train").to_numpy()


@pytest.mark.parametrize("name", ["default_credit", "german"])
def test_the_design_and_its_scores_equal_the_published_ones(name):
    columns, train = pooled(name)
    baseline = json.loads(shared("baselines.json").read_text())[name]["lr"]["joint"]
    standard = Standardiser.fit(columns, train)
    assert list(standard.names) == list(baseline["mean"])
    for column in standard.columns:
        assert column.mean == pytest.approx(baseline["mean"][column.name], rel=1e-12, abs=1e-12)
        assert column.std == pytest.approx(baseline["std"][column.name], rel=1e-12)
    design = standard.transform(columns)
    assert design[train].mean(axis=0) == pytest.approx(0, abs=1e-10)
    assert design[train].std(axis=0) == pytest.approx(1, abs=1e-10)
    logit = baseline["intercept"] + design[~train] @ np.array(list(baseline["coef"].values()))
    scores = pd.read_csv(shared(name) / "expected_scores.csv")["lr_std"].to_numpy()
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(scores, abs=1e-5)


@given(tables)
def test_training_columns_have_mean_nought_and_std_one(rows):
    columns = columns_of(rows)
    standard = Standardiser.fit(columns, np.arange(len(rows)))
    design = standard.transform(columns)
    assert design.shape == (len(rows), len(standard.names))
    assert np.isfinite(design).all()
    assert design.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert design.std(axis=0) == pytest.approx(1, abs=1e-9)


@given(tables)
def test_a_standardiser_survives_json_exactly(rows):
    standard = Standardiser.fit(columns_of(rows), np.arange(len(rows)))
    assert Standardiser.from_json(json.loads(json.dumps(standard.as_json()))) == standard


@given(tables, tables)
def test_rows_outside_the_training_change_nothing(rows, more):
    alone = Standardiser.fit(columns_of(rows), np.arange(len(rows)))
    together = Standardiser.fit(columns_of(rows + more), np.arange(len(rows)))
    assert alone == together


def test_names_follow_the_source_columns_and_their_pieces():
    columns = columns_of([(1.0, "b"), (2.0, "a"), (np.nan, None), (4.0, "c")])
    names = Standardiser.fit(columns, np.arange(4)).names
    assert names == ("x", "x__na", "c=b", "c=c", "c__na")


def test_a_blank_is_the_training_median_and_an_unseen_level_is_all_nought():
    train = columns_of([(1.0, "a"), (2.0, "b"), (9.0, "b")])
    standard = Standardiser.fit(train, np.arange(3))
    blank, median, unseen, first = standard.transform(
        columns_of([(np.nan, "a"), (2.0, "a"), (2.0, "z"), (2.0, None)])
    )
    assert blank == pytest.approx(median)
    assert unseen == pytest.approx(median)
    assert first == pytest.approx(median)


def test_a_large_constant_is_dropped_whatever_its_rounding():
    columns = {"x": np.full(1000, 1e9 + 0.1), "y": np.arange(1000.0)}
    assert Standardiser.fit(columns, np.arange(1000)).names == ("y",)


@pytest.mark.parametrize("data", [{}, {"columns": [{}]}, {"columns": [{"source": "x", "mean": 0, "std": 1}]}])
def test_malformed_standardisers_are_refused(data):
    with pytest.raises(ValueError, match="standard"):
        Standardiser.from_json(data)
