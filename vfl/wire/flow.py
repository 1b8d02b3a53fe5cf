"""Roles as coroutines that await messages and nothing else.

A party's side of a protocol is an ``async def`` whose only awaits are `Peer.send` and
`Peer.receive`.  Python compiles it to a state machine that stops at every message, so whoever
drives it (`memory.run_in_memory`, `network.Session`) owns all of the I/O and the protocol none.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from vfl.errors import ProtocolError
from vfl.wire.codec import WrongKindError, decode
from vfl.wire.frames import printable
from vfl.wire.message import Message

T = TypeVar("T")
M = TypeVar("M", bound=Message)

LONGEST = 200
"""Characters of what is wrong with a message: it may hold some of the peer's own."""


@dataclass(frozen=True, slots=True)
class Send:
    """A request to the driver: carry this message."""

    to: str
    message: Message

    def __await__(self) -> Generator[Send, None, None]:
        yield self


@dataclass(frozen=True, slots=True)
class Receive:
    """A request to the driver: wait for the next message of a peer, which must be of this kind."""

    sender: str
    kind: type[Message]

    def __await__(self) -> Generator[Receive, Message, Message]:
        return (yield self)

    def open(self, data: bytes) -> Message:
        """Return the message that arrived; anything but the awaited kind is its sender's fault."""
        try:
            return decode(self.kind, data)
        except WrongKindError as wrong:
            what = f"sent {printable(str(wrong))}, expected {self.kind.__name__}"
            raise ProtocolError(self.sender, what) from None
        except ValueError as error:
            what = f"sent a malformed {self.kind.__name__}: {printable(str(error))[:LONGEST]}"
            raise ProtocolError(self.sender, what) from None


@dataclass(frozen=True, slots=True)
class Peer:
    """The far end of a channel, as one party sees it."""

    name: str

    async def send(self, message: Message) -> None:
        """Send a message; it is counted in the ledger before it leaves."""
        await Send(self.name, message)

    async def receive(self, kind: type[M]) -> M:
        """Return the peer's next message; any other kind is the peer's fault."""
        got = await Receive(self.name, kind)
        assert type(got) is kind
        return got

    def blame(self, what: str) -> ProtocolError:
        """Return the error that names this peer."""
        return ProtocolError(self.name, what)


Role = Coroutine[Send | Receive, Any, T]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message of a view: who sent it to whom."""

    sender: str
    to: str
    message: Message
