"""A fit that begins on a sample of the rows ends where all rows have it end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crossed_runs import crossed_roles
from hostile import tampered
from hosts_runs import several_logistic_roles
from numpy.typing import NDArray
from program_runs import JOB, train
from protocol_runs import logistic_roles
from protocol_tables import ROWS, Roles, X, Y
from regression_runs import sample_roles
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from test_lasting import Stage
from test_signs import lives

from parties.config.job import Job
from parties.config.schema import validated
from parties.config.yaml import parse
from parties.contract.words import learning
from parties.programs.earlier import Earlier
from parties.report import render
from vfl.errors import ProtocolError
from vfl.linear import sample, whitening
from vfl.linear.bfgs import Bfgs
from vfl.linear.logistic import Rules, Step
from vfl.linear.sigmoid import sigmoid
from vfl.table.table import Numeric, Table
from vfl.wire.memory import Transcript, run_in_memory

RULES = Rules(1e-5, 40, sample=ROWS // 2)

WAYS: dict[str, Callable[[Rules], Roles]] = {
    "with an arbiter": lambda rules: logistic_roles(rules=rules),
    "without": lambda rules: crossed_roles(Y, rules=rules),
    "of two hosts": lambda rules: several_logistic_roles(2, Y, rules=rules),
}


def columns_in(way: str) -> NDArray[np.float64]:
    """Return the columns that all parties have together."""
    of_two = np.random.default_rng(7).normal(scale=0.4, size=(ROWS, 3)).round(1)
    return of_two if way == "of two hosts" else X


def joint(run: Transcript) -> NDArray[np.float64]:
    """Return all coefficients, the guest's first."""
    halves = [result for name, result in sorted(run.results.items()) if name != "arbiter"]
    return np.concatenate([half.coefficients for half in halves])


def rows_of(run: Transcript, host: str = "host") -> list[int]:
    """Return of how many rows each gradient but the first is to be."""
    return [sent.message.rows for sent in run.views[host] if isinstance(sent.message, Step)]


@pytest.mark.parametrize("way", list(WAYS))
def test_the_coefficients_are_the_pooled_ones(way: str) -> None:
    run = run_in_memory(WAYS[way](RULES))
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(columns_in(way), Y)
    np.testing.assert_allclose(joint(run), [*pooled.intercept_, *pooled.coef_[0]], atol=1e-4)
    fits = [result for name, result in run.results.items() if name != "arbiter"]
    assert fits[0].converged
    assert len({(fit.sampled, fit.gradients) for fit in fits}) == 1
    assert 0 < fits[0].sampled < min(10, fits[0].gradients)


@pytest.mark.parametrize("way", ["with an arbiter", "without"])
def test_every_step_is_the_one_that_the_rows_in_the_clear_would_have(way: str) -> None:
    """Two gradients are of the first rows, counted for all; two of all rows go on with their pairs."""
    run = run_in_memory(WAYS[way](replace(RULES, tolerance=1e-9, max_iter=4)))
    parts = [np.column_stack([np.ones(ROWS), X[:, :2]]), X[:, 2:]]
    penalties = [np.array([0.0, 1, 1]), np.ones(3)]
    lowers = [whitening.factor(x, p) for x, p in zip(parts, penalties, strict=True)]
    weights, gradients, optimiser = [np.zeros(3), np.zeros(3)], list[list[Any]](), Bfgs()
    for k, rows in enumerate([RULES.sample] * 2 + [ROWS] * 2):
        r = sigmoid(sum(x @ w for x, w in zip(parts, weights, strict=True)))[:rows] - Y[:rows]
        gradients.append(
            [
                whitening.to_white(lower, ROWS / rows * (x[:rows].T @ r) + p * w)
                for lower, x, p, w in zip(lowers, parts, penalties, weights, strict=True)
            ]
        )
        products = [sum(a @ b for a, b in zip(gradients[-1], g, strict=True)) for g in gradients]
        step = optimiser.step(np.array(products))
        if k == 1:
            optimiser.turn()
        for j, lower in enumerate(lowers):
            moved = whitening.from_white(lower, step @ np.array([g[j] for g in gradients]))
            weights[j] = weights[j] + moved
    assert rows_of(run) == [RULES.sample, ROWS, ROWS, ROWS]
    np.testing.assert_allclose(joint(run), np.concatenate(weights), atol=5e-3)


def test_two_thirds_of_the_iterations_are_for_all_rows() -> None:
    never_settled = run_in_memory(logistic_roles(rules=Rules(1e-9, 6, sample=10)))
    assert rows_of(never_settled) == [10, *[ROWS] * 5]


def test_the_noise_foretold_is_what_a_sample_is_off_by() -> None:
    rng = np.random.default_rng(3)
    n, d, k = 6000, 8, 600
    x = rng.normal(size=(n, d))
    y = (rng.random(n) < 0.3).astype(np.int8)
    r, lower = y.mean() - y, whitening.factor(x, np.zeros(d))
    off = []
    for _ in range(30):
        rows = rng.permutation(n)[:k]
        difference = n / k * x[rows].T @ r[rows] - x.T @ r
        off.append(np.sum(whitening.to_white(lower, difference) ** 2))
    assert np.sqrt(np.mean(off)) == pytest.approx(sample.noise(k, x, y), rel=0.15)


@pytest.mark.parametrize("change", [lambda rows: 10, lambda rows: 0, lambda rows: ROWS + 1])
def test_a_guest_that_asks_for_other_rows_than_agreed_is_blamed(change: Callable[[int], int]) -> None:
    roles = logistic_roles(rules=RULES)
    cheat = tampered(roles["guest"], Step, lambda m: replace(m, rows=change(m.rows)))
    with pytest.raises(ProtocolError, match="asked for a gradient of other rows than were agreed") as no:
        run_in_memory(roles | {"guest": cheat})
    assert no.value.peer == "guest"


def test_a_guest_does_not_get_back_to_the_sample() -> None:
    roles = logistic_roles(rules=Rules(1e-9, 4, sample=30))
    cheat = tampered(roles["guest"], Step, lambda m: replace(m, rows=30), nth=3)
    with pytest.raises(ProtocolError, match="of other rows than were agreed"):
        run_in_memory(roles | {"guest": cheat})


@pytest.mark.parametrize(("rows", "own", "agreed"), [((30, 30), 30, 30), ((30, 0), 30, 0), ((30, 30), 0, 0)])
def test_one_closed_gate_has_all_begin_on_all_rows(rows: tuple[int, int], own: int, agreed: int) -> None:
    told = run_in_memory(sample_roles(*rows, own=own)).results
    assert set(told.values()) == {agreed}


def test_a_guest_that_samples_where_a_gate_is_closed_is_blamed() -> None:
    roles = sample_roles(0)
    cheat = tampered(roles["guest"], sample.Agreed, lambda m: sample.Agreed(30))
    with pytest.raises(ProtocolError, match="agreed on another sample than the first rows"):
        run_in_memory(roles | {"guest": cheat})


def tables(n: int, regions: int = 0) -> tuple[Table, Table]:
    """Return tables of the same training customers; one column has so many values, or is a measurement."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(n, 5)).round(3)
    if regions:
        x[:, 4] = rng.integers(0, regions, n)
    label = (rng.random(n) < sigmoid(x @ [0.8, -0.5, 0.6, 0.4, 0.1])).astype(np.int8)
    ids = np.array([f"c{k:05d}" for k in range(n)], object)
    split = np.array(["train"] * n, object)
    names = ("income", "tenure", "claims", "premium", "region")
    columns = {name: Numeric(x[:, j]) for j, name in enumerate(names)}
    own, theirs = dict(list(columns.items())[:2]), dict(list(columns.items())[2:])
    return Table(ids, dict(own), label, split, "bank.csv"), Table(ids, dict(theirs), None, None, "host.csv")


TEXT = """\
features: {kind: standard}
model: {sample_from: 1000, tolerance: 1.0e-4}
disclosure: {metrics: []}
"""


def agreed(text: str = TEXT, base: str = JOB) -> Job:
    """Return a job whose fits begin on samples from 1,000 rows."""
    return validated(Job, parse(base + text, Path("job.yaml")))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the parties keep what they remember."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def sampled(state: Path) -> Any:
    """A training of 1,500 rows that begins on 150."""
    return train(agreed(), *tables(1500), state=state)


def pooled(bank: Table, host: Table) -> list[float]:
    """Return the coefficients of the standardised columns, the guest's first."""
    columns = [column.values for table in (bank, host) for column in table.columns.values()]
    x = StandardScaler().fit_transform(np.column_stack(columns))
    fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x, bank.label)
    return [*fit.intercept_, *fit.coef_[0]]


def weights(ours: Any, theirs: Any) -> list[float]:
    """Return the coefficients of both halves."""
    return [*ours.half.weights.values(), *theirs.half.weights.values()]


def test_a_training_begins_on_a_tenth_of_its_rows_where_gates_are_open(sampled: Any) -> None:
    ours, theirs, told = sampled
    assert rows_of(told, "insurer")[0] == 150
    assert rows_of(told, "insurer")[-1] == 1500
    assert 0 < ours.facts["sampled"] < ours.facts["iterations"]
    np.testing.assert_allclose(weights(ours, theirs), pooled(*tables(1500)), atol=2e-4)
    assert "of them on a sample of the rows" in render(ours.facts, [], {})


def test_who_signs_a_contract_reads_from_how_many_rows_samples_are_taken() -> None:
    for lines in learning(agreed()).values():
        assert any("of 1,000 training rows or more" in line for line in lines) == ("gradient" in str(lines))


def test_sums_over_a_sample_count_as_other_columns_for_later_runs(state: Path, sampled: Any) -> None:
    assert sampled[0].facts["sampled"]
    counted = Earlier(state / "bank").kept("run 1").columns["insurer"]
    assert sorted(counted.values()) == [3, 3]


ROUGH = TEXT.replace("1.0e-4", "0.1")


@pytest.fixture(scope="module")
def second(state: Path, sampled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the parties keep once a second training has begun on a sample of its own."""
    assert sampled[0].facts["sampled"]
    both = tmp_path_factory.mktemp("both")
    shutil.copytree(state, both, dirs_exist_ok=True)
    assert train(agreed(ROUGH), *tables(1500), id="run 2", state=both, seeded=True)[0].facts["sampled"]
    return both


@pytest.mark.parametrize("whose", ["bank", "insurer"])
def test_a_sample_that_is_nearly_an_earlier_one_to_guest_or_host_is_not_taken(
    state: Path, second: Path, tmp_path: Path, whose: str
) -> None:
    """The second training once more, but that the first had its sample, with one other customer in it."""
    shutil.copytree(state, tmp_path, dirs_exist_ok=True)
    records = Earlier(tmp_path / whose)
    nearly = Earlier(second / whose).kept("run 2").sampled.copy()
    assert nearly.sum() == 150
    nearly[[np.flatnonzero(nearly)[0], np.flatnonzero(~nearly)[0]]] ^= True
    records.keep(replace(records.kept("run 1"), sampled=nearly))
    ours, _, _ = train(agreed(ROUGH), *tables(1500), id="run 2", state=tmp_path, seeded=True)
    assert ours.facts["sampled"] == 0


@pytest.mark.parametrize(
    "case",
    ["a rare value of the host's", "few of a class", "few that count", "folds"],
)
def test_a_closed_gate_or_folds_have_a_training_begin_on_all_rows(case: str) -> None:
    text = TEXT.replace("tolerance: 1.0e-4", "tolerance: 0.1")
    bank, insurer = tables(1500, regions=4 if case.startswith("a rare") else 0)
    if case.startswith("few that"):
        rng = np.random.default_rng(5)
        more = {f"more {k}": Numeric(rng.normal(size=1500).round(3)) for k in range(11)}
        bank = replace(bank, columns=bank.columns | more, weight=rng.choice([0.0, 1.25], 1500, p=[0.2, 0.8]))
    if case == "few of a class":
        bank = replace(bank, label=(np.arange(1500) % 8 == 0).astype(np.int8))
    if case == "folds":
        text = text.replace("tolerance", "cv: {folds: 2, Cs: [0.5, 1.0]}, tolerance")
    gates = "gates: {allow: [many_iterations, few_rows, rare_values]}\n"
    ours, _, told = train(agreed(text + gates), bank, insurer)
    assert ours.facts["sampled"] == 0
    assert min(rows_of(told, "insurer")) > 600


def test_parties_that_die_while_a_sample_is_fitted_end_with_the_pooled_model(
    sampled: Any, tmp_path: Path
) -> None:
    named = JOB.replace("bank", "guest").replace("insurer", "host").replace("trustee", "arbiter")
    bank, insurer = tables(1500)
    roles = lives(agreed(base=named), bank, insurer)
    deaths = {"guest": [second_step(sampled[2], "bank")], "host": [second_step(sampled[2], "insurer")]}
    told = Stage(tmp_path, roles=roles).play(deaths)
    assert told["guest"].facts["sampled"] > 1
    np.testing.assert_allclose(weights(told["guest"], told["host"]), pooled(bank, insurer), atol=2e-4)


def second_step(told: Transcript, name: str) -> int:
    """Return how many messages a party has sent and received when it moves its coefficients again."""
    return [k for k, sent in enumerate(told.views[name]) if isinstance(sent.message, Step)][1]
