"""A host's logits reach the guest rounded to a point unless the contract says exact; no others do."""

from __future__ import annotations

import numpy as np
import pytest
from hostile import Change, tampered
from hosts_runs import LOGITS, NAMES, masked_scoring_roles
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
    return numbers_told_by(run, "host")


def numbers_told_by(run: Transcript, host: str) -> list[tuple[int, int]]:
    """The same of one of several."""
    return [(entry["plain_numbers"], entry["plain_bits"]) for entry in run.ledgers[host].as_json()]


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


many_logits = st.lists(st.lists(st.floats(-40, 40), min_size=5, max_size=5), min_size=2, max_size=3).map(
    np.array
)


@given(many_logits)
def test_of_several_hosts_the_guest_gets_the_sum_of_their_points(b: NDArray[np.float64]) -> None:
    run = run_in_memory(masked_scoring_roles(b))
    np.testing.assert_allclose(run.results["guest"], 0.05 * np.rint(b / 0.05).sum(axis=0), atol=1e-9)
    assert numbers_told_by(run, "host1") == [(5, 160)]


@given(many_logits)
def test_of_several_hosts_exact_logits_add_up_to_a_part_in_a_trillion(b: NDArray[np.float64]) -> None:
    run = run_in_memory(masked_scoring_roles(b, exact=True))
    np.testing.assert_allclose(run.results["guest"], b.sum(axis=0), rtol=0, atol=1e-11)
    assert numbers_told_by(run, "host2") == [(5, 320)]


def test_what_a_single_one_of_several_hosts_sends_is_uniform() -> None:
    rows = 1 << 15
    run = run_in_memory(masked_scoring_roles(np.zeros((2, rows))))
    for name in NAMES[:2]:
        (sent,) = (s.message.values for s in run.views[name])
        bits = np.unpackbits(sent.values.view(np.uint8))
        assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(64 * rows)
        counts = np.bincount(sent.values.view(np.uint8), minlength=256)
        assert ((counts - rows / 32) ** 2).sum() / (rows / 32) < 255 + 6 * np.sqrt(2 * 255)


def test_hosts_whose_masks_do_not_cancel_are_named_together() -> None:
    roles = masked_scoring_roles(LOGITS)
    other = masked_scoring_roles(LOGITS[:2])
    other.pop("guest").close()
    other["host1"].close()
    roles["host2"].close()
    with pytest.raises(
        ProtocolError, match="host1 or host2 or host3: sent masked logits that add up to none"
    ):
        run_in_memory(roles | {"host2": other["host2"]})


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
