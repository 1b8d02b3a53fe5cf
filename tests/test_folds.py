"""A penalty by cross-validation of the joint model is the one that the pooled table would have."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hosts_runs import ROWS, A, Y
from program_runs import BANK, INSURER, JOB, by_id, job, train
from regression_runs import heldout_roles, logits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from test_lasting import Stage
from test_signs import lives

from parties.config.job import Job
from parties.config.schema import validated
from parties.config.yaml import parse
from parties.contract.words import learning
from parties.cost.estimate import shape_of
from parties.cost.phases import phases
from parties.cost.shape import Regression
from parties.inspection import described
from parties.programs.earlier import Earlier
from parties.programs.model import columns_of
from parties.report import render
from vfl.errors import ConfigError, ContractError, ProtocolError
from vfl.linear.sigmoid import sigmoid
from vfl.stats.folds import choice, folds_of, standard_errors, start
from vfl.wire.memory import run_in_memory

GATES = ["many_iterations", "few_rows", "few_events", "nearly_same_rows"]
CS = (0.05, 1.0, 50.0)
CV = """\
features: {bins: 3}
model: {tolerance: 1.0e-5, cv: {folds: 2, Cs: [0.05, 1.0, 50.0]}}
disclosure: {metrics: []}
encryption: {randomiser_bits: 320}
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the parties keep what they remember."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def validated_run(state: Path) -> Any:
    """A training that chooses one of three penalties by two folds."""
    return train(job(CV, GATES), BANK, INSURER, state=state)


def pooled(trained: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the pooled training rows, their labels and folds."""
    table = by_id(BANK)
    halves = zip(trained[:2], (table, by_id(INSURER)), strict=True)
    x = np.column_stack([own.half.features.transform(columns_of(rows)) for own, rows in halves])
    rows = table.split == "train"
    return x[rows], table.label[rows], folds_of(table.ids[rows], 2)


def test_losses_of_all_folds_and_penalties_are_those_of_the_pooled_table(validated_run: Any) -> None:
    x, y, folds = pooled(validated_run)
    expected = np.zeros((2, len(CS)))
    for fold, number in np.ndindex(expected.shape):
        inside, fit = folds == fold, LogisticRegression(C=CS[number], solver="newton-cholesky", tol=1e-12)
        pd = fit.fit(x[~inside], y[~inside]).predict_proba(x[inside])[:, 1]
        expected[fold, number] = log_loss(y[inside], pd)
    found = validated_run[0].facts["cross_validation"]
    losses = np.array([row["folds"] for row in found["path"]]).T
    np.testing.assert_allclose(losses, expected, rtol=2e-6)
    assert found["C"] == CS[int(np.argmin(expected.mean(axis=0)))] == 1.0


def test_the_model_is_the_pooled_one_at_the_penalty_that_was_chosen(validated_run: Any) -> None:
    x, y, _ = pooled(validated_run)
    fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x, y)
    joint = [w for trained in validated_run[:2] for w in trained.half.weights.values()]
    np.testing.assert_allclose(joint, [*fit.intercept_, *fit.coef_[0]], atol=1e-4)
    x = x[:, : len(validated_run[0].half.weights) - 1]
    alone = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x, y)
    found = list(validated_run[0].facts["guest_only_coefficients"].values())
    np.testing.assert_allclose(found, [*alone.intercept_, *alone.coef_[0]], atol=1e-6)


def test_the_guest_learns_one_number_of_each_fold_and_the_host_which_penalty(validated_run: Any) -> None:
    _, _, told = validated_run
    sent = {e["message"]: e for e in told.ledgers["bank"].as_json()}
    assert sent["Chosen"]["messages"] == 1
    gradients = validated_run[0].facts["cross_validation"]["gradients"] + validated_run[0].facts["iterations"]
    opened = [e for e in told.ledgers["trustee"].as_json() if e["to"] == "bank"]
    assert (
        next(e["messages"] for e in opened if e["message"] == "DecryptedSums") == gradients + 6 + 1
    )  # of bins
    agreed = job(CV, GATES)
    assert (
        "the mean log-loss of each of 2 folds at 3 penalties, and of no row" in learning(agreed)["the guest"]
    )
    assert "the penalty that the guest chooses" in learning(agreed)["the host"]
    assert any("280 times at most" in line for line in learning(agreed)["the host"])


def test_bins_of_few_rows_are_warned_of(validated_run: Any) -> None:
    warnings = validated_run[0].facts["warnings"]
    assert any("13 bins have their weights of evidence from 334 training rows" in text for text in warnings)


def test_the_report_draws_the_losses_and_says_which_penalty_was_chosen(validated_run: Any) -> None:
    page = render(validated_run[0].facts, [], {})
    assert "Log-loss of held-out rows by penalty" in page
    assert page.count("(chosen)") == 1
    assert "1 (chosen)" in page


def test_the_ciphertexts_foretold_are_those_that_a_validation_sends(validated_run: Any) -> None:
    ours, _, told = validated_run
    agreed = job(CV, GATES)
    entries = [entry for ledger in told.ledgers.values() for entry in ledger.as_json()]
    sealed = [e["sealed_values"] for e in entries if e["phase"] != "ecdh" and e["message"] != "DecryptedSums"]
    found = [
        {"party": name, "train": described(agreed, table)}
        for name, table in (("bank", BANK), ("insurer", INSURER))
    ]
    shape = shape_of(agreed, found, ours.facts["rows"]["train"])
    assert shape is not None and isinstance(shape.model, Regression) and shape.model.cv is not None
    assert len(shape.model.cv.losses) == 6
    cross = replace(shape.model.cv, degrees=tuple(ours.facts["cross_validation"]["degrees"]))
    model = replace(shape.model, degrees=tuple(ours.facts["degrees"]), cv=cross)
    expected = list(phases(replace(shape, model=model)))
    assert sum(p.ciphertexts for p in expected) == pytest.approx(sum(sealed), rel=0.05)


def test_the_guest_remembers_the_folds_and_the_hosts_columns_in_each(state: Path, validated_run: Any) -> None:
    kept = Earlier(state / "bank").kept("run 1")
    assert (kept.folds, np.bincount(kept.fold).tolist()) == (
        2,
        np.bincount(pooled(validated_run)[2]).tolist(),
    )
    ((mark, columns),) = kept.columns["insurer"].items()
    assert (mark.split(" ", 1)[1], columns) == ("in 2 folds", 2 * len(validated_run[1].half.weights))


# --- protocol and arithmetic ---


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_the_loss_of_held_out_rows_is_that_of_the_joint_logits(hosts: int) -> None:
    u = A + logits(hosts).sum(axis=0)
    found = run_in_memory(heldout_roles(hosts)).results["guest"]
    assert found == pytest.approx(log_loss(Y, sigmoid(u)), rel=2e-6)


def test_of_held_out_rows_the_guest_is_sent_one_number() -> None:
    told = run_in_memory(heldout_roles(2))
    entries = [e for ledger in told.ledgers.values() for e in ledger.as_json() if e["to"] == "guest"]
    assert {e["message"] for e in entries if e["plain_numbers"]} == {"LogitRange", "DecryptedSums"}
    (opened,) = (e for e in entries if e["message"] == "DecryptedSums")
    assert opened["plain_numbers"] == 1
    assert ROWS > 1


def test_a_guest_that_chooses_no_penalty_is_blamed() -> None:
    with pytest.raises(ProtocolError, match="guest: chose none of the 3 penalties"):
        run_in_memory(heldout_roles(1, chosen=3))


def test_a_fold_is_a_hash_of_the_id() -> None:
    ids = np.array(["c0001", "né", ""], object)
    digests = [hashlib.sha256(b"vfl fold\0" + text.encode()).digest() for text in ids]
    assert folds_of(ids, 7).tolist() == [int.from_bytes(d[:8], "big") % 7 for d in digests]


def test_the_rule_of_one_standard_error_takes_the_strongest_penalty_within_it() -> None:
    losses = np.array([[0.50, 0.42, 0.40, 0.41], [0.54, 0.45, 0.44, 0.44]])
    assert standard_errors(losses)[2] == pytest.approx(0.04 / math.sqrt(2) / math.sqrt(2))
    assert choice(losses, "best") == 2
    assert choice(losses, "one_standard_error") == 1


def test_a_fit_begins_where_its_neighbours_foretell_it() -> None:
    def near(fold: int, penalty: int) -> np.ndarray[Any, Any]:
        return np.array([1.0 + fold, 2.0 * penalty])

    fits = {(fold, penalty): near(fold, penalty) for fold in range(2) for penalty in range(3)}
    assert start({}, 0, 0) is None
    assert start(fits, 0, 2).tolist() == near(0, 1).tolist()
    assert start(fits, 1, 0).tolist() == near(0, 0).tolist()
    assert start(fits, 1, 2).tolist() == near(1, 2).tolist()


# --- what is refused ---


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("model: {cv: {Cs: [1, 0.1]}}", "model.cv.Cs: must be above 0 and rise"),
        ("model: {cv: {}, C: 2}", "model.cv: C is what it chooses: leave model.C out"),
        ("model: {cv: {}, sigmoid: taylor}", "a fit by sigmoid taylor has no likelihood"),
        ("model: {cv: {}}\ndisclosure: {gradient_bits: 24}", "gradient_bits: with model.cv sums differ"),
        ("model: {kind: trees, cv: {folds: 3}}", "model.cv: unknown key"),
    ],
)
def test_a_validation_that_could_not_be_is_refused(section: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        job(section)
    assert said in str(refusal.value)


def test_a_validation_without_an_arbiter_is_refused() -> None:
    text = JOB.replace("  trustee: {role: arbiter}\n", "") + CV
    with pytest.raises(ConfigError, match="cv needs an arbiter, and the job has none"):
        validated(Job, parse(text, Path("job.yaml")))


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("many_iterations", "model.cv: 280 iterations asked for"),
        ("few_rows", r"\d+ training rows for 3 model columns of (bank|insurer) in a fold"),
        ("nearly_same_rows", "model.cv: a fold of fewer than 50 training rows"),
        ("few_events", "model.cv: a fold of fewer than 20 training rows of a class"),
    ],
)
def test_gates_ask_for_the_rows_of_one_fold_and_the_gradients_of_all(gate: str, said: str) -> None:
    many = CV if gate == "many_iterations" else CV.replace("folds: 2", "folds: 15")
    with pytest.raises(ContractError, match=said):
        train(job(many, [other for other in GATES if other != gate]), BANK, INSURER)


def test_parties_that_die_on_the_way_choose_the_penalty_they_would_have_chosen(
    validated_run: Any, tmp_path: Path
) -> None:
    named = JOB.replace("bank", "guest").replace("insurer", "host").replace("trustee", "arbiter")
    text = f"{named}{CV}gates: {{allow: [{', '.join(GATES)}]}}\n"
    roles = lives(validated(Job, parse(text, Path("job.yaml"))), BANK, INSURER)
    deaths = {"guest": [131, 61], "host": [171, 62], "arbiter": [103, 43]}
    told = Stage(tmp_path, roles=roles).play(deaths)
    ours, wanted = (run.facts["cross_validation"] for run in (told["guest"], validated_run[0]))
    assert ours["C"] == wanted["C"]
    for found, row in zip(ours["path"], wanted["path"], strict=True):
        np.testing.assert_allclose(found["folds"], row["folds"], rtol=1e-5)
