"""What a validation committee reads equals textbook counting, and says None where it is undefined."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, confusion_matrix, roc_auc_score

from parties.programs.evaluation import Measured
from parties.programs.model import Calibration
from parties.programs.validation import curves, validation
from vfl.stats.calibration import calibration_line, calibration_table, hosmer_lemeshow, wilson
from vfl.stats.decisions import confusion, lift_table, swap_set
from vfl.stats.metrics import auc_difference, evaluate, ks
from vfl.stats.resampling import Ranked, bias_corrected, intervals, resamples
from vfl.stats.segments import MOST_SEGMENTS, OTHERS, by_segment
from vfl.stats.stability import score_stability


def logistic(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module")
def portfolio():
    """Labels, PDs that are true, and those of a model that lacks one of the two risks."""
    rng = np.random.default_rng(11)
    known, hidden = rng.normal(size=(2, 3000))
    p = logistic(known + 0.6 * hidden - 2)
    return (rng.random(3000) < p).astype(np.int8), p, logistic(1.0 * known - 1.9)


def draws(seed):
    rng = np.random.default_rng(seed)
    return lambda n: rng.integers(n, size=n)


counted = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 5), st.integers(0, 3)), min_size=2, max_size=40
).filter(lambda rows: {0, 1} <= {y for y, _, times in rows if times})


@given(counted)
def test_a_resample_is_measured_as_if_its_rows_were_written_out(rows):
    y, p, times = np.array(rows).T
    written = np.repeat(np.arange(len(y)), times)
    auc, distance, gini = Ranked.by(p / 10, y).measured(times)
    assert auc == pytest.approx(roc_auc_score(y[written], p[written]), abs=1e-12)
    assert distance == pytest.approx(ks(y[written], p[written] / 10), abs=1e-12)
    assert gini == pytest.approx(2 * auc - 1)


def test_resampled_intervals_of_auc_are_those_of_delong(portfolio):
    y, joint, alone = portfolio
    found = intervals(y, joint, alone, draws(1))
    _, low, high = auc_difference(y, joint, alone)
    assert found["auc"]["uplift"] == pytest.approx((low, high), abs=0.15 * (high - low))
    assert found["gini"]["uplift"] == pytest.approx(tuple(2 * end for end in found["auc"]["uplift"]))
    for measure in ("auc", "ks", "gini"):
        for name, pd in (("joint", joint), ("guest_only", alone)):
            bottom, top = found[measure][name]
            assert bottom < evaluate(y, pd)[measure] < top


def test_a_model_that_adds_nothing_has_an_interval_of_zero(portfolio):
    y, joint, _ = portfolio
    assert intervals(y, joint, joint, draws(1))["ks"]["uplift"] == (0, 0)
    assert intervals(np.array([0, 0, 1]), joint[:3], joint[:3], draws(1)) == {}


def test_resamples_that_lie_above_their_estimate_are_set_right():
    drawn = np.linspace(0, 1, 1001)
    assert bias_corrected(0.5, drawn) == pytest.approx((0.025, 0.975), abs=0.002)
    low, high = bias_corrected(0.25, drawn)
    assert low < 0.01 and high < 0.8
    assert resamples(7000) == 1000 and resamples(10**7) == 200


def test_true_pds_are_called_true_and_doubled_odds_are_not(portfolio):
    y, p, _ = portfolio
    line = calibration_line(y, p)
    assert line["slope_low"] < 1 < line["slope_high"] and line["intercept_low"] < 0 < line["intercept_high"]
    assert hosmer_lemeshow(y, p, fitted=False)[2] > 0.05
    wrong = logistic(2 * np.log(p / (1 - p)))
    steep = calibration_line(y, wrong)
    assert steep["slope"] == pytest.approx(line["slope"] / 2)
    assert steep["slope_high"] < 1
    assert hosmer_lemeshow(y, wrong, fitted=False)[2] < 1e-6


def test_the_calibration_line_is_the_regression_of_labels_on_log_odds(portfolio):
    y, _, p = portfolio
    fit = LogisticRegression(C=np.inf, tol=1e-12, solver="newton-cholesky").fit(
        np.log(p / (1 - p))[:, None], y
    )
    line = calibration_line(y, p)
    assert line["intercept"] == pytest.approx(fit.intercept_[0], abs=1e-6)
    assert line["slope"] == pytest.approx(fit.coef_[0, 0], abs=1e-6)


def test_pds_that_part_the_classes_or_are_all_one_have_no_line():
    y = np.array([0, 0, 0, 1, 1, 1])
    assert calibration_line(y, np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])) is None
    assert calibration_line(y, np.full(6, 0.5)) is None
    assert calibration_line(np.zeros(6), np.linspace(0.1, 0.6, 6)) is None
    assert hosmer_lemeshow(y[:2], np.array([0.1, 0.9]), fitted=True) is None


def test_hosmer_and_lemeshow_is_the_sum_over_tenths(portfolio):
    y, _, p = portfolio
    rows = calibration_table(y, p)
    expected = sum(
        (r["bads"] - r["rows"] * r["mean_pd"]) ** 2 / (r["rows"] * r["mean_pd"] * (1 - r["mean_pd"]))
        for r in rows
    )
    statistic, freedom, _ = hosmer_lemeshow(y, p, fitted=True)
    assert (statistic, freedom) == (pytest.approx(expected), 8)


def test_brier_is_scikit_learns(portfolio):
    y, p, _ = portfolio
    assert evaluate(y, p)["brier"] == pytest.approx(brier_score_loss(y, p))


def test_lift_accounts_for_every_row_and_every_bad(portfolio):
    y, p, _ = portfolio
    rows = lift_table(y, p)
    assert [row["tenth"] for row in rows] == list(range(1, 11))
    assert sum(row["rows"] for row in rows) == len(y) and sum(row["bads"] for row in rows) == y.sum()
    assert rows[-1]["captured"] == pytest.approx(1) == rows[-1]["cumulative_lift"]
    assert rows[0]["lift"] > 2 > 1 > rows[-1]["lift"]
    riskiest = np.argsort(-p)[:300]
    assert rows[0]["captured"] == pytest.approx(y[riskiest].sum() / y.sum())


def test_confusion_is_scikit_learns(portfolio):
    y, p, _ = portfolio
    found = confusion(y, p, 0.2)
    (kept, lost), (missed, caught) = confusion_matrix(y, p >= 0.2)
    names = ("approved_goods", "refused_goods", "approved_bads", "refused_bads")
    assert [found[name] for name in names] == [kept, lost, missed, caught]
    assert found["recall"] == pytest.approx(caught / y.sum())
    assert found["approved_bad_rate"] == pytest.approx(missed / (kept + missed))
    assert confusion(y, p, 1e-9)["approved_bad_rate"] is None


def test_both_models_of_a_swap_set_approve_as_many(portfolio):
    y, joint, alone = portfolio
    found = swap_set(y, joint, alone, 0.15)
    assert found["joint_approves"]["rows"] == np.sum(joint < 0.15) == found["guest_only_approves"]["rows"]
    assert found["swapped_in"]["rows"] == found["swapped_out"]["rows"] > 0
    four = [found[name] for name in ("both_approve", "swapped_in", "swapped_out", "both_refuse")]
    assert sum(group["rows"] for group in four) == len(y) and sum(group["bads"] for group in four) == y.sum()
    safest = np.argsort(alone)[: found["joint_approves"]["rows"]]
    assert found["guest_only_approves"]["bads"] == y[safest].sum()
    assert found["swapped_in"]["rate"] < found["swapped_out"]["rate"]


def test_scores_that_moved_are_unstable():
    then = np.random.default_rng(5).normal(size=4000)
    still, moved = score_stability(then[:2000], then[2000:]), score_stability(then, then + 1)
    assert still["index"] < 0.02 < 0.25 < moved["index"]
    assert sum(moved["then"]) == pytest.approx(1) == sum(moved["now"])
    assert len(moved["edges"]) == 9


def test_segments_are_the_models_on_their_rows_and_small_ones_stand_together(portfolio):
    y, joint, alone = portfolio
    names = np.array([f"s{number:02}" for number in range(30)], object)[np.arange(3000) ** 2 % 29 % 25]
    found = by_segment(y, joint, alone, names)
    assert len(found) == min(MOST_SEGMENTS, len(set(names)))
    assert sum(row["joint"]["rows"] for row in found) == 3000
    first = names == found[0]["segment"]
    assert found[0]["joint"] == evaluate(y[first], joint[first])
    assert found[0]["uplift"] == auc_difference(y[first], joint[first], alone[first])
    many = by_segment(y, joint, alone, np.arange(3000).astype(str).astype(object))
    assert many[-1]["segment"] == OTHERS and many[-1]["joint"]["rows"] == 3000 - (MOST_SEGMENTS - 1)
    assert many[0]["uplift"] is None


def test_a_validation_is_json_the_same_every_time_and_heeds_the_cutoff(portfolio):
    y, joint, alone = (values[:600] for values in portfolio)
    pds = {"joint": joint, "guest_only": alone}
    first = validation(y, pds, None, None, fitted=False)
    assert json.loads(json.dumps(first)) == json.loads(
        json.dumps(validation(y, pds, None, None, fitted=False))
    )
    assert first["cutoff"] == pytest.approx(y.mean()) and first["segments"] == []
    assert validation(y, pds, 0.3, None, fitted=False)["confusion"]["joint"] == confusion(y, joint, 0.3)
    assert validation(y * 0, pds, None, None, fitted=False) == {} == curves(y * 0, pds)


def test_test_rows_are_validated_and_their_drift_from_the_training_rows_measured(portfolio):
    y, joint, alone = (values[:900] for values in portfolio)
    train = np.arange(900) < 600
    logit = np.log(joint / (1 - joint))
    segment = np.array(["a", "b", "c"] * 300, object)

    def measured(rows):
        zero = np.zeros(rows.sum())
        return Measured(
            y[rows],
            train[rows],
            logit[rows],
            zero,
            np.log(alone / (1 - alone))[rows],
            Calibration(),
            segment[rows],
        )

    both = measured(np.ones(900, bool))
    found = both.validation(None)
    assert found["split"] == "test" and list(both.curves()) == ["test"]
    assert found["confusion"]["joint"]["approved_goods"] <= 300
    assert found["stability"]["index"] == score_stability(logit[:600], logit[600:])["index"]
    assert [row["joint"]["rows"] for row in found["segments"]] == [100, 100, 100]
    only = measured(train).validation(None)
    assert only["split"] == "train" and "stability" not in only
    assert only["calibration"]["joint"]["hosmer_lemeshow"]["freedom"] == 8
    assert measured(np.zeros(900, bool)).validation(None) == {}


def test_wilson_intervals_hold_their_rate_even_at_the_ends():
    for events, rows in ((0, 10), (10, 10), (3, 17)):
        low, rate, high = wilson(events, rows)
        assert 0 <= low <= rate <= high <= 1
    assert wilson(5, 50) == pytest.approx((0.0435, 0.1, 0.2136), abs=1e-4)
