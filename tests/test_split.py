"""The host is told which rows train, and believes only a split of the common rows."""

from __future__ import annotations

import numpy as np
import pytest
from hostile import Change, tampered
from hypothesis import given
from hypothesis import strategies as st
from protocol_runs import split_roles
from protocol_tables import GUEST, HOST

from vfl.errors import ProtocolError
from vfl.features import split
from vfl.features.split import Split
from vfl.wire.memory import run_in_memory


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_the_host_learns_the_split_at_one_bit_a_row(rows: list[bool]) -> None:
    train = np.array(rows)
    run = run_in_memory(
        {"guest": split.guest(train, hosts=(HOST,)), "host": split.host(len(rows), guest=GUEST)}
    )
    np.testing.assert_array_equal(run.results["host"], train)
    assert [e["plain_bits"] for e in run.ledgers["guest"].as_json()] == [len(rows)]


CHEATS: dict[str, Change] = {
    "a row too few": lambda m: Split(m.train[1:]),
    "a row too many": lambda m: Split(np.append(m.train, True)),
    "no rows": lambda m: Split(m.train[:0]),
    "a table": lambda m: Split(m.train[None]),
    "no training rows": lambda m: Split(m.train & False),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_guest_that_sends_another_split_is_blamed(cheat: str) -> None:
    roles = split_roles()
    with pytest.raises(ProtocolError, match="sent another split than there are common rows") as caught:
        run_in_memory(roles | {"guest": tampered(roles["guest"], Split, CHEATS[cheat])})
    assert caught.value.peer == "guest"
