"""Columns that do not pass are left out by the party that has them, and a model of the others is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_runs import BANK, CUSTOMERS, INSURER, by_id, changed, job, train
from sklearn.linear_model import LinearRegression

from parties.programs.model import columns_of
from parties.programs.stored import check_batch
from vfl.errors import ConfigError, ContractError, DataError
from vfl.stats.selection import SelectionLimits, correlations, inflation, left_out

# --- oracle ---


@given(st.integers(0, 50))
def test_correlations_are_pearsons_and_inflations_those_of_regressions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    r = correlations(x)
    np.testing.assert_allclose(r, np.corrcoef(x.T), atol=1e-12)
    for j, factor in enumerate(inflation(r)):
        others = np.delete(x, j, axis=1)
        explained = LinearRegression().fit(others, x[:, j]).score(others, x[:, j])
        assert factor == pytest.approx(1 / (1 - explained), rel=1e-6)


# --- law ---

DRAWN = np.random.default_rng(4)
A, B, C = DRAWN.normal(size=(3, 500))
VALUES = {"a": 0.3, "near a": 0.4, "b": 0.01, "sum": 0.2, "constant": 0.9}
X = np.column_stack([A, A + 0.1 * C, B, A + B, np.full(500, 0.7)])


def test_a_column_outside_of_the_bounds_of_information_is_left_out() -> None:
    assert left_out(X, VALUES, SelectionLimits(min_iv=0.02, max_iv=0.5)) == {
        "b": "its information value 0.0100 is below 0.02",
        "constant": "its information value 0.9000 is above 0.5",
    }
    assert left_out(X, VALUES, SelectionLimits()) == {}


def test_of_two_correlated_columns_the_one_that_tells_less_goes() -> None:
    assert left_out(X, VALUES, SelectionLimits(max_correlation=0.9)) == {
        "a": "its correlation with near a is 1.00"
    }
    assert set(left_out(X, VALUES, SelectionLimits(max_correlation=0.6))) == {"a", "sum"}


def test_columns_that_others_explain_go_until_none_does() -> None:
    out = left_out(X, VALUES, SelectionLimits(max_vif=5))
    kept = [j for j, name in enumerate(VALUES) if name not in out]
    assert out
    assert inflation(correlations(X[:, kept])).max() <= 5
    assert (
        left_out(X[:, kept], {n: VALUES[n] for n in VALUES if n not in out}, SelectionLimits(max_vif=5)) == {}
    )


# --- programs ---

QUICK = "model: {tolerance: 0.01, max_iter: 9}"
SELECTED = f"""\
features: {{bins: 3, selection: {{min_iv: 0.0001, max_correlation: 0.8}}}}
{QUICK}
disclosure: {{metrics: [], host_columns: named}}
"""


@pytest.fixture(scope="module")
def selected() -> Any:
    """A training in which the insurer has a column twice, and the bank one that tells nothing."""
    claims = np.zeros(CUSTOMERS)
    claims[[int(c[1:]) for c in INSURER.ids]] = INSURER.columns["claims"].values
    mostly = np.where(np.arange(CUSTOMERS) % 17 == 0, 0.0, 1.0)  # every quantile is the maximum
    return train(job(SELECTED), changed(BANK, "mostly", mostly), changed(INSURER, "again", claims))


def test_what_is_left_out_is_in_no_half_and_in_both_books(selected: Any) -> None:
    ours, theirs, _ = selected
    assert list(ours.half.weights) == ["intercept", "income", "tenure", "age"]
    assert list(theirs.half.weights) == ["claims", "premium", "region"]
    assert "mostly" not in ours.half.levels
    assert "again" not in theirs.half.levels
    assert list(ours.facts["left_out"]["guest"]) == ["mostly"]
    assert theirs.facts["left_out"]["host"] == {"again": "its correlation with claims is 1.00"}
    assert ours.facts["left_out"]["host"] == ["again"]
    assert list(ours.facts["information_value"]["host"]) == ["claims", "premium", "region", "again"]


def test_a_half_scores_tables_without_the_columns_that_were_left_out(selected: Any) -> None:
    _, theirs, _ = selected
    check_batch(theirs.half.levels, INSURER)
    logit = theirs.half.features.transform(columns_of(by_id(INSURER))) @ list(theirs.half.weights.values())
    np.testing.assert_allclose(theirs.half.logit(by_id(INSURER)), logit)


def test_a_host_left_with_few_columns_is_stopped_by_the_gate() -> None:
    few = f"features: {{bins: 3, selection: {{min_iv: 0.1}}}}\n{QUICK}"
    with pytest.raises(ContractError, match=r"columns: [12] take part"):
        train(job(few), BANK, INSURER)


def test_a_selection_that_nothing_passes_says_so() -> None:
    with pytest.raises(DataError, match="no column passes the selection that was agreed"):
        train(job(f"features: {{bins: 3, selection: {{min_iv: 50}}}}\n{QUICK}"), BANK, INSURER)


def test_a_coefficient_of_the_wrong_sign_is_refused_where_that_was_agreed() -> None:
    income, claims = np.zeros((2, CUSTOMERS))
    income[[int(c[1:]) for c in BANK.ids]] = BANK.columns["income"].values
    claims[[int(c[1:]) for c in INSURER.ids]] = INSURER.columns["claims"].values
    # More of it is riskier, as income is; at a given income it counts claims, which are safer.
    bank = changed(BANK, "mixed", 3 * income + 2 * claims)
    insurer = changed(INSURER, "claims", np.arange(CUSTOMERS) % 3.0)
    positive = "features: {bins: 3, selection: {sign: positive}}\ndisclosure: {metrics: []}"
    with pytest.raises(DataError, match="1 of 4 coefficients are below 0") as refusal:
        train(job(f"{positive}\nmodel: {{tolerance: 0.01, C: 1000}}"), bank, insurer)
    assert "mixed" in refusal.value.hint
    assert "mixed" not in str(refusal.value)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            "features: {kind: standard, selection: {min_iv: 0.1}}",
            "features.selection: kind: standard has no information values",
        ),
        (
            "disclosure: {woe_to_host: false}\nfeatures: {selection: {sign: positive}}",
            "disclosure: woe_to_host must be true: a host does features.selection itself",
        ),
        ("features: {selection: {max_correlation: 1}}", "max_correlation: must be less than 1, is 1"),
    ],
)
def test_a_selection_that_could_not_be_made_is_refused(section: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        job(section)
    assert said in str(refusal.value)
