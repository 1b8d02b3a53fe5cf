"""What the parties show each other where the contract allows: names, coefficients, the run of a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hostile import Change, tampered
from protocol_runs import coefficients_roles, halves_roles, names_roles
from protocol_tables import Roles

from vfl.errors import ContractError, ProtocolError
from vfl.features.names import ColumnNames
from vfl.linear.coefficients import Coefficients
from vfl.wire.memory import run_in_memory
from vfl.wire.message import Message


def test_the_guest_learns_the_hosts_names() -> None:
    assert run_in_memory(names_roles()).results == {"guest": ("age", "né"), "host": None}


def test_each_party_learns_the_others_coefficients() -> None:
    results = run_in_memory(coefficients_roles()).results
    assert results == {"guest": {"claims": 0.25}, "host": {"intercept": -2.0, "age": 0.5}}


def test_halves_of_one_training_make_a_model() -> None:
    run_in_memory(halves_roles("run 1", "run 1"))


@pytest.mark.parametrize(
    ("held", "complaint"), [("run 2", "with the model of another training"), (None, "no model is held here")]
)
def test_a_host_scores_with_no_half_of_another_training(held: str | None, complaint: str) -> None:
    with pytest.raises(ContractError, match=f"guest .*{complaint}"):
        run_in_memory(halves_roles("run 1", held))


NAMES: dict[str, Change] = {
    "a name twice": lambda m: replace(m, names=("age", "age")),
    "a name that writes on the terminal": lambda m: replace(m, names=("age", "\x1b[31m")),
    "a name of two lines": lambda m: replace(m, names=("age", "a\nb")),
    "a name without end": lambda m: replace(m, names=("age", "a" * 401)),
}
VALUES: dict[str, Change] = {
    "a value too few": lambda m: replace(m, values=m.values[1:]),
    "a name too few": lambda m: replace(m, names=m.names[1:]),
    "a table": lambda m: replace(m, values=m.values[None]),
    "a value that is no number": lambda m: replace(m, values=m.values * np.nan),
    "an endless value": lambda m: replace(m, values=m.values + np.inf),
}


def lie(roles: Roles, liar: str, kind: type[Message], change: Change) -> None:
    """Run with one message changed, which must be its sender's fault."""
    with pytest.raises(ProtocolError, match=r"sent (names|coefficients)") as caught:
        run_in_memory(roles | {liar: tampered(roles[liar], kind, change)})
    assert caught.value.peer == liar


@pytest.mark.parametrize("cheat", NAMES)
def test_a_host_whose_columns_have_impossible_names_is_blamed(cheat: str) -> None:
    lie(names_roles(), "host", ColumnNames, NAMES[cheat])


@pytest.mark.parametrize("cheat", NAMES | VALUES)
@pytest.mark.parametrize("liar", ["guest", "host"])
def test_who_shows_impossible_coefficients_is_blamed(liar: str, cheat: str) -> None:
    lie(coefficients_roles(), liar, Coefficients, (NAMES | VALUES)[cheat])
