"""One suite over both drivers: in memory and over the network, a protocol is the same protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from network_fixtures import run_all, sessions
from numpy.typing import NDArray

from vfl.errors import ConfigError, ContractError, DataError, PeerError, ProtocolError
from vfl.wire.codec import encode
from vfl.wire.flow import Peer, Receive, Send, Sent
from vfl.wire.ladder import follows_ladder
from vfl.wire.ledger import Ledger
from vfl.wire.memory import DeadlockError, run_in_memory
from vfl.wire.message import Message

LADDER = """Halve numbers until the arbiter finds them small.

    guest -> host, arbiter: Start
    repeat, until the arbiter says enough
        host -> guest: Numbers
        guest -> arbiter: Numbers
        arbiter -> guest, host: Verdict
    maybe, if it took more than one round
        guest -> host: Start
"""


@dataclass(frozen=True, slots=True)
class Start(Message):
    """A label.  Reveals: the label."""

    label: str


@dataclass(frozen=True, slots=True)
class Numbers(Message):
    """x / 2^k.  Reveals: them."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict(Message):
    """max x < 1.  Reveals: one bit."""

    enough: bool


async def guest(label: str, *, host: Peer, arbiter: Peer) -> float:
    """Learn the sum of all numbers seen."""
    total, rounds, enough = 0.0, 0, False
    for peer in (host, arbiter):
        await peer.send(Start(label))
    while not enough:
        numbers = await host.receive(Numbers)
        total += float(numbers.values.sum())
        await arbiter.send(numbers)
        enough = (await arbiter.receive(Verdict)).enough
        rounds += 1
    if rounds > 1:
        await host.send(Start(f"{rounds} rounds"))
    return total


async def host(values: NDArray[np.float64], *, guest: Peer, arbiter: Peer) -> str:
    """Learn the guest's last word."""
    label = (await guest.receive(Start)).label
    rounds, enough = 0, False
    while not enough:
        await guest.send(Numbers(values))
        enough = (await arbiter.receive(Verdict)).enough
        values = values / 2
        rounds += 1
    return (await guest.receive(Start)).label if rounds > 1 else label


async def arbiter(*, guest: Peer, host: Peer) -> int:
    """Learn how many rounds it took."""
    await guest.receive(Start)
    rounds, enough = 0, False
    while not enough:
        enough = bool((await guest.receive(Numbers)).values.max() < 1)
        for peer in (guest, host):
            await peer.send(Verdict(enough))
        rounds += 1
    return rounds


GUEST, HOST, ARBITER = Peer("guest"), Peer("host"), Peer("arbiter")


def roles(values):
    """Return the three roles of a run on these numbers."""
    return {
        "guest": guest("run", host=HOST, arbiter=ARBITER),
        "host": host(np.array(values), guest=GUEST, arbiter=ARBITER),
        "arbiter": arbiter(guest=GUEST, host=HOST),
    }


class Observed:
    """A role whose steps are written down on their way to the driver and back."""

    def __init__(self, name, role):
        self.view: list[Sent] = []
        self._name, self._role, self._step = name, role, None

    def send(self, value):
        if isinstance(self._step, Receive):
            self.view.append(Sent(self._step.sender, self._name, value))
        self._step = self._role.send(value)
        if isinstance(self._step, Send):
            self.view.append(Sent(self._name, self._step.to, self._step.message))
        return self._step

    def close(self):
        self._role.close()


@dataclass
class Outcome:
    """What a driver made of a run."""

    results: dict[str, Any]
    ledgers: dict[str, Ledger]
    views: dict[str, list[Sent]] = field(default_factory=dict)


def in_memory(roles):
    transcript = run_in_memory(roles)
    return Outcome(transcript.results, transcript.ledgers)


def over_the_network(roles):
    with sessions(roles) as drivers:
        results = run_all(drivers, roles)
        for error in results.values():
            # The one to blame is named by whoever noticed; the others learn that it stopped.
            if isinstance(error, ProtocolError | DataError):
                raise error
        return Outcome(results, {name: driver.ledger for name, driver in drivers.items()})


def observed(driver, roles):
    """Run roles under a driver and return what came of it, with every role's view."""
    watched = {name: Observed(name, role) for name, role in roles.items()}
    outcome = driver(watched)
    outcome.views = {name: role.view for name, role in watched.items()}
    return outcome


drivers = pytest.mark.parametrize("driver", [in_memory, over_the_network])


@drivers
@pytest.mark.parametrize(("values", "rounds"), [([0.5, 0.25], 1), ([12.0, 0.1, 3.5], 5)])
def test_every_role_gets_its_result(driver, values, rounds):
    total = sum(sum(values) / 2**k for k in range(rounds))
    last_word = "run" if rounds == 1 else f"{rounds} rounds"
    assert driver(roles(values)).results == {"guest": total, "host": last_word, "arbiter": rounds}


@drivers
def test_every_role_follows_the_ladder(driver):
    for name, view in observed(driver, roles([3.0])).views.items():
        assert follows_ladder(LADDER, name, view)


@drivers
def test_a_message_of_another_kind_is_its_senders_fault(driver):
    async def confused(*, guest):
        await guest.send(Verdict(True))

    async def strict(*, host):
        await host.receive(Numbers)

    with pytest.raises(ProtocolError, match="host: sent Verdict, expected Numbers"):
        driver({"guest": strict(host=HOST), "host": confused(guest=GUEST)})


@drivers
def test_an_error_of_a_role_comes_out_as_it_was_raised(driver):
    async def broken(*, host):
        await host.receive(Start)
        raise DataError("customers.csv:7", "no such column")

    async def waiting(*, guest):
        await guest.send(Start("now"))

    with pytest.raises(DataError, match=r"customers\.csv:7: no such column"):
        driver({"guest": broken(host=HOST), "host": waiting(guest=GUEST)})


@drivers
def test_two_roles_that_both_send_before_they_receive_do_not_block(driver):
    async def talkative(*, peer):
        for k in range(4):
            await peer.send(Numbers(np.full(1 << 20, float(k))))
        return sum([float((await peer.receive(Numbers)).values[-1]) for _ in range(4)])

    both = {"guest": talkative(peer=HOST), "host": talkative(peer=GUEST)}
    assert driver(both).results == {"guest": 6.0, "host": 6.0}


def test_both_drivers_carry_the_same_bytes_in_each_direction():
    here, there = (observed(driver, roles([12.0, 3.5])) for driver in (in_memory, over_the_network))
    for name in ("guest", "host", "arbiter"):
        one, other = (
            [(sent.sender, sent.to, encode(sent.message)) for sent in outcome.views[name]]
            for outcome in (here, there)
        )
        assert one == other
        assert here.ledgers[name].as_json() == there.ledgers[name].as_json()


def test_a_session_counts_bytes_seconds_and_cpu_seconds_of_each_phase():
    sent = dict.fromkeys(("guest", "host", "arbiter"), 0)
    received = dict(sent)
    for sender, to, data in run_in_memory(roles([12.0])).wire:
        sent[sender] += len(data)
        received[to] += len(data)
    with sessions(sent) as drivers:
        run_all(drivers, roles([12.0]))
        for name, driver in drivers.items():
            ((phase, cost),) = driver.phases.items()
            assert phase == "test_transports"
            assert (cost.sent, cost.received) == (sent[name], received[name])
            assert 0 < cost.seconds < 10
            assert 0 < cost.cpu_seconds < 10


def test_a_deadlock_in_memory_is_named():
    async def waiting(*, peer):
        await peer.receive(Start)

    with pytest.raises(DeadlockError, match="guest waits for Start of host; host waits for Start of guest"):
        run_in_memory({"guest": waiting(peer=HOST), "host": waiting(peer=GUEST)})


def test_a_silent_peer_is_named_with_what_was_awaited():
    async def waiting(*, host):
        await host.receive(Numbers)

    silence = pytest.raises(PeerError, match=r"host: silent for 0\.1 s while Numbers was awaited")
    with sessions(["guest", "host"], timeout=0.1) as drivers, silence:
        drivers["guest"].run(waiting(host=HOST))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DataError("column age", "is empty"), "its table cannot be used; its operator was told why"),
        (ConfigError("a.yaml:3", "bad"), "its configuration cannot be used; its operator was told why"),
        (ContractError("host", "few rows", "column age"), "host: few rows"),
        (KeyError("a customer's name"), "internal error"),
        (KeyboardInterrupt(), "interrupted by its operator"),
        (SystemExit(0), "interrupted by its operator"),
    ],
)
def test_the_others_learn_why_a_party_stopped_and_no_more(error, reason):
    async def broken():
        raise error

    async def waiting(*, host):
        await host.receive(Numbers)

    with sessions(["guest", "host", "arbiter"]) as drivers:
        with pytest.raises(type(error)):
            drivers["host"].run(broken())
        for other in ("guest", "arbiter"):
            with pytest.raises(PeerError) as told:
                drivers[other].run(waiting(host=HOST))
            assert str(told.value) == f"host: stopped the run: {reason}"


def test_a_party_that_waits_for_another_learns_at_once_whom_the_run_lost():
    async def waiting(*, peer):
        await peer.receive(Numbers)

    async def broken():
        raise DataError("column age", "is empty")

    with sessions(["guest", "host", "arbiter"]) as drivers:
        outcomes = run_all(
            drivers,
            {"guest": waiting(peer=HOST), "host": waiting(peer=GUEST), "arbiter": broken()},
        )
    assert "arbiter: stopped the run: its table cannot be used" in str(outcomes["guest"])
    assert "arbiter: stopped the run: its table cannot be used" in str(outcomes["host"])


def test_sessions_that_end_in_order_close_without_a_word():
    with sessions(["guest", "host", "arbiter"]) as drivers:
        results = run_all(drivers, roles([3.0]))
        assert results["arbiter"] == 3
        for driver in drivers.values():
            driver.close()


def test_a_role_that_goes_on_after_its_peer_took_leave_is_told():
    async def waiting(*, host):
        await host.receive(Numbers)

    with sessions(["guest", "host"]) as drivers:
        drivers["host"].close()
        with pytest.raises(PeerError, match="host: ended its part of the run while Numbers was awaited"):
            drivers["guest"].run(waiting(host=HOST))
