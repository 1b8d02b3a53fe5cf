"""Programs of linear, Poisson and gamma regressions: the pooled coefficients, measures, scores, exports."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program_runs import BANK, INSURER, by_id, job, run_of
from sklearn.linear_model import GammaRegressor, PoissonRegressor, Ridge
from sklearn.metrics import d2_tweedie_score, mean_tweedie_deviance

from parties.exports.halves import described, exported
from parties.programs import arbiter, guest, host
from parties.programs.batch import Batch
from parties.programs.files import publish
from parties.programs.model import Half, columns_of
from parties.programs.outcomes import training
from parties.programs.scores import score_columns
from parties.report.page import render
from vfl.errors import ConfigError, ContractError
from vfl.linear.family import FAMILIES
from vfl.stats.outcomes import deviance_gain, deviances
from vfl.stats.scorecard import Scorecard
from vfl.table.table import Table
from vfl.wire.memory import run_in_memory

Regressor = Ridge | PoissonRegressor | GammaRegressor


def bank(kind: str) -> Table:
    """Return the bank's table with an outcome for a label: sums, claims in some years, or claims' sizes."""
    rng, n = np.random.default_rng(21), len(BANK)
    place = {customer: row for row, customer in enumerate(INSURER.ids)}
    claims = np.array([INSURER.columns["claims"].values[place[c]] if c in place else 0.0 for c in BANK.ids])
    u = 0.3 * BANK.columns["income"].values - 0.2 * claims + (BANK.columns["age"].values - 40) / 40
    plain = replace(BANK, label=None)
    if kind == "poisson":
        years = rng.uniform(0.2, 1.0, n)
        counts = rng.poisson(years * np.exp(0.6 * u + 1.0)).astype(np.float64)
        return replace(plain, outcome=counts, offset=np.log(years))
    weight = rng.integers(1, 4, n).astype(np.float64)
    if kind == "gamma":
        return replace(plain, outcome=np.exp(7 + u) * rng.gamma(2 * weight) / (2 * weight), weight=weight)
    return replace(plain, outcome=9e7 + 2e4 * u + 9e3 * rng.normal(size=n), weight=weight)


def rules(kind: str) -> Any:
    """Return a job for a regression whose halves may be compared."""
    more = f"model: {{kind: {kind}}}\nfeatures: {{kind: standard}}\n"
    return job(more + "disclosure: {joined_coefficients: true, scores: exact}", ["rare_values"])


@pytest.fixture(scope="module", params=["linear", "poisson", "gamma"])
def trained(request: pytest.FixtureRequest) -> tuple[str, Table, Any, Any]:
    """The kind, the bank's table, and what a training leaves at both parties."""
    kind, agreed = request.param, rules(request.param)
    table = bank(kind)
    runs = {name: run_of(agreed, name) for name in ("bank", "insurer", "trustee")}
    told = run_in_memory(
        {
            "bank": training(runs["bank"], table),
            "insurer": host.training(runs["insurer"], INSURER),
            "trustee": arbiter.training(runs["trustee"]),
        }
    )
    return kind, table, told.results["bank"], told.results["insurer"]


def pooled(kind: str, table: Table, ours: Any, theirs: Any) -> tuple[Regressor, np.ndarray, Table]:
    """Return scikit-learn's fit of the training rows of both, the pooled columns, and the bank's rows."""
    rows, other = by_id(table), by_id(INSURER)
    x = np.column_stack(
        [half.features.transform(columns_of(t)) for half, t in ((ours.half, rows), (theirs.half, other))]
    )
    train = rows.split == "train"
    assert rows.outcome is not None
    y, w = rows.outcome[train], np.ones(train.sum()) if rows.weight is None else rows.weight[train]
    if kind == "poisson":
        assert rows.offset is not None
        years = np.exp(rows.offset[train])
        fit: Regressor = PoissonRegressor(alpha=1 / years.sum(), solver="newton-cholesky", tol=1e-10)
        return fit.fit(x[train], y / years, sample_weight=years), x, rows
    if kind == "gamma":
        fit = GammaRegressor(alpha=1 / len(y), solver="newton-cholesky", tol=1e-10)
        return fit.fit(x[train], y, sample_weight=w), x, rows
    return Ridge(solver="cholesky").fit(x[train], y, sample_weight=w / w.mean()), x, rows


def test_both_halves_are_the_pooled_regression(trained: Any) -> None:
    kind, table, ours, theirs = trained
    fit, _, _ = pooled(kind, table, ours, theirs)
    joint = [*ours.half.weights.values(), *theirs.half.weights.values()]
    size = ours.half.unit
    wanted = np.array([fit.intercept_, *fit.coef_])
    np.testing.assert_allclose(np.array(joint) / size, wanted / size, atol=1e-4)
    shown = ours.facts["joint_coefficients"]
    assert [*shown["bank"].values(), *shown["insurer"].values()] == joint
    assert ours.facts["converged"] and size == (2.0**13 if kind == "linear" else 1.0)


def test_rows_of_weight_0_are_none_for_the_guests_columns() -> None:
    place = np.array([int(customer[1:]) for customer in BANK.ids])
    amounts = np.where(place % 2, 1.0, -1.0) * (1 + place / 1e6)
    table = replace(bank("linear"), outcome=amounts, weight=(place < 26).astype(np.float64))
    agreed = rules("linear")
    roles = {
        "bank": training(run_of(agreed, "bank"), table),
        "insurer": host.training(run_of(agreed, "insurer"), INSURER),
        "trustee": arbiter.training(run_of(agreed, "trustee")),
    }
    with pytest.raises(ContractError, match=r"bank: 2\d training rows for 3 model columns of bank"):
        run_in_memory(roles)


def test_measures_are_of_predictions_with_their_offsets(trained: Any) -> None:
    kind, table, ours, theirs = trained
    fit, x, rows = pooled(kind, table, ours, theirs)
    test = rows.split == "test"
    mu = fit.predict(x)
    found = ours.facts["splits"]["test"]["joint"]
    assert rows.outcome is not None
    if rows.offset is not None:
        mu = mu * np.exp(rows.offset)
    else:
        power, w = FAMILIES[kind].power, rows.weight[test]
        explained = d2_tweedie_score(rows.outcome[test], mu[test], sample_weight=w, power=power)
        assert found["d2"] == pytest.approx(explained, abs=1e-4)
    w = np.ones(test.sum()) if rows.weight is None else rows.weight[test]
    assert found["rows"] == test.sum()
    assert found["mean_prediction"] == pytest.approx(np.average(mu[test], weights=w), rel=1e-4)
    assert found["rmse"] == pytest.approx(
        np.sqrt(np.average((mu - rows.outcome)[test] ** 2, weights=w)), rel=1e-4
    )
    assert found["deviance"] < ours.facts["splits"]["test"]["guest_only"]["deviance"]
    tenths = ours.facts["validation"]["tenths"]["joint"]
    assert sum(row["rows"] for row in tenths) == test.sum()
    assert tenths[0]["lift"] > 1 > tenths[-1]["lift"]


def test_a_batch_gets_the_pooled_predictions(trained: Any, tmp_path: Path) -> None:
    kind, table, ours, theirs = trained
    fit, x, rows = pooled(kind, table, ours, theirs)
    agreed = rules(kind)
    for name, each in (("bank", ours), ("insurer", theirs)):
        publish(tmp_path / name, {"model.json": each.half.as_json()})
    of = {name: run_of(agreed, name, task="score") for name in ("bank", "insurer")}
    half = Half.load(tmp_path / "bank" / "model.json", agreed.regression.kind)
    roles = {
        "bank": guest.scoring_batch(of["bank"], Batch.of(table, half.levels), half),
        "insurer": host.scoring_batch(of["insurer"], INSURER, tmp_path / "insurer" / "model.json"),
    }
    scored = run_in_memory(roles).results["bank"]
    scores = score_columns(of["bank"], half, scored.common, scored.logit)
    assert list(scores) == ["id", "prediction"]
    order = np.argsort(scores["id"])
    np.testing.assert_array_equal(scores["id"][order], rows.ids)
    np.testing.assert_allclose(scores["prediction"][order], fit.predict(x), rtol=3e-4)


def test_a_half_leaves_as_its_part_of_the_predictor(trained: Any, tmp_path: Path) -> None:
    kind, _, _, theirs = trained
    publish(tmp_path, {"model.json": theirs.half.as_json()})
    path = tmp_path / "model.json"
    query = exported(path, "sql", Scorecard(), "customers", "id")
    assert isinstance(query, str) and ("logarithm" in query) == (kind != "linear")
    columns = {name: INSURER.columns[name].values for name in INSURER.columns}
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute(f"CREATE TABLE customers (id, {', '.join(columns)})")
        rows = zip(INSURER.ids, *(v.tolist() for v in columns.values()), strict=True)
        base.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", rows)
        found = dict(base.execute(query).fetchall())
    expected = theirs.half.logit(INSURER)
    np.testing.assert_allclose([found[i] for i in INSURER.ids], expected, atol=1e-12 * theirs.half.unit)
    assert described(path, Scorecard())["coefficients"] == theirs.half.weights
    with pytest.raises(ConfigError, match="predicts an amount, and has no points"):
        exported(path, "scorecard", Scorecard(), "customers", "id")


def test_the_report_speaks_of_deviance_and_not_of_bads(trained: Any) -> None:
    kind, _, ours, _ = trained
    page = render({"parties": {"bank": "guest", "insurer": "host"}} | ours.facts, [], ours.curves)
    assert "insurer lowers the deviance on the test rows" in page
    assert "; it gains " in page and "95 % interval" in page
    assert "Predictions by tenth" in page and "D²" in page
    assert not [word for word in ("AUC", "bad rate", "mean PD", "sigmoid") if word in page], kind


@pytest.mark.parametrize("power", [0, 1, 2])
def test_deviances_row_by_row_are_those_of_scikit_learn(power: int) -> None:
    rng = np.random.default_rng(3)
    y, joint, alone = (rng.gamma(2.0, size=400) for _ in range(3))
    y[:100] = np.where(power == 1, 0.0, y[:100])
    weight = rng.uniform(0.5, 2.0, 400)
    wanted = [mean_tweedie_deviance(y, mu, sample_weight=weight, power=power) for mu in (joint, alone)]
    found = deviance_gain(y, joint, alone, weight, power)
    assert found["gain"] == pytest.approx(wanted[1] - wanted[0])
    assert found["low"] < found["gain"] < found["high"]
    ones = np.ones(400)
    each = deviances(y, alone, power) - deviances(y, joint, power)
    reach = 1.96 * each.std() / 20
    assert deviance_gain(y, joint, alone, ones, power)["high"] == pytest.approx(each.mean() + reach, rel=1e-4)
