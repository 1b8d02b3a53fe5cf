"""A host's logits reach the guest rounded to a point unless the contract says exact; no others do."""

from __future__ import annotations

import numpy as np
import pytest
from hostile import Change, tampered
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from protocol_runs import scoring_roles

from vfl.errors import ProtocolError
from vfl.linear.scoring import ExactLogits, LogitPoints
from vfl.wire.memory import Transcript, run_in_memory
from vfl.wire.message import Message

logits = st.lists(st.floats(-40, 40), min_size=4, max_size=4).map(np.array)


def numbers_told(run: Transcript) -> list[tuple[int, int]]:
    """How many numbers of how many bits the host's ledger counts."""
    return [(entry["plain_numbers"], entry["plain_bits"]) for entry in run.ledgers["host"].as_json()]


@given(logits)
def test_a_rounded_logit_is_a_whole_number_of_points_and_the_nearest(b: NDArray[np.float64]) -> None:
    run = run_in_memory(scoring_roles(b))
    points = run.results["guest"] / 0.05
    np.testing.assert_allclose(points, np.rint(points), atol=1e-9)
    assert np.abs(run.results["guest"] - b).max() <= 0.025 * (1 + 1e-9)
    assert numbers_told(run) == [(4, 128)]


@given(logits)
def test_exact_logits_are_exact_and_counted_as_such(b: NDArray[np.float64]) -> None:
    run = run_in_memory(scoring_roles(b, exact=True))
    np.testing.assert_array_equal(run.results["guest"], b)
    assert numbers_told(run) == [(4, 256)]


@given(logits, st.floats(-0.024, 0.024))
def test_logits_of_one_point_look_the_same_to_the_guest(b: NDArray[np.float64], shift: float) -> None:
    whole = np.rint(b / 0.05) * 0.05
    one, other = (run_in_memory(scoring_roles(v)).wire for v in (whole, whole + shift))
    assert one == other


CHEATS: dict[str, tuple[bool, Change, str]] = {
    "a row too few": (False, lambda m: LogitPoints(m.points[1:]), "other logits than there are common"),
    "a row too many": (False, lambda m: LogitPoints(np.append(m.points, m.points[:1])), "other logits"),
    "no rows": (False, lambda m: LogitPoints(m.points[:0]), "other logits"),
    "a table": (False, lambda m: LogitPoints(m.points[None]), "other logits"),
    "exact against the contract": (
        False,
        lambda m: ExactLogits(m.points * 0.05),
        "sent ExactLogits, expected LogitPoints",
    ),
    "an exact row too few": (True, lambda m: ExactLogits(m.logits[1:]), "other logits"),
    "a logit that is no number": (True, lambda m: ExactLogits(m.logits * np.nan), "other logits"),
    "an infinite logit": (True, lambda m: ExactLogits(m.logits + np.inf), "other logits"),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_host_that_sends_other_logits_is_blamed(cheat: str) -> None:
    exact, change, complaint = CHEATS[cheat]
    kind: type[Message] = ExactLogits if exact else LogitPoints
    roles = scoring_roles(exact=exact)
    with pytest.raises(ProtocolError, match=complaint) as caught:
        run_in_memory(roles | {"host": tampered(roles["host"], kind, change)})
    assert caught.value.peer == "host"
