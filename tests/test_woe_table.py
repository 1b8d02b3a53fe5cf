"""WOE and IV equal the published tables of the shared data, computed on the pooled rows."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared

from vfl.stats.binning import NumericBins, fit_bins
from vfl.stats.woe import bin_counts, information_value, woe

counts = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12).filter(
    lambda bins: all(map(sum, zip(*bins, strict=True)))
)


def pooled_train(name):
    """Return the joined training rows' labels and columns, as arrays."""
    parties = json.loads((shared(name) / "schema.json").read_text())["parties"]
    texts = {c for party in parties.values() for c in party["categorical"]}
    bank, insurer = (
        pd.read_csv(
            shared(name) / f"{party}.csv",
            dtype={"id": str, **dict.fromkeys(texts, str)},
            keep_default_na=True,
            na_values=[""],
        )
        for party in ("bank", "insurer")
    )
    joined = bank.merge(insurer, on="id", validate="one_to_one")
    train = joined[joined["split"] == "train"]
    features = [c for party in parties.values() for c in party["features"]]
    return train["label"].to_numpy(), {c: values(train[c], c in texts) for c in features}


def values(column, categorical):
    if categorical:
        return column.astype(object).where(column.notna(), None).to_numpy(object)
    return column.to_numpy(np.float64)


@pytest.mark.parametrize("name", ["german", "breast", "caravan", "default_credit", "give_credit"])
def test_woe_and_iv_equal_the_published_tables(name):
    y, columns = pooled_train(name)
    published = json.loads(shared("baselines.json").read_text())[name]["woe"]
    assert list(published) == list(columns)
    total = int(y.sum()), int((1 - y).sum())
    for column, table in published.items():
        binning = fit_bins(columns[column], np.ones(len(y), bool), 10)
        [kept] = binning.as_json().values()
        assert kept == table["cuts_or_levels"]
        pos, neg = bin_counts(binning.codes(columns[column]), y, binning.slots)
        evidence = woe(pos, neg, *total)
        for code, bads, goods, expected in table["bins_code_pos_neg_woe"]:
            assert (pos[code], neg[code]) == (bads, goods)
            assert evidence[code] == pytest.approx(expected, abs=1e-6)
        assert (pos.sum(), neg.sum()) == total
        assert information_value(pos, neg, *total) == pytest.approx(table["iv"], abs=1e-6)


@given(counts)
def test_a_riskier_bin_has_a_positive_woe(bins):
    pos, neg = np.array(bins).T
    evidence = woe(pos, neg, pos.sum(), neg.sum())
    smoothed = (pos + 0.5) * neg.sum() - (neg + 0.5) * pos.sum()
    assert np.all(np.sign(evidence) == np.sign(smoothed) * (pos + neg > 0))


@given(counts)
def test_swapping_the_classes_flips_the_woe_and_keeps_the_value(bins):
    pos, neg = np.array(bins).T
    totals = pos.sum(), neg.sum()
    assert woe(pos, neg, *totals) == pytest.approx(-woe(neg, pos, *totals[::-1]))
    assert information_value(pos, neg, *totals) == pytest.approx(information_value(neg, pos, *totals[::-1]))


def test_an_empty_bin_says_nothing():
    pos, neg = np.array([0, 10]), np.array([0, 30])
    assert woe(pos, neg, 10, 30)[0] == 0
    assert information_value(pos, neg, 10, 30) == pytest.approx(0)


def test_codes_read_their_own_bin_back_from_a_table():
    binning = NumericBins((1.0, 2.0))
    codes = binning.codes(np.array([0.5, 1.5, 1.6, 9.0, np.nan]))
    pos, neg = bin_counts(codes, np.array([1, 1, 0, 0, 1]), binning.slots)
    assert pos.tolist() == [1, 1, 0, 0, 1]
    assert neg.tolist() == [0, 1, 1, 0, 0]
    assert (pos + neg)[codes].tolist() == [1, 2, 2, 1, 1]
