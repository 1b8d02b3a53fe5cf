"""Programs of a regression without an arbiter: the same model, and who learns what."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from program_runs import BANK, INSURER, by_id, job, run_of
from sklearn.linear_model import LogisticRegression

from parties.config.job import Job
from parties.contract.words import learning
from parties.programs import host
from parties.programs.model import columns_of
from parties.programs.training import training
from parties.report.content import trust
from vfl.wire.memory import Transcript, run_in_memory


def alone(more: str = "") -> Job:
    """Return the small job without its arbiter."""
    agreed = job(more, ["small_bins", "few_rows"])
    parties = {name: party for name, party in agreed.parties.items() if party.role != "arbiter"}
    return agreed.model_copy(update={"parties": parties})


@cache
def trained(more: str = "") -> Transcript:
    """Return a training of the two parties, of which tests look at what it left."""
    agreed = alone(more)
    roles: dict[str, Any] = {
        "bank": training(run_of(agreed, "bank"), BANK),
        "insurer": host.training(run_of(agreed, "insurer"), INSURER),
    }
    return run_in_memory(roles)


@pytest.mark.parametrize("more", ["", "features: {kind: standard}", "disclosure: {woe_to_host: false}"])
def test_both_halves_are_the_pooled_model(more: str) -> None:
    told = trained(more).results
    halves = [(told[name].half, by_id(table)) for name, table in (("bank", BANK), ("insurer", INSURER))]
    x = np.column_stack([half.features.transform(columns_of(table)) for half, table in halves])
    y, rows = halves[0][1].label, halves[0][1].split == "train"
    fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x[rows], y[rows])
    joint = np.concatenate([list(half.weights.values()) for half, _ in halves])
    np.testing.assert_allclose(joint, [*fit.intercept_, *fit.coef_[0]], atol=1e-4)


def test_the_ledgers_say_what_each_decrypts_for_the_other() -> None:
    run = trained("")
    for name, peer in (("bank", "insurer"), ("insurer", "bank")):
        told = {entry["message"]: entry for entry in run.ledgers[name].as_json()}
        assert told["DecryptedSums"]["to"] == peer
        assert told["DecryptedSums"]["plain_numbers"] > 0
    shared = {e["message"]: e for e in run.ledgers["bank"].as_json()}["SharedResiduals"]
    assert shared["plain_numbers"] == 0 < shared["sealed_values"]


def test_report_and_contract_say_that_there_is_no_arbiter() -> None:
    said = trust({"parties": {"bank": "guest", "insurer": "host"}})
    assert said[1].startswith("There is no arbiter: bank and insurer hold a key each")
    for role in ("the guest", "the host"):
        assert any("they are masked" in line for line in learning(alone())[role])
