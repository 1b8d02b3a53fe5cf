"""What a job and a guest's file may say of a regression of amounts, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_config import BANK, INSURER, JOB, job

from parties.config.party import Party
from parties.config.policy import PolicyRules
from parties.contract.policy import check_policy
from parties.inspection import known_of
from parties.programs.limits import check_outcomes
from parties.sources import read_training
from vfl.errors import ConfigError, ContractError, DataError
from vfl.gates import Gates
from vfl.linear.family import FAMILIES, Target

POISSON = JOB + "model: {kind: poisson}\nfeatures: {kind: standard}\n"
INSURED = BANK.replace("label: label", "outcome: claims")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  trustee: {role: arbiter}\n", "", "model: kind poisson needs an arbiter, and the job has none"),
        (
            "kind: standard",
            "kind: woe",
            "kind poisson has no labels to weigh bins by: ",
        ),
        ("features: {kind: standard}\n", "", "kind poisson has no labels to weigh bins by"),
        ("kind: poisson", "kind: poisson, sigmoid: taylor", "model.sigmoid: unknown key"),
        ("kind: poisson", "kind: poison", "model.kind: must be logistic, trees, linear, poisson or gamma"),
        ("purpose", "disclosure: {standard_errors: true}\npurpose", "standard_errors: of regressions only"),
        (
            "purpose",
            "disclosure: {gradient_bits: 24}\npurpose",
            "gradient_bits: kind poisson ",
        ),
        ("purpose", "disclosure: {online: true}\npurpose", "online: only a logistic regression of one host"),
        ("purpose", "scorecard: {bands: [600]}\npurpose", "bands: kind poisson predicts amounts, and has no"),
        ("{kind: poisson}", "{kind: poisson, max_iter: 41}", "41 iterations asked for"),
    ],
)
def test_what_such_a_regression_has_not_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises((ConfigError, ContractError)) as error:
        job(POISSON.replace(old, new), tmp_path).open_gates()
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("kind", "text", "old", "new", "said"),
    [
        ("poisson", BANK, "", "", "data.outcome: missing"),
        ("poisson", INSURED, "claims", "claims, label: bad", "data.label: model.kind poisson takes no label"),
        (
            "gamma",
            INSURED,
            "claims",
            "claims, exposure: t",
            "data.exposure: model.kind gamma takes no exp",
        ),
        (
            "poisson",
            INSURED,
            "claims",
            "claims, exposure: t, offset: o",
            "is an offset already",
        ),
        (
            "linear",
            INSURED,
            "claims",
            "claims, segment: s",
            "model.kind linear takes no segment",
        ),
        (
            "logistic",
            BANK,
            "label: label",
            "label: y, offset: o",
            "model.kind logistic takes no offset",
        ),
        (
            "trees",
            BANK,
            "label: label",
            "label: y, outcome: o",
            "model.kind trees takes no outcome",
        ),
        ("gamma", INSURER, "insurer.csv", "insurer.csv, outcome: y", "only the guest has an outcome"),
        ("gamma", INSURED, "peers:", "report: {cutoff: 0.1}\npeers:", "report.cutoff: kind gamma has no PD"),
        ("linear", INSURED, "peers:", "scores: {reasons: 3}\npeers:", "kind linear has no points by column"),
    ],
)
def test_columns_that_a_model_does_not_take_are_refused(
    tmp_path: Path, kind: str, text: str, old: str, new: str, said: str
) -> None:
    more = "" if kind in ("logistic", "trees") else "features: {kind: standard}\n"
    agreed = job(f"{JOB}model: {{kind: {kind}}}\n{more}", tmp_path)
    (tmp_path / "party.yaml").write_text(text.replace(old, new) if old else text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        Party.load(tmp_path / "party.yaml", agreed)
    assert said in str(error.value)


def test_a_party_can_leave_such_models_out(tmp_path: Path) -> None:
    agreed = job(POISSON, tmp_path)
    check_policy(agreed, PolicyRules())
    with pytest.raises(ContractError, match="allows logistic, and"):
        check_policy(agreed, PolicyRules(models=("logistic",)))


def insured(tmp_path: Path, more: str, rows: str) -> Party:
    """Return a guest with a table of these rows: id, claims, years and age."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "bank.csv").write_text(f"id,claims,years,age\n{rows}", encoding="utf-8")
    text = INSURED.replace("claims", f"claims{more}")
    (tmp_path / "party.yaml").write_text(text, encoding="utf-8")
    return Party.load(tmp_path / "party.yaml", job(POISSON, tmp_path))


def test_an_exposure_is_an_offset_on_the_logarithmic_scale(tmp_path: Path) -> None:
    party = insured(tmp_path, ", exposure: years", "a,0,0.5,30\nb,2,1,41\n")
    assert party.data
    table = read_training(party.data)
    known = known_of(table, np.ones(2, np.bool_))
    np.testing.assert_array_equal(known.y, [0.0, 2.0])
    np.testing.assert_allclose(known.offset, [np.log(0.5), 0.0])
    np.testing.assert_array_equal(known.weight, [1.0, 1.0])
    assert list(table.columns) == ["age"] and table.label is None


@pytest.mark.parametrize(
    ("more", "rows", "said"),
    [
        ("", "a,0,1,30\nb,,1,41\n", "bank.csv:3: claims: outcome is blank, not a finite number"),
        (
            ", exposure: years",
            "a,0,0,30\nb,1,1,4\n",
            "bank.csv:2: years: exposure is '0', not a finite",
        ),
        (
            ", offset: years",
            "a,0,x,30\nb,1,1,4\n",
            "bank.csv:2: years: offset is 'x', not a finite",
        ),
    ],
)
def test_what_is_no_outcome_or_exposure_is_named_by_its_line(
    tmp_path: Path, more: str, rows: str, said: str
) -> None:
    party = insured(tmp_path, more, rows)
    assert party.data
    with pytest.raises(DataError) as error:
        read_training(party.data)
    assert said in str(error.value)


def target(*y: float, weight: float = 1.0) -> Target:
    """Return outcomes that all count the same, without offsets."""
    return Target(np.array(y), np.full(len(y), weight), np.zeros(len(y)))


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("poisson", target(1, -1), "1 outcomes are below 0, which kind poisson has none of"),
        ("gamma", target(1, 0, 0), "2 outcomes are not above 0, which kind gamma has none of"),
        ("linear", target(3, 3, 3), "every training row has the same outcome"),
        ("linear", target(3, 2, weight=0.0), "every training row has the weight 0"),
    ],
)
def test_outcomes_that_a_family_has_not_are_refused(name: str, known: Target, said: str) -> None:
    with pytest.raises(DataError) as error:
        check_outcomes(Gates(frozenset()), "bank.csv", FAMILIES[name], known)
    assert said in str(error.value)


@pytest.mark.parametrize(("events", "closed"), [(19, True), (20, False)])
def test_few_events_close_the_gate_as_few_bads_do(events: int, closed: bool) -> None:
    known = target(*[1.0] * events, *[0.0] * (1000 - events))
    gates = Gates(frozenset({"few_events"}))
    check_outcomes(gates, "bank.csv", FAMILIES["poisson"], known)
    assert bool(gates.overridden) == closed


def test_rows_of_weight_0_are_no_events() -> None:
    known = target(*[1.0] * 30, *[0.0] * 1000)
    gates = Gates(frozenset({"few_events"}))
    check_outcomes(gates, "bank.csv", FAMILIES["poisson"], known)
    assert gates.overridden == []
    known.weight[:11] = 0.0
    check_outcomes(gates, "bank.csv", FAMILIES["poisson"], known)
    assert "another outcome than most" in gates.overridden[0]


def test_one_large_amount_closes_the_gate() -> None:
    amounts = np.random.default_rng(1).gamma(4.0, size=500)
    gates = Gates(frozenset({"few_events"}))
    check_outcomes(gates, "bank.csv", FAMILIES["linear"], target(*amounts))
    assert gates.overridden == []
    check_outcomes(gates, "bank.csv", FAMILIES["linear"], target(*amounts, 60.0))
    assert "more than 10% of the sum of all squared residuals" in gates.overridden[0]
