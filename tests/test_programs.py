"""A job's programs in memory: its gates and its disclosures are what the contract says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program_runs import (
    BANK,
    CUSTOMERS,
    INSURER,
    by_id,
    changed,
    few_bads,
    job,
    run_of,
    train,
    two_columns,
)
from sklearn.linear_model import LogisticRegression

from parties.programs import host
from parties.programs.batch import Batch
from parties.programs.files import publish
from parties.programs.guest import scoring_batch
from parties.programs.model import Half, columns_of
from parties.programs.stored import check_batch
from vfl.errors import ContractError, DataError
from vfl.gates import GATES
from vfl.linear.sigmoid import sigmoid
from vfl.stats.binned import IndicatorColumns
from vfl.stats.metrics import evaluate
from vfl.table.table import Table
from vfl.wire.memory import run_in_memory

QUICK = "model: {tolerance: 0.1, max_iter: 2}"
STANDARD, WOE = "features: {kind: standard}", "features: {bins: 3}"

RARE = np.where(np.arange(CUSTOMERS) % 17 == 0, 9.0, 1.0)
FAR = np.where(np.arange(CUSTOMERS) == 3, 4000.0, np.arange(CUSTOMERS))
MANY = np.array([f"r{k % 40}" for k in range(CUSTOMERS)], object)

Breach = Callable[[Table, Table], tuple[Table, Table]]


BREACHES: dict[str, tuple[str, Breach, str]] = {
    "few_events": (STANDARD, lambda b, i: (few_bads(b), i), "labels: fewer than 20 training rows are in"),
    "few_host_columns": (STANDARD, lambda b, i: (b, two_columns(i)), "columns: 2 take part"),
    "few_rows": (
        STANDARD,
        lambda b, i: (b, changed(i, "claims", MANY)),
        "training rows for 42 model columns",
    ),
    "rare_values": (
        STANDARD,
        lambda b, i: (changed(b, "tenure", RARE), i),
        "column 2: a value that fewer than 50 training rows share",
    ),
    "large_values": (
        STANDARD,
        lambda b, i: (b, changed(i, "premium", FAR)),
        "column 2: 1 training rows lie beyond 8 standard deviations",
    ),
    "small_bins": (WOE, lambda b, i: (b, changed(i, "claims", RARE)), "column 1: a bin holds"),
}


@pytest.mark.parametrize("gate", BREACHES)
def test_a_closed_gate_ends_the_training_and_says_how_to_open_it(gate: str) -> None:
    features, breach, said = BREACHES[gate]
    with pytest.raises(ContractError) as refusal:
        train(job(f"{features}\n{QUICK}", set(GATES) - {gate}), *breach(BANK, INSURER))
    assert said in str(refusal.value)
    assert refusal.value.exit_code == 5
    assert refusal.value.hint.endswith(f"allow it by name in the job: gates.allow: [{gate}]")


@pytest.mark.parametrize("features", [STANDARD, WOE], ids=["standard", "woe"])
def test_an_opened_gate_is_noted_by_who_asked_it(features: str) -> None:
    bank, insurer = BANK, INSURER
    asked = {gate for gate, (where, _, _) in BREACHES.items() if where == features}
    for gate in asked:
        bank, insurer = BREACHES[gate][1](bank, insurer)
    ours, theirs, _ = train(job(f"{features}\n{QUICK}", set(GATES)), bank, insurer)
    noted = [*ours.facts["gates_overridden"], *theirs.facts["gates_overridden"]]
    assert asked <= {line.partition(": ")[0] for line in noted}


def test_peers_are_told_a_columns_number_and_its_party_the_name() -> None:
    with pytest.raises(ContractError) as refusal:
        train(job(STANDARD), BANK, changed(INSURER, "premium", FAR))
    assert "premium" not in str(refusal.value)
    assert "it is 'premium'" in refusal.value.hint


def test_many_iterations_end_a_run_before_it_begins() -> None:
    many = "model: {max_iter: 41}"
    with pytest.raises(ContractError, match=r"model\.max_iter: 41 iterations asked for"):
        run_of(job(many), "trustee")
    assert len(run_of(job(many, ["many_iterations"]), "trustee").gates.overridden) == 1


SHOWN = """\
features: {bins: 3}
model: {tolerance: 0.01, max_iter: 9}
disclosure: {host_columns: named, joined_coefficients: true, scores: exact, metrics: [test]}
"""


@pytest.fixture(scope="module")
def shown() -> Any:
    """A training under a contract that shows much, with a level in the test split that is new."""
    regions = np.array(["north", "south", "west"] * (CUSTOMERS // 3), object)
    regions[-30:-27] = "moon"
    return train(job(SHOWN), BANK, changed(INSURER, "region", regions))


def test_named_columns_and_joined_coefficients_are_shown(shown: Any) -> None:
    ours, theirs, _ = shown
    assert list(ours.facts["information_value"]["host"]) == ["claims", "premium", "region"]
    both = {"bank": ours.half.weights, "insurer": theirs.half.weights}
    assert ours.facts["joint_coefficients"] == theirs.facts["joint_coefficients"] == both
    assert list(both["insurer"]) == ["claims", "premium", "region"]


def test_only_the_named_splits_are_measured_and_their_logits_sent(shown: Any) -> None:
    ours, _, told = shown
    assert list(ours.facts["splits"]) == list(ours.curves) == ["test"]
    assert ours.facts["validation"]["split"] == "test" and "stability" not in ours.facts["validation"]
    (sent,) = [e for e in told.ledgers["insurer"].as_json() if e["message"] == "ExactLogits"]
    assert sent["plain_numbers"] == ours.facts["rows"]["test"]


def test_exact_scores_come_with_what_rounding_would_have_done(shown: Any) -> None:
    ours, _, _ = shown
    exact, rounded = ours.facts["splits"]["test"]["joint"], ours.facts["rounding"]["test"]
    assert rounded.keys() == exact.keys()
    assert rounded["logloss"] != exact["logloss"]
    assert rounded["mean_pd"] == pytest.approx(exact["mean_pd"], abs=0.01)


def test_a_level_that_only_test_rows_have_is_warned_of(shown: Any) -> None:
    ours, theirs, _ = shown
    said = "insurer.csv: region: the model does not know the level 'moon'; 3 rows have it"
    assert said in theirs.facts["warnings"]
    assert ours.facts["warnings"] == []  # the bank is not told the insurer's levels


def test_the_guests_own_woe_tables_are_in_its_books(shown: Any) -> None:
    ours, _, _ = shown
    tables = ours.facts["woe"]["guest"]
    for name, rows in tables.items():
        assert sum(row["rows"] for row in rows) == ours.facts["rows"]["train"]
        total = ours.facts["information_value"]["guest"][name]
        assert total == pytest.approx(sum(row["iv"] for row in rows))


def test_both_halves_of_a_model_score_what_they_were_measured_with(shown: Any) -> None:
    ours, theirs, _ = shown
    logit = ours.half.logit(by_id(BANK)) + theirs.half.logit(by_id(INSURER))
    test = by_id(BANK).split == "test"
    found = evaluate(by_id(BANK).label[test], sigmoid(logit[test]))
    assert found["auc"] == pytest.approx(ours.facts["splits"]["test"]["joint"]["auc"], abs=0.05)


CODES = """\
features: {bins: 3}
model: {tolerance: 1.0e-3, max_iter: 12}
disclosure: {woe_to_host: false, metrics: [], joined_coefficients: true}
"""


@pytest.fixture(scope="module")
def codes() -> Any:
    """A training in which the host may not know the WOE of its bins, and nothing is measured."""
    return train(job(CODES), BANK, INSURER)


def test_without_woe_the_host_fits_indicators_as_if_pooled(codes: Any) -> None:
    ours, theirs, told = codes
    assert isinstance(theirs.half.features, IndicatorColumns)
    rows = by_id(BANK).split == "train"
    x = [
        half.features.transform(columns_of(by_id(t)))
        for half, t in ((ours.half, BANK), (theirs.half, INSURER))
    ]
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12)
    pooled.fit(np.column_stack(x)[rows], by_id(BANK).label[rows])
    joint = [*ours.half.weights.values(), *theirs.half.weights.values()]
    np.testing.assert_allclose(joint, [*pooled.intercept_, *pooled.coef_[0]], atol=5e-3)
    assert len(ours.facts["information_value"]["host"]) == 3
    assert "BinEvents" not in {e["message"] for e in told.ledgers["bank"].as_json()}


def test_unmeasured_splits_leave_no_logit_and_no_number(codes: Any) -> None:
    ours, _, told = codes
    assert ours.facts["splits"] == {} and ours.curves == {}
    assert "LogitPoints" not in {e["message"] for e in told.ledgers["insurer"].as_json()}


def test_joined_coefficients_of_anonymous_columns_go_by_numbers(codes: Any) -> None:
    ours, theirs, _ = codes
    assert list(ours.facts["joint_coefficients"]["insurer"]) == [
        *("column 1, part 1", "column 1, part 2"),
        *("column 2, part 1", "column 2, part 2"),
        *("column 3, part 1", "column 3, part 2"),
    ]
    assert list(theirs.facts["joint_coefficients"]["bank"]) == [
        "intercept",
        "column 1",
        "column 2",
        "column 3",
    ]


def test_a_column_of_one_bin_says_nothing_and_breaks_nothing() -> None:
    mostly = np.where(np.arange(CUSTOMERS) % 17 == 0, 0.0, 1.0)  # every quantile is the maximum
    ours, theirs, _ = train(job(f"{WOE}\n{QUICK}"), BANK, changed(INSURER, "claims", mostly))
    assert ours.facts["information_value"]["host"]["insurer column 1"] == pytest.approx(0, abs=1e-9)
    assert theirs.half.weights["claims"] == pytest.approx(0, abs=0.05)
    bins = theirs.half.features.bins
    rows = by_id(INSURER)
    indicators = IndicatorColumns.fit(bins, columns_of(rows), np.ones(len(rows), np.bool_))
    assert "claims" not in indicators.sources
    assert indicators.transform(columns_of(rows)).shape == (len(rows), len(indicators.names))


def test_a_straight_line_for_a_sigmoid_is_calibrated_and_its_bias_told() -> None:
    taylor = "model: {sigmoid: taylor, tolerance: 0.01, max_iter: 12}"
    ours, _, _ = train(job(f"{STANDARD}\n{taylor}"), BANK, INSURER)
    found = ours.facts["calibration"]
    for split, rates in found["splits"].items():
        measured = ours.facts["splits"][split]["joint"]
        assert measured["mean_pd"] == rates["mean_pd_after"]
        assert measured["event_rate"] == rates["event_rate"]
    trained = found["splits"]["train"]
    assert trained["mean_pd_after"] == pytest.approx(trained["event_rate"], abs=1e-4)
    assert abs(trained["mean_pd_before"] - trained["event_rate"]) > 1e-3
    assert ours.half.calibration is not None
    assert ours.half.calibration.slope == found["slope"] > 1.0


def test_a_batch_is_scored_by_both_halves(shown: Any, tmp_path: Path) -> None:
    ours, theirs, _ = shown
    publish(tmp_path, {"model.json": theirs.half.as_json()})
    scored = score(Half.load(written(tmp_path, ours.half)), tmp_path)["bank"]
    common, others, logit = scored.common, scored.others, scored.logit
    expected = dict(
        zip(by_id(BANK).ids, ours.half.logit(by_id(BANK)) + theirs.half.logit(by_id(INSURER)), strict=True)
    )
    assert sorted(common.ids) == sorted(expected)
    assert set(others.ids) == set(BANK.ids) - set(expected)
    np.testing.assert_allclose(logit, [expected[customer] for customer in common.ids], atol=1e-12)


def test_halves_of_two_trainings_score_nobody(shown: Any, tmp_path: Path) -> None:
    ours, theirs, _ = shown
    with pytest.raises(ContractError, match="bank wants to score, and no model is held here"):
        score(ours.half, tmp_path)
    publish(tmp_path, {"model.json": replace(theirs.half, run="run 2").as_json()})
    with pytest.raises(ContractError, match="bank scores with the model of another training") as refusal:
        score(ours.half, tmp_path)
    assert refusal.value.hint == "train again: vfl guest train"


def test_a_batch_of_other_kinds_of_columns_is_refused(shown: Any) -> None:
    _, theirs, _ = shown
    with pytest.raises(
        DataError, match=r"insurer\.csv: claims: holds texts, and the model was trained on numbers"
    ):
        check_batch(theirs.half.levels, changed(INSURER, "claims", MANY))
    with pytest.raises(DataError, match=r"insurer\.csv: has no column 'region'"):
        check_batch(theirs.half.levels, two_columns(INSURER))


def score(half: Half, folder: Path) -> dict[str, Any]:
    """Return what a scoring gives each party; the host's model is the one in the folder, if any."""
    agreed = job(SHOWN)
    bank, insurer = (run_of(agreed, name, task="score") for name in ("bank", "insurer"))
    roles = {
        "bank": scoring_batch(bank, Batch.of(BANK, half.levels), half),
        "insurer": host.scoring_batch(insurer, INSURER, folder / "model.json"),
    }
    return run_in_memory(roles).results


def written(folder: Path, half: Half) -> Path:
    """Return the file of the guest's half."""
    publish(folder, {"guest.json": half.as_json()})
    return folder / "guest.json"
