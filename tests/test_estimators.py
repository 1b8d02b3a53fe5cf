"""The estimators' models are the pooled ones, whoever has which columns."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vfl import JointGradientBoosting, JointLogisticRegression
from vfl.crypto.paillier import PrivateKey

ROWS = 120
_draw = np.random.default_rng(3)
X = pd.DataFrame(_draw.normal(size=(ROWS, 5)).round(1), columns=list("abcde"))
Y = np.where(_draw.random(ROWS) < expit(X @ [0.8, -0.5, 0.6, 0.4, 0.2]), "bad", "good")
PARTIES = {"insurer": ["d", "a"]}
TWO_HOSTS = {"lender": ["e"], "insurer": [3, "a"]}
WEIGHT = np.random.default_rng(4).choice([0.0, 0.5, 1.0, 7.25], ROWS)


def pooled(x: Any, weight: Any = None) -> LogisticRegression:
    """Fit the pooled table to the last digit."""
    return LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(x, Y, sample_weight=weight)


@pytest.fixture(scope="module")
def joint() -> JointLogisticRegression:
    """A regression of a guest and an insurer."""
    return JointLogisticRegression(PARTIES).fit(X, Y)


@pytest.fixture(scope="module")
def trees() -> JointGradientBoosting:
    """Trees of a guest and two hosts."""
    return JointGradientBoosting(TWO_HOSTS, n_estimators=4, max_depth=3).fit(X, Y)


# --- oracle: together = pooled ---


def test_the_regression_together_is_the_pooled_one(joint: JointLogisticRegression) -> None:
    want = pooled(X)
    np.testing.assert_allclose(joint.coef_, want.coef_, atol=1e-4)
    np.testing.assert_allclose(joint.intercept_, want.intercept_, atol=1e-4)
    np.testing.assert_allclose(joint.predict_proba(X), want.predict_proba(X), atol=1e-4)
    assert joint.coef_.shape == (1, 5)
    assert joint.n_iter_.shape == (1,)
    assert joint.parties_ == {"guest": [1, 2, 4], "insurer": [3, 0]}


def test_the_regression_with_several_hosts_is_the_pooled_one_as_well() -> None:
    joint = JointLogisticRegression(TWO_HOSTS).fit(X, Y)
    np.testing.assert_allclose(joint.coef_, pooled(X).coef_, atol=1e-4)
    np.testing.assert_allclose(joint.intercept_, pooled(X).intercept_, atol=1e-4)


def test_columns_may_be_measured_in_anything() -> None:
    units = np.array([1e-3, 1.0, 30.0, 1e6, 0.1])
    x = X.to_numpy() * units + [0, 50, -9, 1e6, 2]
    joint = JointLogisticRegression(PARTIES).fit(pd.DataFrame(x, columns=X.columns), Y)
    plain = JointLogisticRegression(PARTIES, backend="plain").fit(pd.DataFrame(x, columns=X.columns), Y)
    np.testing.assert_allclose(joint.coef_ * units, plain.coef_ * units, atol=1e-4)
    np.testing.assert_allclose(joint.predict_proba(X)[:, 0], plain.predict_proba(X)[:, 0], atol=1e-4)


def test_columns_that_add_up_to_another_partys_lead_no_unpenalised_fit_astray() -> None:
    x, y = make_classification(80, 6, n_informative=2, n_redundant=3, flip_y=0.3, random_state=0)
    x = np.column_stack([x, np.full(80, 0.1)])
    joint = JointLogisticRegression(C=np.inf).fit(x, y)
    plain = JointLogisticRegression(C=1e4, backend="plain").fit(x, y)
    np.testing.assert_allclose(joint.predict_proba(x), plain.predict_proba(x), atol=1e-3)
    assert np.abs(joint.coef_).max() < 10
    assert joint.coef_[0, 6] == 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e9])
def test_rows_count_in_the_regression_what_they_count_in_scikit_learns(scale: float) -> None:
    want = pooled(X, scale * WEIGHT)
    for backend, close in (("protocol", 1e-4), ("plain", 1e-9)):
        found = JointLogisticRegression(TWO_HOSTS, backend=backend).fit(X, Y, sample_weight=scale * WEIGHT)
        np.testing.assert_allclose(found.coef_, want.coef_, atol=close)
        np.testing.assert_allclose(found.intercept_, want.intercept_, atol=close)
    assert found.score(X, Y, sample_weight=WEIGHT) == want.score(X, Y, sample_weight=WEIGHT)
    assert np.abs(want.coef_ - pooled(X).coef_).max() > 0.1


@pytest.mark.parametrize("backend", ["protocol", "plain"])
def test_a_row_of_weight_zero_is_as_none_whatever_is_in_it(backend: str) -> None:
    counted = WEIGHT > 0
    # What a column was divided by, or that it is constant where rows count, would tell of the others.
    x = np.where(counted[:, None], X, 1e12)
    x[counted, 3] = 0.7
    model = JointLogisticRegression({"insurer": [3, 0]}, backend=backend)
    coefficients = model.fit(x, Y, sample_weight=WEIGHT).coef_
    assert coefficients[0, 3] == pytest.approx(0, abs=1e-12)
    alone = model.fit(x[counted], Y[counted], sample_weight=WEIGHT[counted])
    np.testing.assert_array_equal(coefficients, alone.coef_)


def test_a_fit_that_is_cut_short_says_so() -> None:
    with pytest.warns(ConvergenceWarning, match=r"in 2 gradients: raise max_iter"):
        joint = JointLogisticRegression(PARTIES, max_iter=2).fit(X, Y)
    assert joint.n_iter_ == [2]


def test_the_trees_together_are_the_pooled_ones_node_by_node(trees: JointGradientBoosting) -> None:
    plain = JointGradientBoosting(TWO_HOSTS, n_estimators=4, max_depth=3, backend="plain").fit(X, Y)
    assert trees.trees_ == plain.trees_
    assert trees.parties_ == {"guest": [1, 2], "lender": [4], "insurer": [3, 0]}
    assert {c.split.column for tree in trees.trees_ for c in tree.chosen.values()} == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(trees.decision_function(X), plain.decision_function(X))
    np.testing.assert_array_equal(trees.feature_importances_, plain.feature_importances_)
    assert trees.feature_importances_.sum() == pytest.approx(1)


def test_weighted_and_sampled_trees_of_columns_with_blanks_are_the_pooled_ones() -> None:
    x = X.mask(X > 1.2)
    rules: dict[str, Any] = {"n_estimators": 4, "subsample": 0.5, "random_state": 7}
    fits = [
        JointGradientBoosting(PARTIES, backend=backend, **rules).fit(x, Y, sample_weight=WEIGHT)
        for backend in ("protocol", "plain")
    ]
    assert fits[0].trees_ == fits[1].trees_
    others = [
        JointGradientBoosting(PARTIES, backend="plain", **(rules | changed)).fit(x, Y, sample_weight=w)
        for changed, w in (({"random_state": 8}, WEIGHT), ({}, None))
    ]
    assert all(other.trees_ != fits[0].trees_ for other in others)


def test_a_party_without_columns_takes_part_all_the_same() -> None:
    everything = {"insurer": list(X.columns)}
    joint = JointLogisticRegression(everything).fit(X, Y)
    np.testing.assert_allclose(joint.coef_, pooled(X).coef_, atol=1e-4)
    trees, plain = (
        JointGradientBoosting(
            everything, n_estimators=2, min_child_weight=0, guest_grows_first=False, backend=backend
        ).fit(X, Y)
        for backend in ("protocol", "plain")
    )
    assert trees.trees_ == plain.trees_
    assert all(tree.chosen for tree in trees.trees_)


# --- view: who learned what, and what stays ---


def test_the_ledger_says_who_told_whom_what(
    joint: JointLogisticRegression, trees: JointGradientBoosting
) -> None:
    for model, parties in ((joint, {"guest", "insurer"}), (trees, {"guest", "insurer", "lender"})):
        told = {(entry["from"], entry["to"], entry["message"]) for entry in model.ledger_}
        assert {who for who, _, _ in told} == {*parties, "arbiter"}
        assert {("arbiter", name, "SharedKey") for name in parties} <= told
        assert {to for _, to, message in told if message == "DecryptedSums"} == (
            parties if model is joint else {"guest"}
        )
        kinds = {"EncryptedResiduals", "EncryptedGradients"}
        rows = [entry for entry in model.ledger_ if entry["message"] in kinds]
        assert rows
        assert all(entry["plain_numbers"] == 0 for entry in rows)
    assert JointLogisticRegression(backend="plain").fit(X, Y).ledger_ == []


def test_no_private_key_outlives_the_fit() -> None:
    def keys() -> int:
        gc.collect()
        return sum(isinstance(thing, PrivateKey) for thing in gc.get_objects())

    before = keys()
    kept = JointGradientBoosting(PARTIES, n_estimators=2).fit(X, Y)
    assert keys() == before
    assert kept.n_iter_ == 2


# --- in scikit-learn's company ---


def test_both_serve_in_a_pipeline_a_search_and_a_cross_validation() -> None:
    model = make_pipeline(StandardScaler(), JointLogisticRegression({"insurer": [3, 0]}, backend="plain"))
    search = GridSearchCV(model, {"jointlogisticregression__C": [0.01, 1.0]}, scoring="roc_auc").fit(X, Y)
    weighted = search.best_estimator_.fit(X, Y, jointlogisticregression__sample_weight=WEIGHT)[-1]
    assert weighted.intercept_ != search.fit(X, Y).best_estimator_[-1].intercept_
    search.best_estimator_.set_params(jointlogisticregression__backend="protocol")
    assert cross_val_score(search.best_estimator_, X, Y, cv=2, scoring="roc_auc").mean() > 0.6
    trees = JointGradientBoosting(TWO_HOSTS, n_estimators=2)
    assert cross_val_score(trees, X, Y, cv=2, scoring="roc_auc").mean() > 0.5


def test_importing_vfl_waits_for_scikit_learn_until_an_estimator_is_asked_for() -> None:
    for code, there in (("", False), ("vfl.JointGradientBoosting;", True)):
        told = f"import sys, vfl; {code} print('sklearn' in sys.modules)"
        ran = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
        assert ran.stdout == f"{there}\n"
    with pytest.raises(ImportError, match="JointForest"):
        from vfl import JointForest  # type: ignore[attr-defined]  # noqa: F401


# --- hostile: what cannot be fitted ---


@pytest.mark.parametrize(
    ("parties", "said"),
    [
        ({"insurer": ["age"]}, "'age' is no column of a, b, c, d, e"),
        ({"insurer": [5]}, "there is no column 5: X has 5, from 0 on"),
        ({"insurer": ["a", 0]}, "more than once: a"),
        ({"insurer": ["a"], "lender": ["a"]}, "more than once: a"),
        ({"guest": ["a"], "insurer": ["b"]}, "these are nobody's: c, d, e"),
        ({"guest": ["a"]}, "these are nobody's"),
        ({}, "a joint model needs a host"),
        ({"insurer": []}, "each host a column"),
        ({"arbiter": ["a"]}, "the arbiter has no columns"),
    ],
)
def test_a_map_that_gives_no_parties_their_columns_is_refused(parties: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        JointLogisticRegression(parties, backend="plain").fit(X, Y)


def test_more_hosts_than_a_run_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="9 hosts, a run takes 8"):
        JointLogisticRegression({f"host{k}": [k] for k in range(9)}).fit(np.hstack([X, X]), Y)


def test_names_of_an_array_that_has_none_are_refused() -> None:
    with pytest.raises(ValueError, match="X has no names: give positions"):
        JointLogisticRegression({"insurer": ["a"]}, backend="plain").fit(X.to_numpy(), Y)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_estimators": 0}, "n_estimators is 0, and must be from 1"),
        ({"max_depth": 9}, "max_depth is 9, and must be from 1 to 8"),
        ({"max_bins": 1}, "max_bins is 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"subsample": 1.5}, "subsample is 1.5"),
        ({"gamma": float("nan")}, "gamma is nan"),
        ({"backend": "cipher"}, "backend is 'cipher', and is one of protocol, plain"),
    ],
)
def test_what_no_trees_are_grown_by_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        JointGradientBoosting(**changed).fit(X, Y)


@pytest.mark.parametrize(
    ("changed", "said"), [({"C": 0}, "C is 0"), ({"tol": 0.0}, "tol"), ({"max_iter": 0}, "1")]
)
def test_what_no_regression_is_fitted_by_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        JointLogisticRegression(**changed).fit(X, Y)


@pytest.mark.parametrize("kind", [JointLogisticRegression, JointGradientBoosting])
@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (np.where(np.arange(ROWS) == 7, -1.0, 1.0), "sample_weight has negative numbers"),
        (np.where(np.arange(ROWS) == 7, np.nan, 1.0), "sample_weight contains NaN"),
        (np.ones(ROWS - 1), r"sample_weight.shape == \(119,\), expected \(120,\)"),
        (np.zeros(ROWS), "zero"),
        ((Y == "bad") * 1.0, "one class"),
    ],
)
def test_weights_of_which_no_model_comes_are_refused(kind: Any, weight: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind(backend="plain").fit(X, Y, sample_weight=weight)


def test_weights_beyond_the_fixed_point_of_trees_are_refused() -> None:
    with pytest.raises(ValueError, match="above 1000: divide all by the largest"):
        JointGradientBoosting(backend="plain").fit(X, Y, sample_weight=np.full(ROWS, 1001.0))
