"""Columns of the wrong sign leave a model one by one, as they would leave the pooled one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program_runs import BANK, CUSTOMERS, INSURER, JOB, by_id, changed, job, train
from regression_runs import signs_roles
from sklearn.linear_model import LogisticRegression
from test_lasting import Stage

from parties.config.job import Job
from parties.config.party import Data, Identity, Party
from parties.config.resources import Compute
from parties.config.schema import validated
from parties.config.yaml import parse
from parties.contract.words import learning
from parties.programs import arbiter, host
from parties.programs.lasting import Recorded
from parties.programs.model import columns_of
from parties.programs.run import Run
from parties.programs.training import training
from parties.progress import Silent
from parties.report import render
from parties.report.content import left_out
from vfl.errors import ConfigError, ContractError, DataError, ProtocolError
from vfl.linear.signs import Leaver
from vfl.stats.binned import Bins
from vfl.stats.counted import CountedBins
from vfl.table.table import Table
from vfl.wire.flow import Role
from vfl.wire.journal import Journal
from vfl.wire.memory import run_in_memory

DROP = """\
features: {bins: 3, selection: {sign: drop}}
model: {C: 1000, tolerance: 1.0e-5}
disclosure: {metrics: [], host_columns: named}
encryption: {randomiser_bits: 320}
"""


def tables() -> tuple[Table, Table]:
    """Return a column of the bank and one of the insurer that tell less than nothing beside the others."""
    income, claims, age = np.zeros((3, CUSTOMERS))
    for values, name, table in ((income, "income", BANK), (claims, "claims", INSURER), (age, "age", BANK)):
        values[[int(c[1:]) for c in table.ids]] = table.columns[name].values
    # More of it is riskier, as income is; at a given income it counts claims, which are safer.
    bank = changed(BANK, "mixed", 3 * income + 2 * claims)
    blend = np.floor(1.3 * age + np.random.default_rng(3).normal(0, 4, CUSTOMERS) + 6 * claims)
    return bank, changed(changed(INSURER, "claims", np.arange(CUSTOMERS) % 3.0), "blend", blend)


TABLES = tables()


def pooled() -> tuple[list[str], dict[str, float]]:
    """Return the columns that leave the pooled model by the same rule, in order, and its coefficients."""
    table = [by_id(table) for table in TABLES]
    y, rows = table[0].label, table[0].split == "train"
    woe, values, left = {}, {}, list[str]()
    for name, column in {**columns_of(table[0]), **columns_of(table[1])}.items():
        bins = Bins.fit({name: column}, rows, 3)
        (slots,) = bins.slots_of({name: column})
        counted = CountedBins.of(bins.of[name], slots[rows], y[rows])
        woe[name], values[name] = counted.woe[slots][rows], counted.information_value
    while True:
        x = np.column_stack(list(woe.values()))
        fit = LogisticRegression(C=1000, solver="newton-cholesky", tol=1e-12).fit(x, y[rows])
        weights = dict(zip(woe, fit.coef_[0].tolist(), strict=True))
        wrong = [name for name, weight in weights.items() if weight < 0]
        if not wrong:
            return left, {"intercept": float(fit.intercept_[0])} | weights
        left.append(min(wrong, key=lambda name: values[name]))
        del woe[left[-1]]


@pytest.fixture(scope="module")
def dropped() -> Any:
    """A training whose parties have a column of the wrong sign each."""
    return train(job(DROP), *TABLES)


def test_the_pooled_model_loses_the_same_columns_and_ends_with_the_same_coefficients(dropped: Any) -> None:
    ours, theirs, _ = dropped
    left, weights = pooled()
    assert left == ["mixed", "blend"]
    together = ours.half.weights | theirs.half.weights
    assert together.keys() == weights.keys()
    np.testing.assert_allclose([together[name] for name in weights], list(weights.values()), atol=1e-4)


def test_the_books_say_what_left_and_why(dropped: Any) -> None:
    ours, theirs, _ = dropped
    assert ours.facts["left_out"]["host"] == ["blend"]
    assert list(ours.facts["left_out"]["guest"]) == ["mixed"]
    assert theirs.facts["left_out"]["host"].keys() == {"blend"}
    assert theirs.facts["left_out"]["host"]["blend"].startswith("its coefficient was -")
    assert "mixed" in ours.facts["guest_only_coefficients"]
    assert ours.facts["iterations"] == len(ours.facts["degrees"]) <= 40


def test_the_report_lists_what_left(dropped: Any) -> None:
    ours, _, _ = dropped
    facts = {"parties": {"bank": "guest", "insurer": "host"}, **ours.facts}
    own, partners = left_out(facts)
    assert own == {"column": "mixed", "holder": "bank", "why": ours.facts["left_out"]["guest"]["mixed"]}
    assert (partners["column"], partners["holder"]) == ("blend", "insurer")
    assert own["why"] in render(facts, [], {})


def test_halves_hold_no_column_that_left(dropped: Any) -> None:
    ours, theirs, _ = dropped
    assert "mixed" not in ours.half.levels
    assert "blend" not in theirs.half.levels
    x = theirs.half.features.transform(columns_of(INSURER))
    np.testing.assert_allclose(theirs.half.logit(INSURER), x @ list(theirs.half.weights.values()))


def test_a_guest_learns_only_the_least_telling_columns_of_the_wrong_sign(dropped: Any) -> None:
    _, _, told = dropped
    entries = {entry["message"]: entry for entry in told.ledgers["insurer"].as_json()}
    assert entries["WrongSign"]["messages"] == 4
    assert any("which of the hosts' columns enter" in line for line in learning(job(DROP))["the guest"])


def test_gradients_that_are_spent_before_all_signs_are_right_end_the_run() -> None:
    few = DROP.replace("tolerance: 1.0e-5", "tolerance: 1.0e-5, max_iter: 3")
    with pytest.raises(DataError, match="3 gradients are spent before all signs are right"):
        train(job(few), *TABLES)


def test_a_host_that_loses_columns_by_sign_meets_the_gate_of_few_columns() -> None:
    names = ("region", "blend", "premium")
    insurer = TABLES[1].__class__(
        TABLES[1].ids, {n: TABLES[1].columns[n] for n in names}, None, None, "insurer.csv"
    )
    with pytest.raises(ContractError, match="columns: 2 take part"):
        train(job(DROP), TABLES[0], insurer)


def test_standard_errors_of_what_was_selected_by_sign_are_refused() -> None:
    said = "standard_errors: they say too little where features.selection.sign drops columns"
    with pytest.raises(ConfigError, match=said):
        job("features: {selection: {sign: drop}}\ndisclosure: {standard_errors: true}")


# --- protocol ---


@pytest.mark.parametrize(
    ("worst", "own", "leaver"),
    [
        ((-1, -1), None, None),
        ((-1, -1), 0.3, Leaver(0, -1)),
        ((0, 1), 0.3, Leaver(2, 1)),
        ((0, -1), None, Leaver(1, 0)),
        ((1, 1), 0.2, Leaver(0, -1)),
    ],
)
def test_of_all_columns_named_the_least_telling_leaves(
    worst: tuple[int, ...], own: float | None, leaver: Leaver | None
) -> None:
    told = run_in_memory(signs_roles(*worst, own=own)).results
    assert told["guest"] == leaver
    assert told["arbiter"] == (leaver is not None)
    yours = [told[f"host{k + 1}"].yours for k in range(len(worst))]
    assert yours == [leaver is not None and leaver.party == k + 1 for k in range(len(worst))]


def test_a_host_that_names_a_column_outside_of_the_model_is_blamed() -> None:
    with pytest.raises(ProtocolError, match="host1: named a column that is not in the model"):
        run_in_memory(signs_roles(2))


# --- a party that dies ---


def lives(agreed: Job, bank: Table, insurer: Table) -> dict[str, Any]:
    """Return the programs of a small job whose parties are called as their roles."""
    nowhere = Path("nowhere")
    table = {"guest": bank, "host": insurer}

    def run(name: str, journal: Journal) -> Run:
        data = Data(table=nowhere, label="label") if name in table else None
        identity = Identity(certificate=nowhere, key=nowhere)
        own = Party(vfl=1, party=name, data=data, identity=identity, peers={}, compute=Compute(processes=1))
        return Run.begin(agreed, own, "run 1", "train", Silent(), rng=Recorded(journal), steps=journal)

    def guest(journal: Journal) -> Role[Any]:
        return training(run("guest", journal), table["guest"])

    def other(journal: Journal) -> Role[Any]:
        return host.training(run("host", journal), table["host"])

    return {
        "guest": guest,
        "host": other,
        "arbiter": lambda journal: arbiter.training(run("arbiter", journal)),
    }


def test_parties_that_die_between_fits_end_with_the_model_they_would_have_had(tmp_path: Path) -> None:
    named = JOB.replace("bank", "guest").replace("insurer", "host").replace("trustee", "arbiter")
    roles = lives(validated(Job, parse(named + DROP, Path("job.yaml"))), *TABLES)
    deaths = {"guest": [142, 130], "host": [141, 126], "arbiter": [74, 72]}
    told = Stage(tmp_path, roles=roles).play(deaths)
    _, weights = pooled()
    together = told["guest"].half.weights | told["host"].half.weights
    assert together.keys() == weights.keys()
    np.testing.assert_allclose([together[name] for name in weights], list(weights.values()), atol=1e-4)
