"""All parties' cards together are the customer's score, and bands hold whom they say."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from program_runs import BANK, INSURER, by_id, job, run_of, train

from parties.exports.card import Blank, Card, Code, Interval, Level
from parties.programs.guest import _scores
from parties.programs.model import Half
from parties.programs.points import points_facts
from vfl.stats.scorecard import Scorecard
from vfl.table.table import Table

JOB = """\
features: {bins: 3}
model: {tolerance: 0.01, max_iter: 9}
scorecard: {base_score: 500, base_odds: 20, pdo: 40, bands: [420, 400, 380]}
"""


@pytest.fixture(scope="module")
def trained() -> Any:
    return train(job(JOB), BANK, INSURER)


def added_up(half: Half, table: Table) -> NDArray[np.float64]:
    """Return each customer's points as somebody adds them up with run.json and a pencil."""
    facts = points_facts(job(JOB), half)["scorecard"]
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
    mine, other = (points_facts(job(JOB), party.half)["scorecard"] for party in (ours, theirs))
    assert other["base_points"] == 0.0
    assert mine["base_points"] == pytest.approx(
        Scorecard(500, 20, 40).points(np.array(ours.half.weights["intercept"]))
    )


def test_every_measured_customer_is_in_one_band(trained: Any) -> None:
    ours, _, _ = trained
    found = points_facts(job(JOB), ours.half, ours.curves)["bands"]
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
    frame = _scores(run_of(job(JOB), "bank"), by_id(BANK), logit)
    assert list(frame.columns) == ["id", "pd", "points", "band"]
    for above, below in pairwise("ABCD"):
        lowest = frame.points[frame.band == above].min()
        assert not frame.points[frame.band == below].max() >= lowest
    plain = _scores(run_of(job(""), "bank"), by_id(BANK), logit)
    assert list(plain.columns) == ["id", "pd", "points"]


def test_a_calibrated_model_has_no_card_and_bands_all_the_same() -> None:
    straight = job(
        "features: {bins: 3}\nmodel: {sigmoid: taylor, tolerance: 0.01}\nscorecard: {bands: [500]}"
    )
    ours, theirs, _ = train(straight, BANK, INSURER)
    assert list(points_facts(straight, ours.half, ours.curves)) == ["bands"]
    assert points_facts(straight, theirs.half) == {}
