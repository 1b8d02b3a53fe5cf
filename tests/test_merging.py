"""Merged bins: the best of all mergings, found by trying them all; and what never merges."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from vfl.stats.binned import Bins
from vfl.stats.binning import GroupedLevels, LevelBins, NumericBins, Wishes
from vfl.stats.counted import CountedBins
from vfl.stats.merging import Ends, Limits, Trend, best_ends, wide_enough
from vfl.stats.woe import information_value, woe

FREE = Limits(most=99, rows=0, of_class=0)
counts = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=7).filter(
    lambda bins: all(map(sum, zip(*bins, strict=True)))
)
limits = st.builds(Limits, most=st.integers(1, 7), rows=st.integers(0, 60), of_class=st.integers(0, 8))


def grouped(pos: np.ndarray, neg: np.ndarray, ends: Ends) -> tuple[np.ndarray, np.ndarray]:
    starts = [0, *ends[:-1]]
    return np.add.reduceat(pos, starts), np.add.reduceat(neg, starts)


def all_mergings(bins: int) -> list[Ends]:
    return [(*inner, bins) for k in range(bins) for inner in combinations(range(1, bins), k)]


def follows(evidence: np.ndarray, trend: Trend) -> bool:
    up = all(a < b for a, b in pairwise(evidence))
    down = all(a > b for a, b in pairwise(evidence))
    return {"auto": up or down, "ascending": up, "descending": down, "none": True}[trend]


# --- oracle ---


@pytest.mark.parametrize("trend", ["auto", "ascending", "descending", "none"])
@given(counts, limits)
@settings(max_examples=60)
def test_no_other_merging_within_the_limits_tells_more(trend, bins, limits):
    pos, neg = np.array(bins).T
    totals = int(pos.sum()), int(neg.sum())
    values = {}
    for ends in all_mergings(len(pos)):
        p, n = grouped(pos, neg, ends)
        kept = len(ends) <= limits.most and (p + n >= max(limits.rows, 1)).all()
        if kept and (np.minimum(p, n) >= limits.of_class).all() and follows(woe(p, n, *totals), trend):
            values[ends] = information_value(p, n, *totals)
    found = best_ends(pos, neg, totals, limits, trend)
    if not values:
        assert found == (len(pos),)
    else:
        assert values[found] == pytest.approx(max(values.values()), rel=1e-12, abs=1e-12)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=2, max_size=20))
@settings(max_examples=60)
def test_without_limits_a_rising_column_is_merged_as_isotonic_regression_merges_it(bins):
    pos, neg = 1000.0 * np.array(bins).T  # so many rows that the halves of WOE count for nothing
    totals = int(pos.sum()), int(neg.sum())
    fitted = isotonic_regression(pos / (pos + neg), sample_weight=pos + neg)
    blocks = (*(np.flatnonzero(np.diff(fitted) > 1e-12) + 1).tolist(), len(pos))
    best = information_value(*grouped(pos, neg, blocks), *totals)
    found = best_ends(pos, neg, totals, FREE, "ascending")
    assert information_value(*grouped(pos, neg, found), *totals) == pytest.approx(best, rel=1e-4, abs=1e-6)


# --- law ---


def test_a_trend_against_the_column_leaves_one_bin():
    pos, neg = np.array([10, 20, 30]), np.array([90, 80, 70])
    assert best_ends(pos, neg, (60, 240), FREE, "ascending") == (1, 2, 3)
    assert best_ends(pos, neg, (60, 240), FREE, "descending") == (3,)
    assert best_ends(pos[::-1], neg[::-1], (60, 240), FREE, "auto") == (1, 2, 3)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(0, 60))
def test_small_bins_join_neighbours_until_none_is_small(rows, least):
    ends = wide_enough(np.array(rows), least)
    sizes = np.add.reduceat(rows, [0, *ends[:-1]])
    assert ends[-1] == len(rows)
    assert all(a < b for a, b in pairwise(ends))
    assert len(ends) == 1 or sizes.min() >= least
    if min(rows) >= least:
        assert len(ends) == len(rows)


def test_blanks_and_special_codes_are_bins_of_their_own_outside_of_any_trend():
    x = np.array([1.0, 2.0, 3.0, 4.0, -1.0, np.nan, 999.0])
    bins = NumericBins((1.5, 2.5, 3.5), special=(-1.0, 999.0))
    assert bins.codes(x).tolist() == [0, 1, 2, 3, 4, -1, 5]
    assert bins.labels()[4:] == ("special -1", "special 999", "unseen", "blank")
    pos, neg = np.array([1, 3, 2, 4, 9, 0, 0, 8]), np.array([9, 7, 8, 6, 1, 5, 0, 2])
    merged = CountedBins(bins, pos, neg).merged(FREE, "ascending")
    assert merged.binning == NumericBins((1.5, 3.5), special=(-1.0, 999.0))
    assert merged.pos.tolist() == [1, 5, 4, 9, 0, 0, 8]
    assert merged.neg.tolist() == [9, 15, 6, 1, 5, 0, 2]
    assert merged.binning.codes(x).tolist() == [0, 1, 1, 2, 3, -1, 4]


def test_levels_merge_with_those_of_the_nearest_evidence_and_special_ones_with_none():
    bins = LevelBins(("a", "b", "c", "d", "unknown"), special=("unknown",))
    pos, neg = np.array([10, 40, 11, 41, 25, 0, 3]), np.array([90, 60, 89, 59, 75, 0, 7])
    merged = CountedBins(bins, pos, neg).merged(Limits(most=2, rows=0, of_class=0), "descending")
    assert merged.binning == GroupedLevels((("a", "c"), ("b", "d"), ("unknown",)), special=("unknown",))
    assert merged.binning.labels() == ("a | c", "b | d", "unknown", "unseen", "blank")
    assert merged.pos.tolist() == [21, 81, 25, 0, 3]
    assert merged.binning.codes(np.array(["d", None, "new", "a"], object)).tolist() == [1, -1, -2, 0]


def test_a_row_is_in_the_merged_bin_of_its_bin():
    rng = np.random.default_rng(1)
    x = rng.normal(size=500).round(1)
    y = (rng.random(500) < 0.3 + 0.1 * np.sign(x)).astype(np.int8)
    fine = Bins.fit({"x": x}, np.ones(500, bool), 20).of["x"]
    merged = CountedBins.of(fine, fine.codes(x) % fine.slots, y).merged(Limits(4, 25, 5), "auto")
    again = CountedBins.of(merged.binning, merged.binning.codes(x) % merged.binning.slots, y)
    assert merged.pos.tolist() == again.pos.tolist()
    assert merged.neg.tolist() == again.neg.tolist()
    assert merged.binning.slots <= 4 + 2


def test_rare_levels_join_each_other_and_narrow_intervals_their_neighbours_without_a_label():
    level = np.array(["a"] * 50 + ["b"] * 40 + ["c"] * 4 + ["d"] * 5 + ["?"], object)
    number = np.concatenate([np.linspace(0, 1, 99), [100.0]])
    columns, all_rows = {"level": level, "number": number, "cut": number}, np.ones(100, bool)
    wishes = {"level": Wishes(special=("?",)), "cut": Wishes(cuts=(0.5, 99.0))}
    bins = Bins.fit(columns, all_rows, 4, "width", wishes).without_small(columns, all_rows, 9, {"cut"})
    assert bins.of["level"] == GroupedLevels((("c", "d"), ("b",), ("a",), ("?",)), special=("?",))
    assert bins.of["number"] == NumericBins(())
    assert bins.of["cut"] == NumericBins((0.5, 99.0))
