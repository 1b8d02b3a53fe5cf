"""Points follow their definition and lead back to the logit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.stats.scorecard import Bands, Scorecard

logits = st.lists(st.floats(-30, 30), min_size=1, max_size=20).map(np.array)
cards = st.builds(Scorecard, st.floats(0, 1000), st.floats(0.5, 500), st.floats(5, 100))


def test_the_scale_is_the_one_that_was_asked_for():
    card = Scorecard(base_score=600, base_odds=50, pdo=20)
    logit = -np.log(np.array([50.0, 100.0, 25.0]))
    assert card.points(logit) == pytest.approx([600, 620, 580])
    assert card.whole_points(logit).tolist() == [600, 620, 580]


@given(cards, logits)
def test_points_lead_back_to_the_logit(card, logit):
    assert card.logit_of(card.points(logit)) == pytest.approx(logit, abs=1e-9)


@given(cards, logits)
def test_more_risk_is_fewer_points_and_one_point_is_one_point(card, logit):
    assert card.points(logit + card.one_point) == pytest.approx(card.points(logit) - 1)


@given(cards, logits)
def test_a_rounded_logit_is_a_multiple_at_most_half_a_point_away(card, logit):
    rounded = card.rounded_to_point(logit)
    multiples = rounded / card.one_point
    assert multiples == pytest.approx(np.rint(multiples), abs=1e-9)
    assert np.all(np.abs(rounded - logit) <= card.one_point * 0.5000001)
    assert card.rounded_to_point(rounded) == pytest.approx(rounded, abs=1e-12)


def test_a_bin_that_is_worth_nothing_has_no_sign():
    assert f"{Scorecard(base_score=600, base_odds=50, pdo=20).added(0.0):.1f}" == "0.0"


def test_a_band_begins_at_its_cut_and_the_best_is_a():
    bands = Bands((640.0, 600.5, 560.0))
    points = np.array([700, 640, 639, 601, 600, 560, 559, -3])
    assert [bands.names[k] for k in bands.of(points)] == ["A", "A", "B", "B", "C", "C", "D", "D"]


@given(cards, logits)
def test_parts_of_a_logit_add_up_to_its_points(card, logit):
    together = card.base(logit[0]) + sum(card.added(part) for part in logit[1:])
    assert together == pytest.approx(card.points(logit.sum()), abs=1e-6)


@pytest.mark.parametrize("wrong", [{"pdo": 0}, {"base_odds": -1}])
def test_a_scale_without_a_direction_is_refused(wrong):
    with pytest.raises(ValueError, match="positive"):
        Scorecard(**wrong)
