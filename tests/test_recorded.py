"""What crosses a link is what both ends' books say; a link that is cut on the way loses nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network_fixtures import CERTIFICATES, CONTRACT, GUEST, HOST, bound_port, hello, listening, together
from numpy.typing import NDArray
from test_lasting import ROLES, Stage

from scripts.benchmarks.staged.proxy import Proxy
from scripts.benchmarks.staged.recorder import Heard, Recorder
from vfl.wire.flow import Peer, Role
from vfl.wire.frames import PART
from vfl.wire.ledger import Ledger
from vfl.wire.message import Message
from vfl.wire.network import Hello, Link, Listener, Session, dial


@dataclass(frozen=True, slots=True)
class Numbers(Message):
    """Some numbers.  Reveals: them."""

    values: NDArray[np.int64]


async def ask() -> int:
    """Send a message of several frames and an empty one; return the size of the answer."""
    peer = Peer("host")
    await peer.send(Numbers(np.arange(PART // 2)))
    await peer.send(Numbers(np.arange(0)))
    return len((await peer.receive(Numbers)).values)


async def answer() -> int:
    """Send back what came."""
    peer = Peer("guest")
    came = (await peer.receive(Numbers)).values
    await peer.receive(Numbers)
    await peer.send(Numbers(came[:9]))
    return len(came)


def entry(ledger: Ledger) -> tuple[int, int]:
    """Return the messages and bytes that a ledger counts."""
    (only,) = ledger.entries.values()
    return only.messages, only.bytes


def test_the_ledgers_count_what_a_recorder_between_the_parties_hears() -> None:
    def as_guest(port: int) -> Ledger:
        link = dial(
            f"127.0.0.1:{port}", GUEST, "host", CERTIFICATES["host"], hello("guest"), connect_timeout=10
        )
        session = Session({"host": link}, timeout=10)
        assert session.run(ask()) == 9
        session.close()
        return session.ledger

    def as_host(listener: Any) -> Ledger:
        session = Session({"guest": listener.accept("guest", contract=CONTRACT, timeout=10)}, timeout=10)
        assert session.run(answer()) == PART // 2
        session.close()
        return session.ledger

    with listening() as listener, Recorder(GUEST, HOST, listener.port) as recorder:
        ends = together({"guest": partial(as_guest, recorder.port), "host": partial(as_host, listener)})

    def heard(way: Heard) -> tuple[int, int]:
        assert {kind for kind, _, _ in way.messages} == {"Numbers"}
        return len(way.messages), sum(size for _, size, _ in way.messages)

    assert heard(recorder.there) == entry(ends["guest"])
    assert heard(recorder.back) == entry(ends["host"])
    assert recorder.there.frames == {"HELLO": 1, "PART": 4, "END": 2, "BYE": 1}
    assert recorder.back.frames == {"HELLO": 1, "END": 1, "BYE": 1}


class Cut(Stage):
    """The guest reaches the host through a proxy."""

    def __init__(self, folder: Path, wire: Proxy, port: int, roles: Any) -> None:
        super().__init__(folder, roles=roles)
        self.wire, self.port = wire, port

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self.port}" if name == "host" else super()._address(name)

    def _meet(self, name: str, listener: Listener) -> Callable[[str, int], Link]:
        meet = super()._meet(name, listener)

        def through(peer: str, have: int) -> Link:
            if (name, peer) != ("guest", "host"):
                return meet(peer, have)
            said = Hello(CONTRACT, "run 1", "train", "guest", have)
            address = f"127.0.0.1:{self.wire.port}"
            return dial(address, GUEST, peer, CERTIFICATES[peer], said, connect_timeout=2)

        return through


@dataclass
class Cutting:
    """A role during whose n-th step its party's wire breaks and is mended."""

    role: Role[Any]
    wire: Proxy
    at: int
    steps: int = 0

    def send(self, value: Any) -> Any:
        self.steps += 1
        if self.steps == self.at:
            self.wire.hang_up()
            self.wire.mend()
        return self.role.send(value)

    def close(self) -> None:
        self.role.close()


@pytest.mark.parametrize("party", ["guest", "host"])
@pytest.mark.parametrize("at", [1, 4, 8])
def test_a_wire_that_breaks_loses_nothing(party: str, at: int, tmp_path: Path) -> None:
    with bound_port(listens=False) as port:
        pass
    with Proxy(port) as wire:
        cutting = ROLES | {party: lambda journal: Cutting(ROLES[party](journal), wire, at)}
        stage = Cut(tmp_path, wire, port, cutting)
        assert stage.play({}) == {"guest": " 0 1 2", "host": 3, "arbiter": 3}
        assert wire.there.carried and wire.back.carried
