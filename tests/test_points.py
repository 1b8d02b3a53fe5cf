"""All parties' cards together are the customer's score, and bands hold whom they say."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from program_runs import BANK, INSURER, by_id, job, run_of, train

from parties.config.scores import ScoreRules, check_scores
from parties.config.yaml import parse
from parties.exports.card import Blank, Card, Code, Interval, Level
from parties.programs.files import publish
from parties.programs.model import Half, columns_of
from parties.programs.points import card_facts
from parties.programs.reasons import losses
from parties.programs.scores import check_reasons, frame_of, score_columns
from vfl.errors import ConfigError
from vfl.stats.scorecard import Scorecard
from vfl.table.table import Table

JOB = """\
features: {bins: 3}
model: {tolerance: 0.01, max_iter: 9}
scorecard: {base_score: 500, base_odds: 20, pdo: 40, bands: [420, 400, 380]}
"""


STRAIGHT = """\
features: {bins: 3}
model: {sigmoid: taylor, tolerance: 0.01}
scorecard: {base_score: 500, base_odds: 20, pdo: 40, bands: [400]}
"""


@pytest.fixture(scope="module")
def trained() -> Any:
    return train(job(JOB), BANK, INSURER)


@pytest.fixture(scope="module")
def straight() -> Any:
    """A training whose logits are calibrated."""
    return train(job(STRAIGHT), BANK, INSURER)


def added_up(half: Half, table: Table) -> NDArray[np.float64]:
    """Return each customer's points as somebody adds them up with run.json and a pencil."""
    facts = card_facts(job(JOB), half)["scorecard"]
    total = np.full(len(table), facts["base_points"])
    for term in Card.of(half).terms:
        values = table.columns[term.column].values
        for case, printed in zip(term.cases, facts["columns"][term.column], strict=True):
            assert printed["bin"] == case.when.label
            total[_holds(case.when, values)] += printed["points"]
    return total


def _holds(when: Any, values: NDArray[Any]) -> NDArray[np.bool_]:
    match when:
        case Interval(low, high):
            return (values > low) & (values <= high)
        case Code(number):
            return values == number
        case Level(text):
            return values == text
        case Blank():
            return pd.isna(values)
    return np.zeros(len(values), bool)


def test_points_of_both_cards_add_up_to_the_score(trained: Any) -> None:
    ours, theirs, _ = trained
    scale = Scorecard(500, 20, 40)
    bank, insurer = by_id(BANK), by_id(INSURER)
    own, partners = added_up(ours.half, bank), added_up(theirs.half, insurer)
    joint = ours.half.logit(bank) + theirs.half.logit(insurer)
    np.testing.assert_allclose(own + partners, scale.points(joint), atol=1e-9)
    # What the guest scores with is the host's part to a point.
    sent = scale.rounded_to_point(theirs.half.logit(insurer))
    scored = scale.whole_points(ours.half.logit(bank) + sent)
    np.testing.assert_array_equal(scored, np.rint(own + np.rint(partners)))


def test_the_guests_card_alone_carries_the_base(trained: Any) -> None:
    ours, theirs, _ = trained
    mine, other = (card_facts(job(JOB), party.half)["scorecard"] for party in (ours, theirs))
    assert other["base_points"] == 0.0
    assert mine["base_points"] == pytest.approx(
        Scorecard(500, 20, 40).points(np.array(ours.half.weights["intercept"]))
    )


def test_every_measured_customer_is_in_one_band(trained: Any) -> None:
    ours, _, _ = trained
    found = ours.facts["bands"]
    assert list(found) == ["train", "test"]
    for split, rows in found.items():
        assert [row["band"] for row in rows] == ["A", "B", "C", "D"]
        assert sum(row["rows"] for row in rows) == ours.facts["rows"][split]
        assert sum(row["events"] for row in rows) == ours.facts["splits"][split]["joint"]["events"]
        rates = [row["mean_pd"] for row in rows if row["rows"]]
        assert rates == sorted(rates)
        for row in rows:  # 40 points halve the odds: the band's edges bound its PDs
            high, low = (
                1 / (1 + 20 * 2 ** ((edge - 500) / 40))
                for edge in (
                    -inf if row["at_least"] is None else row["at_least"] - 0.5,
                    inf if row["below"] is None else row["below"] - 0.5,
                )
            )
            assert not row["rows"] or low <= row["mean_pd"] <= high


def test_scores_name_the_band_where_the_job_has_any(trained: Any) -> None:
    ours, theirs, _ = trained
    logit = ours.half.logit(by_id(BANK)) + theirs.half.logit(by_id(INSURER))
    frame = frame_of(score_columns(run_of(job(JOB), "bank"), ours.half, by_id(BANK), logit))
    assert list(frame.columns) == ["id", "pd", "points", "band"]
    for above, below in pairwise("ABCD"):
        lowest = frame.points[frame.band == above].min()
        assert not frame.points[frame.band == below].max() >= lowest
    plain = score_columns(run_of(job(""), "bank"), ours.half, by_id(BANK), logit)
    assert list(plain) == ["id", "pd", "points"]


def test_a_calibrated_model_has_no_card_and_bands_all_the_same(straight: Any) -> None:
    ours, theirs, _ = straight
    agreed = job(STRAIGHT)
    assert card_facts(agreed, ours.half) == card_facts(agreed, theirs.half) == {}
    assert [row["band"] for row in ours.facts["bands"]["test"]] == ["A", "B"]


@pytest.mark.parametrize("kind", ["trained", "straight"])
def test_reasons_are_the_columns_that_cost_most(kind: str, request: pytest.FixtureRequest) -> None:
    ours, theirs, _ = request.getfixturevalue(kind)
    bank, insurer = by_id(BANK), by_id(INSURER)
    scale, slope = Scorecard(500, 20, 40), ours.half.slope
    joint = ours.half.calibrated(ours.half.logit(bank) + theirs.half.logit(insurer))
    lost = losses(ours.half, ours.half.averages, bank, joint, "the insurer", scale)
    assert lost.names == ("income", "tenure", "age", "the insurer")
    own = ours.half.features.transform(columns_of(bank)) * ours.half.slopes
    parts = np.column_stack([own, theirs.half.logit(insurer)]) * slope / scale.one_point
    train = bank.split == "train"
    # The guest knows the host's logits of its training rows to a point each.
    np.testing.assert_allclose(lost.points, parts - parts[train].mean(axis=0), atol=0.5 * slope)
    np.testing.assert_allclose(lost.points[:, :3], (parts - parts[train].mean(axis=0))[:, :3], atol=1e-9)
    told = lost.top(2)
    assert list(told) == ["reason_1", "lost_1", "reason_2", "lost_2"]
    for row in range(0, len(bank), 7):
        worst = sorted(zip(-lost.points[row], lost.names, strict=True))
        for k in range(2):
            name, points = told[f"reason_{k + 1}"][row], told[f"lost_{k + 1}"][row]
            if name is None:
                assert np.isnan(points)
                assert -worst[k][0] < 0.05
            else:
                assert (-points, name) == worst[k]


def test_all_that_is_lost_is_what_the_score_lacks(trained: Any) -> None:
    ours, theirs, _ = trained
    bank = by_id(BANK)
    joint = ours.half.logit(bank) + theirs.half.logit(by_id(INSURER))
    lost = losses(ours.half, ours.half.averages, bank, joint, "the insurer", Scorecard(500, 20, 40))
    missing = lost.points.sum(axis=1) + Scorecard(500, 20, 40).points(joint)
    np.testing.assert_allclose(missing, missing[0])


def test_partners_nobody_measured_are_no_reason() -> None:
    blind = job("features: {bins: 3}\nmodel: {tolerance: 0.01}\ndisclosure: {metrics: []}")
    ours, theirs, _ = train(blind, BANK, INSURER)
    joint = ours.half.logit(by_id(BANK)) + theirs.half.logit(by_id(INSURER))
    lost = losses(ours.half, ours.half.averages, by_id(BANK), joint, "the insurer", Scorecard())
    assert lost.names == ("income", "tenure", "age")


def test_reasons_are_in_the_scores_of_who_asks_for_them(trained: Any, tmp_path: Path) -> None:
    ours, theirs, _ = trained
    publish(tmp_path, {"model.json": ours.half.as_json()})
    half = Half.load(tmp_path / "model.json")
    assert half.averages == ours.half.averages
    run = run_of(job(JOB), "bank")
    asks = replace(run, party=run.party.model_copy(update={"scores": ScoreRules(reasons=9)}))
    joint = ours.half.logit(by_id(BANK)) + theirs.half.logit(by_id(INSURER))
    frame = frame_of(score_columns(asks, half, by_id(BANK), joint))
    assert list(frame.columns)[4:] == [f"{what}_{k}" for k in (1, 2, 3, 4) for what in ("reason", "lost")]
    assert "partner: insurer" in set(frame.reason_1)
    check_reasons(asks.party, half)
    with pytest.raises(ConfigError, match=r"scores\.reasons: the model does not say") as refusal:
        check_reasons(asks.party, replace(half, averages=None))
    assert refusal.value.hint == "train again: vfl guest train; or remove the key"


@pytest.mark.parametrize(
    ("guest", "model", "said"),
    [
        (False, "logistic", "file.yaml:2: scores.reasons: only the guest learns scores"),
        (True, "trees", "file.yaml:2: scores.reasons: trees have no points by column, and so no reasons"),
    ],
)
def test_reasons_that_nobody_could_give_are_refused(guest: bool, model: str, said: str) -> None:
    document = parse("scores:\n  reasons: 3\n", Path("file.yaml"))
    with pytest.raises(ConfigError) as refusal:
        check_scores(ScoreRules(reasons=3), guest, job(f"model: {{kind: {model}}}"), document)
    assert str(refusal.value) == said
    check_scores(ScoreRules(), guest, job(f"model: {{kind: {model}}}"), document)
