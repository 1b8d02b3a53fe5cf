"""Benchmarks compare like with like, and their tables fit a terminal."""

from __future__ import annotations

import json

import pytest
from seeded import Seeded

from scripts.benchmarks import paillier
from scripts.benchmarks.arithmetic import ours, python_paillier
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


def test_an_answer_is_a_table_or_json_or_both(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    answer({"rate": 2.5}, ["rate 2.5"], str(path))
    assert json.loads(path.read_text()) == {"rate": 2.5}
    assert capsys.readouterr().out == "rate 2.5\n"
    answer({"rate": 2.5}, ["rate 2.5"], "-")
    assert json.loads(capsys.readouterr().out) == {"rate": 2.5}


def test_a_number_is_shown_by_three_digits_and_none_as_a_dash() -> None:
    assert [number(v, 9) for v in (1234567.8, 12.345, None)] == ["1,234,568", "     12.3", "        -"]
