"""Blanks and outliers of standardised columns become what the job says, by the training rows alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_runs import BANK, CUSTOMERS, INSURER, by_id, changed, job, train
from sklearn.linear_model import LogisticRegression

from parties.programs.model import Half, columns_of
from vfl.errors import ConfigError
from vfl.stats.standard import Preparation, Standardiser

NUMBERS = np.array([1.0, 2.0, 3.0, np.nan, 100.0])
ALL = np.ones(5, np.bool_)


@pytest.mark.parametrize(
    ("preparation", "blank"),
    [
        (Preparation(), 2.5),
        (Preparation("mean"), 26.5),
        (Preparation("constant", -7.0), -7.0),
        (Preparation("constant", 400.0, clip_share=0.25), 100.0),
    ],
)
def test_a_blank_is_the_number_that_was_agreed(preparation: Preparation, blank: float) -> None:
    standard = Standardiser.fit({"x": NUMBERS}, ALL, {}, preparation)
    filled, same = standard.transform({"x": np.array([np.nan, blank])})[:, 0]
    assert filled == same


def test_blank_columns_are_left_out_where_nobody_wants_them() -> None:
    columns = {"x": NUMBERS, "c": np.array(["a", "b", None, "b", "a"], object)}
    assert Standardiser.fit(columns, ALL).names == ("x", "x__na", "c=b", "c__na")
    assert Standardiser.fit(columns, ALL, {}, Preparation(blank_columns=False)).names == ("x", "c=b")


@given(
    st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=60),
    st.floats(0.1, 8),
    st.lists(st.floats(-1e300, 1e300), max_size=5),
)
def test_no_number_lies_beyond_the_agreed_deviations(train: list[float], k: float, news: list[float]) -> None:
    standard = Standardiser.fit(
        {"x": np.array(train)}, np.ones(len(train), np.bool_), {}, Preparation(clip=k)
    )
    z = standard.transform({"x": np.array(train + news)})
    assert (np.abs(z) <= k).all()
    plain = Standardiser.fit({"x": np.array(train)}, np.ones(len(train), np.bool_))
    assert z == pytest.approx(
        np.clip(plain.transform({"x": np.array(train + news)}), -k, k), rel=1e-9, abs=1e-9
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=60), st.floats(0.01, 0.49))
def test_numbers_clipped_at_a_share_are_winsorised_then_standardised(
    train: list[float], share: float
) -> None:
    x = np.array(train)
    clipped = np.clip(x, *np.quantile(x, [share, 1 - share]))
    standard = Standardiser.fit({"x": x}, np.ones(len(x), np.bool_), {}, Preparation(clip_share=share))
    if standard.names:
        assert standard.transform({"x": x})[:, 0] == pytest.approx(
            (clipped - clipped.mean()) / clipped.std(), abs=1e-9
        )
    else:
        assert np.ptp(clipped) < 1e-9


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), st.lists(st.floats(-1e6, 1e6), max_size=9))
def test_rows_outside_the_training_change_neither_fills_nor_ends(
    train: list[float], more: list[float]
) -> None:
    rows = np.arange(len(train) + len(more)) < len(train)
    for preparation in (Preparation("mean", clip=1.0), Preparation(clip_share=0.1)):
        alone = Standardiser.fit({"x": np.array(train)}, np.ones(len(train), np.bool_), {}, preparation)
        assert Standardiser.fit({"x": np.array(train + more)}, rows, {}, preparation) == alone


def test_ends_survive_json_exactly() -> None:
    for preparation in (Preparation("mean", clip=0.7), Preparation(clip_share=0.1)):
        standard = Standardiser.fit({"x": NUMBERS}, ALL, {}, preparation)
        assert Standardiser.from_json(json.loads(json.dumps(standard.as_json()))) == standard


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{impute: mean}", "features.impute: is for kind: standard"),
        ("{clip: 3}", "features.clip: is for kind: standard"),
        ("{kind: standard, impute_value: 3}", "features.impute_value: is for impute: constant"),
        ("{kind: standard, clip: 3, clip_share: 0.1}", "features.clip_share: numbers are clipped either"),
        ("{kind: standard, clip: 9}", "features.clip"),
        ("{kind: standard, impute_value: .nan, impute: constant}", "features.impute_value"),
    ],
)
def test_a_preparation_that_would_not_be_heeded_is_refused(section: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        job(f"features: {section}")
    assert said in str(refusal.value)


def test_a_training_clips_and_fills_at_both_parties_as_the_pooled_one_does(tmp_path: Path) -> None:
    far = np.where(np.arange(CUSTOMERS) == 3, 4000.0, np.arange(CUSTOMERS))
    blank = np.where(np.arange(CUSTOMERS) % 4 == 0, np.nan, np.arange(CUSTOMERS) % 3)
    tables = {"bank": changed(BANK, "tenure", blank), "insurer": changed(INSURER, "premium", far)}
    agreed = job("features: {kind: standard, impute: mean, clip: 3}\nmodel: {tolerance: 1.0e-5}")
    ours, theirs, _ = train(agreed, tables["bank"], tables["insurer"])
    halves = {"bank": ours.half, "insurer": theirs.half}
    for name, half in halves.items():
        (tmp_path / name).write_text(json.dumps(half.as_json()))
    loaded = {name: Half.load(tmp_path / name) for name in halves}
    joined = {name: by_id(table) for name, table in tables.items()}
    y, train_rows = joined["bank"].label, joined["bank"].split == "train"
    x = np.column_stack([halves[name].features.transform(columns_of(joined[name])) for name in halves])
    assert np.abs(x).max() == pytest.approx(3)
    pooled = LogisticRegression(C=1.0, tol=1e-10, max_iter=500).fit(x[train_rows], y[train_rows])
    logit = sum(loaded[name].logit(joined[name]) for name in halves)
    assert logit == pytest.approx(pooled.decision_function(x), abs=1e-3)
