"""Benchmarks compare like with like, and their tables fit a terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from seeded import Seeded

from scripts.benchmarks import logistic, paillier
from scripts.benchmarks.arithmetic import inputs, ours, python_paillier
from scripts.benchmarks.arithmetic.inputs import Inputs
from scripts.benchmarks.measuring.answer import answer, number
from scripts.benchmarks.measuring.clock import rate
from vfl.crypto.modular import Gmp
from vfl.crypto.paillier import PrivateKey

RATES = {"ifma": {"encrypt": 20_000.0, "add": 1_900_000.0}, "gmp": {"encrypt": 2000.0, "add": 2e5}}
PEERS = {name: {"encrypt": 100.0} for name in ("phe", "heu-ZP", "heu-OU")}


def test_the_rates_and_ratios_of_all_implementations_fit_80_columns() -> None:
    rates = RATES | PEERS
    lines = [
        *paillier.table("2048 bits, per CPU second", rates),
        *paillier.table("", paillier.ratios(rates), 9),
    ]
    assert max(map(len, lines)) <= 80
    assert lines[-1].split() == ["encrypt", "200", "200", "200", "20", "20", "20"]


def test_a_ratio_is_ours_over_a_peer_that_does_the_same() -> None:
    assert paillier.ratios(RATES | {"phe": {"encrypt": 100.0}}) == {
        "ifma/phe": {"encrypt": 200.0},
        "gmp/phe": {"encrypt": 20.0},
    }


def test_every_operation_of_a_peer_is_measured_of_ours_too() -> None:
    given = Inputs.drawn(20)
    key = PrivateKey.generate(paillier.BITS, Seeded(1))
    names = [operation[0] for operation in ours.operations(Gmp(), key, given)]
    assert len(set(names)) == len(names)
    assert {operation[0] for operation in python_paillier.operations(key, given)} <= set(names)


def test_a_rate_is_the_work_of_a_call_by_its_fastest_time() -> None:
    times = iter([0.0, 4.0, 5.0, 7.0])
    assert rate(("sums", 10, lambda: None), clock=lambda: next(times), repeats=2) == 5.0


def test_an_answer_is_a_table_or_json_or_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    answer({"rate": 2.5}, ["rate 2.5"], str(path))
    assert json.loads(path.read_text()) == {"rate": 2.5}
    assert capsys.readouterr().out == "rate 2.5\n"
    answer({"rate": 2.5}, ["rate 2.5"], "-")
    assert json.loads(capsys.readouterr().out) == {"rate": 2.5}


def test_a_number_is_shown_by_three_digits_and_none_as_a_dash() -> None:
    assert [number(v, 9) for v in (1234567.8, 12.345, None)] == ["1,234,568", "     12.3", "        -"]


def trained(rows: int, seconds: float) -> dict[str, Any]:
    """What the parties of a training of two gradients wrote down."""
    phases = {name: {"seconds": seconds, "sent": 1000 * rows} for name in logistic.FIT}
    phases |= {name: {"seconds": 4.5, "sent": 1} for name in ("ecdh", "woe")}
    guest = {"iterations": 2, "converged": True, "degrees": [2, 3], "seconds": 2 * seconds + 9.0}
    reports = {party: {"phases": phases, "peak_memory_mb": 400} for party in logistic.PARTIES}
    reports["guest"] |= guest
    peers = {"sklearn_seconds": 0.5, "phe_seconds": 100 * seconds}
    return logistic.cost(rows, reports) | peers


def test_a_gradient_costs_what_the_fit_took_without_alignment() -> None:
    found = trained(100, 5.0)
    assert (found["fit_seconds"], found["gradient_seconds"]) == (10.0, 5.0)
    assert found["microseconds_per_power"] == pytest.approx(1e6 * 10 / (100 * 5))
    assert found["bytes_per_row_and_gradient"] == 3 * 2 * 1000 / 2


def test_cost_in_proportion_has_the_slope_one_and_quadratic_cost_two() -> None:
    assert logistic.slopes([10, 100, 1000], [1.0, 10.0, 1000.0]) == pytest.approx([1.0, 2.0])


def test_python_paillier_is_charged_for_every_operation_of_a_gradient() -> None:
    rates = {inputs.ENCRYPT: 1.0, inputs.POWERS: 1e12, inputs.ADD: 1e12}
    cores = os.cpu_count() or 1
    assert logistic.phe_seconds(rates, 10, [2, 4]) == pytest.approx(10 * (3 + 5) / cores)
    rates = {inputs.ENCRYPT: 1e12, inputs.POWERS: 1.0, inputs.ADD: 1.0}
    assert logistic.phe_seconds(rates, 10, [5]) == pytest.approx(10 * (1 + 11) / cores)


def test_the_lines_and_the_plot_of_a_fit_say_how_the_cost_grows(tmp_path: Path) -> None:
    runs = [trained(100, 1.0), trained(1000, 10.0)]
    said = list(logistic.lines(runs))
    assert max(map(len, said)) <= 100
    assert said[-2] == "a gradient grows with rows to the power of 1.00"
    logistic.plot(runs, tmp_path / "cost.svg")
    assert "whole training" in (tmp_path / "cost.svg").read_text(encoding="utf-8")
