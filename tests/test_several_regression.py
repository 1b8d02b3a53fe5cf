"""Programs of a regression with two hosts: the pooled scorecard, its measures and scores, who learns what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program_runs import BANK, INSURER, changed, job, party, pinned, run_of
from sklearn.linear_model import LogisticRegression

from parties.config.job import Job, JobParty
from parties.config.party import Identity
from parties.programs import arbiter, guest, host
from parties.programs.batch import Batch
from parties.programs.files import publish
from parties.programs.model import Half, columns_of
from parties.programs.run import Run
from parties.programs.training import training
from parties.progress import Silent
from vfl.linear.sigmoid import sigmoid
from vfl.stats.metrics import evaluate
from vfl.table.table import Table
from vfl.wire.memory import Transcript, run_in_memory

MORE = "disclosure: {joined_coefficients: true, host_columns: named, scores: exact}"


def lender() -> Table:
    """Return a second host's table: of the insurer's customers, all but the last ten."""
    rng, table = np.random.default_rng(12), replace(INSURER, columns={})
    for name, kinds in (("loans", 3), ("arrears", 2), ("cards", 4)):
        table = changed(table, name, rng.integers(0, kinds, 420).astype(np.float64))
    return table.take(np.arange(len(table) - 10))


TABLES = {"bank": BANK, "insurer": INSURER, "lender": lender()}


def agreed(folder: Path) -> Job:
    """Return the small job with a second host, all parties pinned."""
    plain = job(MORE, ["small_bins"])
    parties = plain.parties | {"lender": JobParty(role="host")}
    return pinned(plain.model_copy(update={"parties": parties}), folder)


def runs(rules: Job, folder: Path, task: str) -> dict[str, Run]:
    """Return the run of every party, each with its identity."""
    found = {}
    for name in rules.parties:
        files = Identity(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")
        own = party(name).model_copy(update={"identity": files})
        found[name] = Run.begin(rules, own, "run 1", task, Silent())
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Transcript]:
    """A training of all parties, and the folder of their identities and models."""
    folder = tmp_path_factory.mktemp("several")
    rules = agreed(folder)
    of = runs(rules, folder, "train")
    roles = {"bank": training(of["bank"], BANK), "trustee": arbiter.training(of["trustee"])}
    hosts = {name: host.training(of[name], TABLES[name]) for name in rules.hosts}
    told = run_in_memory(roles | hosts)
    rules.dump(folder / "job.yaml")
    for name in TABLES:
        publish(folder / name, {"model.json": told.results[name].half.as_json()})
    return folder, told


def pooled(told: Transcript) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return by customer's order every party's columns as its half has them, and which rows train."""
    common = sorted(set.intersection(*(set(table.ids) for table in TABLES.values())))
    x = {}
    for name, table in TABLES.items():
        rows = table.take(np.array([list(table.ids).index(customer) for customer in common]))
        x[name] = told.results[name].half.features.transform(columns_of(rows))
    bank = BANK.take(np.array([list(BANK.ids).index(customer) for customer in common]))
    return x | {"y": bank.label}, bank.split == "train"


def test_three_parts_of_the_model_are_the_pooled_one(trained: Any) -> None:
    _, told = trained
    x, train = pooled(told)
    design = np.column_stack([x[name] for name in TABLES])
    fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(design[train], x["y"][train])
    joint = np.concatenate([list(told.results[name].half.weights.values()) for name in TABLES])
    np.testing.assert_allclose(joint, [*fit.intercept_, *fit.coef_[0]], atol=1e-4)
    facts = told.results["bank"].facts
    pd = sigmoid(joint[0] + design @ joint[1:])
    for split, rows in (("train", train), ("test", ~train)):
        assert facts["splits"][split]["joint"] == pytest.approx(evaluate(x["y"][rows], pd[rows]))


def test_values_and_coefficients_are_told_by_party(trained: Any) -> None:
    _, told = trained
    facts = told.results["bank"].facts
    columns = [f"{name}: {column}" for name in ("insurer", "lender") for column in TABLES[name].columns]
    assert list(facts["information_value"]["host"]) == columns
    for name in ("insurer", "lender"):
        own = told.results[name].facts["information_value"]["host"]
        for column, value in own.items():
            assert facts["information_value"]["host"][f"{name}: {column}"] == pytest.approx(value)
        assert facts["joint_coefficients"][name] == told.results[name].half.weights
    assert set(facts["joint_coefficients"]) == set(TABLES)


def test_the_guest_is_sent_logits_of_no_single_host(trained: Any) -> None:
    _, told = trained
    for name in ("insurer", "lender"):
        kinds = {entry["message"] for entry in told.ledgers[name].as_json()}
        assert "MaskedLogits" in kinds
        assert not kinds & {"ExactLogits", "LogitPoints"}


def test_a_batch_is_scored_by_all_three(trained: Any) -> None:
    folder, told = trained
    rules = Job.load(folder / "job.yaml")
    of = runs(rules, folder, "score")
    half = Half.load(folder / "bank" / "model.json")
    roles = {"bank": guest.scoring_batch(of["bank"], Batch.of(BANK, half.levels), half)}
    hosts = {
        name: host.scoring_batch(of[name], TABLES[name], folder / name / "model.json") for name in rules.hosts
    }
    scored = run_in_memory(roles | hosts).results["bank"]
    common, logit = scored.common, scored.logit
    x, _ = pooled(told)
    parts = {
        name: x[name] @ np.array(list(told.results[name].half.weights.values()))[name == "bank" :]
        for name in TABLES
    }
    expected = half.weights["intercept"] + sum(parts.values())
    order = np.argsort(common.ids)
    np.testing.assert_allclose(logit[order], expected, atol=1e-10)
    assert run_of(rules, "lender").place.before == 1
