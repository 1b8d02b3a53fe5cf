"""Gates stay closed unless the contract opens them by name."""

from __future__ import annotations

from typing import get_args

import pytest

from vfl.errors import ContractError
from vfl.gates import GATES, GateName, Gates


def test_every_gate_has_a_meaning_of_one_line() -> None:
    assert tuple(GATES) == get_args(GateName)
    assert all(meaning and "\n" not in meaning for meaning in GATES.values())


@pytest.mark.parametrize("gate", GATES)
def test_a_closed_gate_refuses_and_says_how_to_open_it(gate: str) -> None:
    gates = Gates(frozenset(GATES) - {gate})
    with pytest.raises(ContractError) as refusal:
        gates.refuse(gate, "column age", "breached")
    assert str(refusal.value) == "column age: breached"
    assert refusal.value.hint == f"allow it by name in the job: gates.allow: [{gate}]"
    assert gates.overridden == []


def test_an_allowed_breach_is_recorded() -> None:
    gates = Gates(frozenset({"few_rows", "small_bins"}))
    gates.refuse("small_bins", "column age", "bin 3 holds 12 rows")
    gates.refuse("few_rows", "", "90 rows")
    assert gates.overridden == ["small_bins: column age: bin 3 holds 12 rows", "few_rows: 90 rows"]


def test_a_gate_that_does_not_exist_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        Gates(frozenset({"no_such_gate"}))
    with pytest.raises(AssertionError):
        Gates(frozenset()).refuse("no_such_gate", "here", "what")
