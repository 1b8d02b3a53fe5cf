"""What is foretold of several hosts, and of two parties without an arbiter, is what such runs send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import test_crossed_programs
import test_several_regression
from program_runs import BANK, INSURER, run_of

from parties.config.job import Job
from parties.cost.descent import Outlook
from parties.cost.estimate import cost, shape_of
from parties.cost.phases import phases
from parties.cost.shape import Columns, Forest, Regression, Shape
from parties.cost.work import Rates
from parties.inspection import described
from parties.programs import arbiter, host
from parties.programs.training import training
from vfl.table.table import Table
from vfl.wire.memory import Transcript, run_in_memory

OTHERS = ("ecdh", "several", "pairing")
"""Phases in which nothing is under a Paillier key."""


def check(agreed: Job, tables: Mapping[str, Table], told: Transcript) -> None:
    """Compare ciphertexts and bytes with those of the ledgers."""
    entries = [entry for ledger in told.ledgers.values() for entry in ledger.as_json()]
    sealed = [
        e["sealed_values"] for e in entries if e["phase"] not in OTHERS and e["message"] != "DecryptedSums"
    ]
    found = [{"party": name, "train": described(agreed, table)} for name, table in tables.items()]
    facts = told.results["bank"].facts
    shape = shape_of(agreed, found, facts["rows"]["train"])
    assert shape is not None
    assert isinstance(shape.model, Regression)
    expected = list(phases(replace(shape, model=replace(shape.model, degrees=tuple(facts["degrees"])))))
    assert sum(p.ciphertexts for p in expected) == pytest.approx(sum(sealed), rel=0.03)
    assert sum(p.sent for p in expected) == pytest.approx(sum(e["bytes"] for e in entries), rel=0.05)


def test_two_parties_without_an_arbiter_send_what_is_foretold() -> None:
    sections = "features: {bins: 3}\nmodel: {tolerance: 0.05}"
    check(
        test_crossed_programs.alone(sections),
        {"bank": BANK, "insurer": INSURER},
        test_crossed_programs.trained(sections),
    )


def test_two_hosts_send_what_is_foretold(tmp_path: Path) -> None:
    agreed = test_several_regression.agreed(tmp_path)
    agreed = agreed.model_copy(update={"disclosure": agreed.disclosure.model_copy(update={"metrics": ()})})
    tables = test_several_regression.TABLES
    roles: dict[str, Any] = {
        "bank": training(run_of(agreed, "bank"), BANK),
        "trustee": arbiter.training(run_of(agreed, "trustee")),
    }
    roles |= {name: host.training(run_of(agreed, name), tables[name]) for name in agreed.hosts}
    check(agreed, tables, run_in_memory(roles))


def test_who_decrypts_for_whom_is_counted_where_there_is_no_arbiter() -> None:
    shape = Shape(1200, 1000, 800, Columns(5, 10), (Columns(4, 8),), Regression((2, 4, 6), crossed=True))
    found = {phase.name: phase for phase in phases(shape)}
    fit, woe = found["regression"], found["woe"]
    assert fit.arbiter.decrypt == woe.arbiter.decrypt == 0 < woe.guest.decrypt
    rows_a_plaintext = 2046 // (42 + 128 + 3)
    assert fit.hosts[0].decrypt == 3 * (-(-800 // rows_a_plaintext) + shape.gradient(shape.guest))
    assert fit.guest.refresh > 3 * 800 / rows_a_plaintext
    assert [found["key"].guest.key, found["key"].hosts[0].key] == [1, 1]


def test_more_hosts_take_higher_degrees_and_more_turns() -> None:
    one, two = (Outlook(13, 7, hosts, 0.08, 1.1).degrees(1e-2, 7) for hosts in (1, 2))
    # the demo's insurer alone 24 to 30, with a lender that has half of its columns 38 to 49
    assert 20 < sum(one) < 31 < 35 < sum(two) < 50
    single = Shape(1200, 1000, 800, Columns(5, 10), (Columns(4, 8),), Regression((2, 4)))
    both = replace(single, hosts=single.hosts * 2)
    trips = [cost(shape, Rates()).trips for shape in (single, both)]
    assert trips == [2 + 3 + 2 + 1 + 2 * 5, 2 + 8 + 4 + 1 + 2 * 6]
    # default_credit without an arbiter, 17,975 rows and 11 gradients: 84.5 by the audit logs
    large = replace(single, rows=17_975, model=Regression((2,) * 11, crossed=True))
    assert cost(large, Rates()).trips == 2 + 3 + 1 + 1 + 11 * (5 + 2)


def test_trees_take_a_turn_less_a_level_where_the_guest_decrypts() -> None:
    # german, 15 trees of depth 4: 167.5 and 106.5 by the audit logs
    shape = Shape(700, 625, 625, Columns(10, 10), (Columns(10, 10),), Forest(15, 4))
    alone = replace(shape, model=Forest(15, 4, guest_decrypts=True))
    assert [cost(s, Rates()).trips for s in (shape, alone)] == pytest.approx([167.5, 106.5], rel=0.02)


def test_a_gradient_of_a_sample_costs_its_share_of_the_rows() -> None:
    def powers(model: Regression) -> float:
        shape = Shape(300_000, 250_000, 200_000, Columns(5, 10), (Columns(4, 8),), model)
        return next(phase for phase in phases(shape) if phase.name == "regression").guest.power

    for crossed in (False, True):
        sampled = powers(Regression((2, 4, 6, 8), crossed=crossed, sampled=2))
        assert sampled == 20_000 * 6 + 200_000 * 14
