"""The report says first, and without flattery, whether the partner helps and what the model is not for."""

import re

import numpy as np
import pytest
from report_runs import LEDGER, a_run, a_validated_run, page, some_scores, validated

from parties.report import verdict


@pytest.fixture(scope="module", name="scores")
def made_scores():
    return some_scores()


@pytest.fixture(scope="module", name="a_validated_run")
def made_run(scores):
    return a_validated_run(scores)


@pytest.mark.parametrize(
    ("joint", "sentence"),
    [
        (0.80, "insurer adds discrimination: AUC +0.0500"),
        (0.753, "insurer adds little, though measurably: AUC +0.0030"),
        (0.7501, "insurer adds nothing that these rows can show: AUC +0.0001"),
        (0.70, "insurer makes the model worse: AUC -0.0500"),
    ],
)
def test_the_verdict_follows_the_interval_of_the_difference(joint, sentence):
    def model(auc):
        return {"auc": auc, "auc_low": auc - 0.001, "auc_high": auc + 0.001}

    run = {
        "parties": {"insurer": "host"},
        "splits": {"test": {"joint": model(joint), "guest_only": model(0.75)}},
    }
    assert verdict.verdict(run).startswith(sentence)


def test_resamples_of_the_same_rows_give_a_narrower_interval_than_two_aucs(scores, a_validated_run):
    paired, apart = verdict.gain(a_validated_run), verdict.gain(a_run(scores))
    assert paired[0] == pytest.approx(apart[0])
    assert paired[2] - paired[1] < apart[2] - apart[1]


def test_a_partner_that_adds_nothing_is_said_so_first_and_again_among_the_limits(tmp_path, scores):
    rng = np.random.default_rng(8)
    noise = scores["guest_only"] * np.exp(0.05 * rng.normal(size=1500))
    nothing = scores | {"joint": np.clip(noise, 0, 0.999)}
    run = a_run(nothing) | {"validation": validated(nothing)}
    text = page(tmp_path, run, [LEDGER]).text
    said = "insurer adds nothing that these rows can show"
    assert said in text and text.index(said) < text.index("AUC 0.")
    assert "A reason to exchange data: these rows do not show that the partner's columns help." in text
    assert "these rows do not show" not in page(tmp_path, a_run(scores)).text


def test_the_page_says_what_the_model_is_not_for(scores, a_validated_run):
    limits = " ".join(verdict.limits(a_validated_run))
    assert (
        "the model was fitted on the 25\u202f537 common customers, and needs insurer for every score"
        in limits
    )
    assert "has not accepted so far" in limits and "Claims about groups" not in limits
    assert "PDs are too close together (slope" in limits
    training = a_run(scores) | {"splits": {"train": a_run(scores)["splits"]["test"]}}
    assert "only training rows were measured" in " ".join(verdict.limits(training))
    assert "Claims about groups of customers: none was looked at" in " ".join(verdict.limits(training))


def test_the_swap_set_is_told_as_bads_among_the_approved(a_validated_run):
    found = a_validated_run["validation"]["swap_set"]
    said = verdict.consequence(a_validated_run)
    assert f"{found['joint_approves']['bads']} bads among them with the joint model" in said
    assert f"the models disagree on {2 * found['swapped_in']['rows']} customers" in said
    more = {**found, "swapped_in": {**found["swapped_in"], "rows": 617}}
    said = verdict.consequence({**a_validated_run, "validation": {"swap_set": more}})
    assert "the models disagree on 1\u202f234 customers" in said
    assert verdict.consequence({}) == ""


def test_another_family_of_models_has_its_own_measures_and_no_bads(tmp_path):
    numbers = {"rows": 900, "deviance": 0.4321, "gini": 0.25, "mean": 1.5, "mean_prediction": 1.4375}
    run = {"splits": {"test": {"joint": numbers, "guest_only": numbers | {"deviance": 0.5432}}}}
    text = page(tmp_path, run).text
    assert "rows, model rows Gini deviance mean prediction mean outcome" in text
    assert "900 0.2500 0.4321 1.4375 1.5000" in text
    assert "lowers the deviance on the test rows: 0.4321 with it, 0.5432 without." in text
    for other in ("AUC", "KS", "bads", "PD", "cutoff", "Lift"):
        assert other not in text.split(), other


def test_several_hosts_are_spoken_of_as_several(a_validated_run):
    parties = {"bank": "guest", "insurer": "host", "lender2": "host", "telco": "host"}
    several = a_validated_run | {"parties": parties}
    one = re.sub(r"^insurer adds ", "insurer, lender2 and telco add ", verdict.verdict(a_validated_run))
    assert verdict.verdict(several) == one != verdict.verdict(a_validated_run)
    unknown = "Customers whom one of insurer, lender2 and telco does not know"
    assert verdict.limits(several)[0].startswith(unknown)
