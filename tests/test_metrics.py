"""The metrics equal textbook counting, and say None where they are undefined."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared

from vfl.stats.metrics import auc_difference, evaluate, hanley_mcneil, ks, ks_interval

KEYS = {
    "rows",
    "events",
    "auc",
    "ks",
    "gini",
    "logloss",
    "brier",
    "mean_pd",
    "event_rate",
    "auc_low",
    "auc_high",
}


scored = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(y for y, _ in rows) < len(rows)
)


def arrays(rows):
    y, p = np.array(rows).T
    return y, p / 10


def counted_auc(y, p):
    """Every bad against every good; a tie counts half."""
    bads, goods = p[y == 1][:, None], p[y == 0][None, :]
    return float(np.mean((bads > goods) + 0.5 * (bads == goods)))


def counted_ks(y, p):
    return max(float(np.mean(p[y == 1] >= t) - np.mean(p[y == 0] >= t)) for t in (*p, 2.0))


@given(scored)
def test_auc_and_ks_equal_counting_pairs_and_thresholds(rows):
    y, p = arrays(rows)
    result = evaluate(y, p)
    assert result["auc"] == pytest.approx(counted_auc(y, p), abs=1e-12)
    assert result["gini"] == pytest.approx(2 * counted_auc(y, p) - 1, abs=1e-12)
    assert result["ks"] == pytest.approx(counted_ks(y, p), abs=1e-12)
    assert 0 <= result["auc_low"] <= result["auc"] <= result["auc_high"] <= 1


@given(scored)
def test_probability_measures_equal_their_formulas(rows):
    y, p = arrays(rows)
    result = evaluate(y, p)
    assert set(result) == KEYS
    assert (result["rows"], result["events"]) == (len(y), y.sum())
    assert result["logloss"] == pytest.approx(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))
    assert result["mean_pd"] == pytest.approx(p.mean())
    assert result["event_rate"] == pytest.approx(y.mean())


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_ranking_but_has_a_logloss(label):
    result = evaluate(np.full(4, label), np.full(4, 0.25))
    assert set(result) == KEYS
    assert [result[k] for k in ("auc", "ks", "gini", "auc_low", "auc_high")] == [None] * 5
    assert result["logloss"] == pytest.approx(-np.log(0.25 if label else 0.75))


def test_no_rows_have_counts_only():
    result = evaluate(np.empty(0, np.int64), np.empty(0))
    assert set(result) == KEYS
    assert result["rows"] == result["events"] == 0
    assert all(result[k] is None for k in KEYS - {"rows", "events"})


@given(scored)
def test_a_difference_of_aucs_is_antisymmetric_and_inside_its_interval(rows):
    y, p = arrays(rows)
    q = np.roll(p, 1)
    there, back = auc_difference(y, p, q), auc_difference(y, q, p)
    if min(y.sum(), len(y) - y.sum()) < 2:
        assert there is back is None
        return
    assert there == pytest.approx((-back[0], -back[2], -back[1]))
    assert there[0] == pytest.approx(counted_auc(y, p) - counted_auc(y, q), abs=1e-12)
    assert there[1] <= there[0] <= there[2]
    assert auc_difference(y, p, p) == (0, 0, 0)


def test_the_interval_of_a_difference_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1], [300, 60])
    shared_part = rng.normal(size=(200, 360)) + y
    first, second = (shared_part + rng.normal(size=(200, 360)) for _ in range(2))
    intervals = [auc_difference(y, p, q) for p, q in zip(first, second, strict=True)]
    covered = sum(low <= 0 <= high for _, low, high in intervals)
    assert 180 <= covered <= 198


def test_the_interval_of_ks_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(6)
    y = np.repeat([0, 1], [1500, 300])
    truth = 0.3829  # two normals one standard deviation apart: 2 Phi(1/2) - 1
    intervals = [ks_interval(y, rng.normal(size=len(y)) + y) for _ in range(200)]
    assert 176 <= sum(low <= truth <= high for low, high in intervals) <= 199


@pytest.mark.parametrize("name", ["german", "default_credit", "give_credit"])
def test_metrics_equal_the_published_baselines(name):
    scores = np.genfromtxt(
        shared(name) / "expected_scores.csv", delimiter=",", names=True, usecols=(1, 2), encoding="utf-8"
    )
    baseline = json.loads(shared("baselines.json").read_text())[name]
    expected = next(r for r in baseline["results"] if r["model"] == "lr_std" and r["scope"] == "joint")
    y = scores["label"].astype(int)
    result = evaluate(y, scores["lr_std"])
    for key in ("auc", "ks", "logloss"):
        assert result[key] == pytest.approx(expected[key], abs=1e-6)
    assert ks(y, scores["lr_std"]) == result["ks"]
    error = hanley_mcneil(result["auc"], int(y.sum()), int((1 - y).sum()))
    assert error == pytest.approx(baseline["se_auc_hanley_mcneil_at_lr"], abs=1e-6)
