"""Bins hold every value once, blanks and unseen levels have slots of their own."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.stats.binning import LevelBins, NumericBins, fit_bins, from_json, quantile_cuts

numbers = st.lists(st.one_of(st.integers(-20, 20).map(float), st.just(np.nan)), max_size=80).map(np.array)
levels = st.lists(st.one_of(st.sampled_from(["a", "b", "B", "é", ""]), st.none()), max_size=40)
bin_numbers = st.integers(1, 12)


def everything(column):
    return np.ones(len(column), bool)


def objects(values):
    column = np.empty(len(values), object)
    column[:] = values
    return column


@given(numbers, bin_numbers)
def test_cuts_are_increasing_below_the_maximum_and_fewer_than_the_bins(x, bins):
    x = x.astype(np.float64)
    cuts = quantile_cuts(x, bins)
    assert len(cuts) < bins or len(cuts) == 0
    assert np.all(np.diff(cuts) > 0)
    assert not len(cuts) or cuts[-1] < np.nanmax(x)


@given(numbers, bin_numbers)
def test_a_code_is_the_interval_that_holds_the_value(x, bins):
    x = x.astype(np.float64)
    binning = fit_bins(x, everything(x), bins)
    ends = [-np.inf, *binning.cuts, np.inf]
    for value, code in zip(x, binning.codes(x), strict=True):
        if np.isnan(value):
            assert code == -1
        else:
            assert ends[code] < value <= ends[code + 1]


@given(levels)
def test_a_code_is_the_index_of_the_sorted_level(values):
    column = objects(values)
    binning = fit_bins(column, everything(column), 10)
    assert list(binning.levels) == sorted(set(values) - {None})
    for value, code in zip(values, binning.codes(column), strict=True):
        assert code == (-1 if value is None else binning.levels.index(value))


def test_a_level_that_training_did_not_show_is_minus_two():
    column = objects(["x", "y", None, "z"])
    binning = fit_bins(column, np.array([0, 1, 2]), 10)
    assert binning.codes(column).tolist() == [0, 1, -1, -2]


@given(numbers, bin_numbers)
def test_bins_survive_json_exactly(x, bins):
    x = x.astype(np.float64) / 3
    binning = fit_bins(x, everything(x), bins)
    assert from_json(json.loads(json.dumps(binning.as_json()))) == binning


@given(levels)
def test_levels_survive_json_exactly(values):
    column = objects(values)
    binning = fit_bins(column, everything(column), 10)
    assert from_json(json.loads(json.dumps(binning.as_json()))) == binning


def test_bins_come_from_the_named_rows_alone():
    x = np.array([1.0, 2.0, 3.0, 4.0, 1e9])
    assert fit_bins(x, np.array([0, 1, 2, 3]), 2) == NumericBins((2.5,))
    assert fit_bins(x, np.array([True, True, True, True, False]), 2) == NumericBins((2.5,))


def test_a_blank_column_is_one_empty_bin():
    x = np.full(5, np.nan)
    binning = fit_bins(x, everything(x), 10)
    assert binning == NumericBins(())
    assert binning.codes(np.array([np.nan, 3.0])).tolist() == [-1, 0]


@pytest.mark.parametrize("binning", [NumericBins((1.0, 2.5)), NumericBins(()), LevelBins(("a", "b"))])
def test_every_slot_has_a_name(binning):
    assert len(binning.labels()) == binning.slots
    assert binning.labels()[-2:] == ("unseen", "blank")


def test_intervals_are_named_as_a_reader_would_write_them():
    assert NumericBins((1.0, 2.5)).labels() == ("<= 1", "(1, 2.5]", "> 2.5", "unseen", "blank")


@pytest.mark.parametrize(
    "data", [{}, {"cuts": [2, 1]}, {"cuts": [1, 1]}, {"cuts": [float("nan")]}, {"levels": ["b", "a"]}]
)
def test_malformed_bins_are_refused(data):
    with pytest.raises(ValueError, match=r"cuts|levels"):
        from_json(data)
