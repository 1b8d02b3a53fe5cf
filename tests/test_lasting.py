"""A run goes on where it stood, whichever party dies whenever, and loses or repeats no message."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from network_fixtures import CERTIFICATES, CONTRACT, PARTIES, hello

from vfl.errors import PausedError, PeerError
from vfl.wire.flow import Peer, Role
from vfl.wire.journal import Journal
from vfl.wire.lasting import Lasting
from vfl.wire.message import Message
from vfl.wire.network import Hello, Link, Listener, Session, dial
from vfl.wire.parcels import LARGE

ROUNDS = 3
NAMES = ("guest", "host", "arbiter")
GUEST, HOST, ARBITER = (Peer(name) for name in NAMES)
LONG = "x" * LARGE
"""What makes a message one that is kept as a file of its own; answers repeat it."""


@dataclass(frozen=True, slots=True)
class Drawn(Message):
    """What was drawn, and everything before it.  Reveals: it."""

    text: str


async def guest(journal: Journal) -> str:
    """Ask the host each round, with a draw that its answer must fit."""
    state = journal.state("round") or {"k": 0, "heard": ""}
    for k in range(state["k"], ROUNDS):
        mask = journal.draw(lambda: os.urandom(4)).hex()
        await HOST.send(Drawn(mask))
        await HOST.send(Drawn(f"round {k} {LONG}"))
        answer = (await HOST.receive(Drawn)).text
        assert answer.startswith(f"{mask} round {k} "), "the answer is to another question"
        await ARBITER.send(Drawn(answer))
        state = {"k": k + 1, "heard": f"{state['heard']} {(await ARBITER.receive(Drawn)).text}"}
        journal.checkpoint("round", state)
    return str(state["heard"])


async def host(journal: Journal) -> int:
    """Answer each question, with a draw of its own that the arbiter must agree to."""
    state = journal.state("round") or {"k": 0}
    for k in range(state["k"], ROUNDS):
        question = [(await GUEST.receive(Drawn)).text for _ in range(2)]
        salt = journal.draw(lambda: os.urandom(4)).hex()
        await ARBITER.send(Drawn(salt))
        assert (await ARBITER.receive(Drawn)).text == f"heard {salt}"
        await GUEST.send(Drawn(" ".join([*question, salt])))
        journal.checkpoint("round", {"k": k + 1})
    return ROUNDS


async def arbiter(journal: Journal) -> int:
    """Hear the host, then the guest, who must say what the host said; count without checkpoints."""
    for k in range(ROUNDS):
        salt = (await HOST.receive(Drawn)).text
        await HOST.send(Drawn(f"heard {salt}"))
        assert (await GUEST.receive(Drawn)).text.endswith(salt)
        await GUEST.send(Drawn(f"{k}"))
    return ROUNDS


ROLES: dict[str, Callable[[Journal], Role[Any]]] = {"guest": guest, "host": host, "arbiter": arbiter}


@dataclass
class Dying:
    """A role that dies at its n-th step, as it is about to be taken."""

    role: Role[Any]
    at: int
    steps: int = 0

    def send(self, value: Any) -> Any:
        self.steps += 1
        if self.steps == self.at:
            raise SystemExit
        return self.role.send(value)

    def close(self) -> None:
        self.role.close()


@dataclass
class Stage:
    """Parties in threads, with a port each; a party that dies is started again from its disk."""

    folder: Path
    patience: float = 20.0
    roles: dict[str, Callable[[Journal], Role[Any]]] = field(default_factory=lambda: ROLES)
    ports: dict[str, int] = field(default_factory=dict)
    listening: threading.Barrier = field(init=False)
    """Where all wait in their first life until every port is known: nobody calls a wrong one for long."""

    def __post_init__(self) -> None:
        self.listening = threading.Barrier(len(self.roles))

    def play(self, deaths: dict[str, list[int]]) -> dict[str, Any]:
        """Run all parties, each dying at these steps of its lives; return what they returned."""
        with ThreadPoolExecutor(len(self.roles)) as pool:
            lives = {name: pool.submit(self._live, name, list(deaths.get(name, []))) for name in self.roles}
            return {name: life.result(60) for name, life in lives.items()}

    def _live(self, name: str, deaths: list[int]) -> Any:
        path = self.folder / name / "journal.db"
        journal = Journal.create(path, name.encode(), os.urandom, {"run": "run 1"})
        while True:
            try:
                with Listener(self._address(name), PARTIES[name], CERTIFICATES) as listener:
                    if name not in self.ports:
                        self.ports[name] = listener.port
                        self.listening.wait(20)
                    return self._act(name, listener, journal, deaths.pop(0) if deaths else 0)
            except SystemExit:
                journal.close()
                journal = Journal.open(path, name.encode(), os.urandom)

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports.get(name, 0)}"

    def _act(self, name: str, listener: Listener, journal: Journal, at: int) -> Any:
        lasting = Lasting(journal, self._meet(name, listener), self.patience)
        alike = name.startswith("host")  # hosts do not meet
        peers = [p for p in self.roles if p != name and not (alike and p.startswith("host"))]
        session = Session({}, timeout=20, lasting=lasting, peers=peers)
        result = session.run(Dying(self.roles[name](journal), at))  # type: ignore[arg-type]
        session.close()
        return result

    def _meet(self, name: str, listener: Listener) -> Callable[[str, int], Link]:
        order = list(self.roles)

        def meet(peer: str, have: int) -> Link:
            if order.index(name) > order.index(peer):
                return listener.accept(peer, contract=CONTRACT, run="run 1", timeout=0.2, have=lambda _: have)
            said = hello(name)
            port = self.ports[peer]
            return dial(
                f"127.0.0.1:{port}",
                PARTIES[name],
                peer,
                CERTIFICATES[peer],
                Hello(said.contract, said.run, said.task, name, have),
                connect_timeout=2,
            )

        return meet


def test_a_run_that_nobody_leaves_ends_as_it_should(tmp_path: Path) -> None:
    assert Stage(tmp_path).play({}) == {"guest": " 0 1 2", "host": 3, "arbiter": 3}


@pytest.mark.parametrize("at", range(1, 20, 3))
@pytest.mark.parametrize("victim", ROLES)
def test_a_party_that_dies_at_any_step_loses_nothing(victim: str, at: int, tmp_path: Path) -> None:
    assert Stage(tmp_path).play({victim: [at]}) == {"guest": " 0 1 2", "host": 3, "arbiter": 3}


@pytest.mark.parametrize("at", [2, 5, 9])
def test_all_parties_may_die_and_more_than_once(at: int, tmp_path: Path) -> None:
    deaths = {"guest": [at, 3], "host": [at + 1, 2], "arbiter": [at, 4]}
    assert Stage(tmp_path).play(deaths) == {"guest": " 0 1 2", "host": 3, "arbiter": 3}


def test_a_peer_that_stays_away_pauses_the_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path, patience=0.5)
    journal = Journal.create(tmp_path / "j.db", b"", os.urandom, {"run": "run 1"})
    with Listener("127.0.0.1:0", PARTIES["host"], CERTIFICATES) as listener:
        lasting = Lasting(journal, stage._meet("host", listener), 0.5)
        with pytest.raises(PausedError, match=r"guest: has been away for 0\.5 s") as paused:
            Session({}, timeout=5, lasting=lasting, peers=["guest"])
    assert "vfl resume" in paused.value.hint


def test_a_party_that_fails_stops_the_run_for_all_and_nobody_waits_for_it(tmp_path: Path) -> None:
    class Failing(Dying):
        def send(self, value: Any) -> Any:
            self.steps += 1
            if self.steps == self.at:
                raise PeerError("host", "is to blame")
            return self.role.send(value)

    stage = Stage(tmp_path)
    act = stage._act

    def failing(name: str, listener: Listener, journal: Journal, at: int) -> Any:
        if name != "guest":
            return act(name, listener, journal, at)
        lasting = Lasting(journal, stage._meet(name, listener), 20)
        session = Session({}, timeout=20, lasting=lasting, peers=["host", "arbiter"])
        return session.run(Failing(guest(journal), 5))  # type: ignore[arg-type]

    stage._act = failing  # type: ignore[method-assign]
    with pytest.raises(PeerError, match=r"host: is to blame|guest: stopped the run"):
        stage.play({})
