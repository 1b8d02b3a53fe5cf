"""How far columns have moved from the training rows: the textbook's index, in each party's own books."""

from __future__ import annotations

import json
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_runs import BANK, CUSTOMERS, INSURER, TRAIN, changed, job, train

from parties.programs.model import columns_of
from vfl.stats.stability import Population, population_stability

counts = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=9).filter(
    lambda bins: all(map(sum, zip(*bins, strict=True)))
)


def test_large_counts_give_the_textbooks_index() -> None:
    before, after = np.array([30_000_000, 70_000_000]), np.array([5_000_000, 5_000_000])
    textbook = (0.5 - 0.3) * log(0.5 / 0.3) + (0.5 - 0.7) * log(0.5 / 0.7)
    assert population_stability(before, after) == pytest.approx(textbook, rel=1e-6)


@given(counts)
def test_the_index_is_symmetric_and_positive_and_0_for_what_has_not_moved(
    bins: list[tuple[int, int]],
) -> None:
    before, after = np.array(bins).T
    index = population_stability(before, after)
    assert index >= 0
    assert np.isfinite(index)
    assert index == pytest.approx(population_stability(after, before))
    assert population_stability(before, before) == 0
    assert population_stability(np.append(before, 0), np.append(after, 0)) == pytest.approx(index)


@pytest.mark.parametrize("features", ["features: {bins: 3}", "features: {kind: standard}"])
def test_a_column_that_moved_is_seen_in_the_books_of_its_party_alone(features: str) -> None:
    premium = np.random.default_rng(1).normal(500, 90, CUSTOMERS)
    premium[TRAIN:] += 200
    quick = "model: {tolerance: 0.1, max_iter: 2}\ndisclosure: {metrics: []}"
    ours, theirs, _ = train(job(f"{features}\n{quick}"), BANK, changed(INSURER, "premium", premium))
    moved = theirs.facts["stability"]["host"]
    assert list(moved) == ["claims", "premium", "region"]
    assert moved["premium"] > 0.5 > 0.25 > max(moved["claims"], moved["region"])
    assert ours.facts["stability"].keys() == {"guest"}
    assert list(ours.facts["stability"]["guest"]) == ["income", "tenure", "age"]
    batch = INSURER.take(np.arange(100))
    kept = Population.from_json(json.loads(json.dumps(theirs.half.population.as_json())))
    again = kept.stability(columns_of(batch))
    assert again == theirs.half.population.stability(columns_of(batch))
    assert again["premium"] < 0.25
