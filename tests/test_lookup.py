"""Ids asked for one by one: found if the host holds them, and counted, and shown only then."""

from __future__ import annotations

import numpy as np
import pytest
from protocol_runs import GUEST, HOST, asking, listing, lookup_roles
from seeded import Seeded

from psi import lookup
from psi.digests import Digests
from psi.lookup import AskedId, DirectoryPart, FoundId, Turn
from psi.ristretto import REFERENCE, Blinder, Points, hash_to_group
from vfl.errors import ContractError, ProtocolError
from vfl.wire.memory import run_in_memory

IDS = [f"c{k}" for k in range(40)]


def test_an_id_is_found_if_and_only_if_the_host_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "CHUNK", 7)
    asked = ["c7", "none", None, "c0", "c39", "c7"]
    results = run_in_memory(lookup_roles(asked, IDS)).results
    assert results["guest"] == [True, False, True, True, True]
    assert results["host"] == [7, None, 0, 39, 7]


def test_nobody_is_found_in_an_empty_list() -> None:
    assert run_in_memory(lookup_roles(["a"], [])).results == {"guest": [False], "host": [None]}


def test_what_was_blinded_comes_back() -> None:
    points, blinder = Blinder(Seeded(5)).blind(hash_to_group(["x", "y"], b"")), Blinder(Seeded(6))
    assert np.array_equal(blinder.unblind(blinder.blind(points)).rows, points.rows)


def test_of_an_id_that_the_host_lacks_it_sees_nothing_that_depends_on_it() -> None:
    def seen(id: str) -> list[object]:
        """What the host is told, but for H(x)^a."""
        run = run_in_memory(lookup_roles([id], IDS))
        told = [sent.message for sent in run.views["host"] if sent.to == "host"]
        return [m.found if isinstance(m, FoundId) else m for m in told if not isinstance(m, AskedId)]

    assert seen("none") == seen("nobody")
    assert seen("c3") != seen("none")


def test_a_question_too_many_is_not_answered() -> None:
    def allow() -> None:
        raise ContractError("quota", "is used up")

    with pytest.raises(ContractError, match="is used up"):
        run_in_memory({"guest": asking(["c1"]), "host": listing(IDS, allow)})


def test_a_longer_list_than_agreed_is_refused() -> None:
    with pytest.raises(ContractError, match=r"host: brings a list of 40 ids, at most 39 were agreed"):
        run_in_memory({"guest": asking(["c1"], most=39), "host": listing(IDS)})


async def claiming(points: Points | None) -> None:
    """A guest that shows these points without having been shown them."""
    await HOST.receive(lookup.DirectorySize)
    known_digests = (await HOST.receive(DirectoryPart)).digests
    await HOST.send(Turn(asks=True, ends=False))
    await HOST.send(AskedId(Blinder(Seeded(3)).blind(hash_to_group(["c1"], b"contract"))))
    await HOST.receive(lookup.RaisedId)
    known = np.zeros((1, 32), np.uint8)
    known[:, 1:17] = known_digests.rows[:1]
    await HOST.send(FoundId(True, Points(known) if points is None else points))


@pytest.mark.parametrize("points", [None, Points(REFERENCE.mapped(np.ones((1, 64), np.uint8)))])
def test_a_guest_cannot_claim_an_id_from_the_list_alone(points: Points | None) -> None:
    roles = {"guest": claiming(points), "host": listing(IDS)}
    with pytest.raises(ProtocolError, match="guest: claims an id that it was not shown"):
        run_in_memory(roles)


async def listed(rows: np.ndarray) -> None:
    """A host that lists these digests."""
    await GUEST.send(lookup.DirectorySize(len(rows)))
    await GUEST.send(DirectoryPart(Digests(rows)))


@pytest.mark.parametrize("rows", [[[2] * 16, [1] * 16], [[1] * 16, [1] * 16]])
def test_a_list_out_of_order_or_with_an_id_twice_is_refused(rows: list[list[int]]) -> None:
    roles = {"guest": asking(["a"]), "host": listed(np.array(rows, np.uint8))}
    with pytest.raises(ProtocolError, match="host: listed its ids out of order, or one twice"):
        run_in_memory(roles)
