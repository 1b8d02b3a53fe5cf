"""One party's side of a run over the network: steps its role, carries its messages, keeps its books."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from vfl.errors import (
    ConfigError,
    ContractError,
    DataError,
    LostError,
    PausedError,
    PeerError,
    ProtocolError,
    RefusedError,
    VflError,
)
from vfl.wire.codec import encode
from vfl.wire.flow import Receive, Role, Send
from vfl.wire.lasting import Lasting
from vfl.wire.ledger import Ledger
from vfl.wire.link import Link
from vfl.wire.message import Message, phase_of

T = TypeVar("T")


@dataclass(slots=True)
class PhaseCost:
    """What a phase took: wall seconds, CPU seconds, and bytes of messages sent and received."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    sent: int = 0
    received: int = 0


PULSE = 0.1
"""Seconds for which a parting party waits for one peer before it looks after the others."""


class Witness(Protocol):
    """Told of every message by the layer that carries it; whatever it raises stops the run."""

    def sending(self, to: str, message: Message, data: bytes) -> None:
        """Hear of a message before it is stored and leaves; of one that is sent again, not again."""
        ...

    def received(self, sender: str, kind: type[Message], data: bytes) -> None:
        """Hear of a message that has come, before the role sees it."""
        ...

    def stopped(self, reason: str) -> None:
        """Hear why the run is stopped, in the words that peers are told."""
        ...


class Session:
    """Drives one role over its links, message for message as `memory.run_in_memory` does.

    `ledger` counts what left; `phases` says what each protocol file cost, a second counting for
    the phase of the message that ends it.  A `lasting` run is paused, not stopped, when this
    process is interrupted or its disk is full, and makes broken links anew.  A `witness` hears of
    every message.
    """

    def __init__(
        self,
        links: Mapping[str, Link],
        *,
        timeout: float,
        cpu: Callable[[], float] = time.process_time,
        lasting: Lasting | None = None,
        peers: Iterable[str] = (),
        witness: Witness | None = None,
    ) -> None:
        """Take links by the name of the peer, and the seconds after which a silent peer is lost.

        `cpu` tells the CPU seconds until now, of workers too if the party has any; `peers`: those
        of a lasting run, with or without a link so far.
        """
        self.ledger = lasting.journal.ledger if lasting else Ledger()
        self.phases: dict[str, PhaseCost] = {}
        self.witness = witness
        self._links = dict(links)
        self._timeout = timeout
        self._lasting = lasting
        self._cpu = cpu
        self._mark = time.monotonic(), cpu()
        for link in self._links.values():
            link.watch(self._spread)
        if lasting:
            self._keep_books(lasting)
            for link in self._links.values():
                with suppress(LostError):
                    lasting.welcome(link)
            self._meet_again({*peers, *self._links})

    def run(self, role: Role[T]) -> T:
        """Return the result of a role, once all that it sent is stored.

        Whatever it or a peer raises stops the run on every link.
        """
        self._mark = time.monotonic(), self._cpu()
        try:
            result = self._played(role)
            if self._lasting:
                self._lasting.journal.settle()
            return result
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            role.close()

    def _played(self, role: Role[T]) -> T:
        value: Message | None = None
        while True:
            try:
                step = role.send(value)
            except StopIteration as stop:
                result: T = stop.value
                return result
            value = None  # or it would be held until the next one comes
            if isinstance(step, Send):
                self._send(step)
            else:
                value = self._receive(step)

    def close(self) -> None:
        """Take leave of every peer once it has all that was sent; raise the first loss in doing so."""
        if self._lasting:
            self._part()
            return
        losses: list[PeerError] = []
        for link in self._links.values():
            try:
                link.close(self._timeout)
            except PeerError as error:
                losses.append(error)
        losses += self._surplus()
        if losses:
            raise losses[0]

    def _surplus(self) -> list[PeerError]:
        return [
            ProtocolError(peer, "sent more than the protocol asks for")
            for peer, link in self._links.items()
            if link.unread
        ]

    def _part(self) -> None:
        """Say bye to all at once, and again to whom was lost and is back: it may lack something."""
        waiting, deadline = set(self._links), time.monotonic() + self._timeout
        while waiting:
            for peer in waiting:
                self._links[peer].say_bye()
            waiting = {peer for peer in waiting if not self._links[peer].parted(PULSE)}
            self._meet_again(set(self._links))
            waiting |= {peer for peer, link in self._links.items() if not link.parted(0)}
            if waiting and time.monotonic() > deadline:
                raise PeerError(min(waiting), f"did not part within {self._timeout:g} s")
        for error in self._surplus():
            raise error

    def _keep_books(self, lasting: Lasting) -> None:
        """Let the journal's thread, idle while links are made, speak to peers."""
        journal = lasting.journal
        journal.on_checkpoint = lambda taken: lasting.acknowledge(self._links, taken)
        journal.needless = lambda: {peer: link.acknowledged for peer, link in self._links.items()}
        journal.on_failure(self._spread)

    def _send(self, step: Send) -> None:
        data = encode(step.message)
        if self.witness and not (self._lasting and self._lasting.journal.holds(step.to)):
            self.witness.sending(step.to, step.message, data)
        self.ledger.record(step.to, step.message, len(data))
        if self._lasting is None:
            self._links[step.to].send(data, self._timeout)
        else:
            self._lasting.journal.keep(step.to, data, partial(self._carry, step.to, data))
            if self._links[step.to].broken:
                self._meet_again({step.to})
        self._charge(type(step.message)).sent += len(data)

    def _carry(self, to: str, data: bytes) -> None:
        """Send what is stored, in the journal's thread."""
        try:
            self._links[to].send(data, self._timeout)
        except LostError:
            pass  # it is sent once the peer is back
        except PeerError as error:
            self._spread(error)

    def _receive(self, step: Receive) -> Message:
        data = self._taken(step)
        if self._lasting:
            self._lasting.journal.took(step.sender)
        if self.witness:
            self.witness.received(step.sender, step.kind, data)
        self._charge(step.kind).received += len(data)
        return step.open(data)

    def _taken(self, step: Receive) -> bytes:
        if self._lasting:
            self._lasting.journal.hurry()
        while True:
            try:
                return self._links[step.sender].receive(self._timeout, step.kind.__name__)
            except LostError as loss:
                if self._lasting is None:
                    raise
                self._meet_again({loss.peer, *self._links})

    def _meet_again(self, peers: set[str]) -> None:
        """Make anew the links to those of these peers that have none, or a broken one."""
        assert self._lasting is not None
        for link in self._links.values():
            link.calm()  # before one looks: what is lost later is news
        lost = {peer for peer in peers if peer not in self._links or self._links[peer].broken}
        self._lasting.journal.settle()
        for peer in lost & self._links.keys():
            self._links.pop(peer).drop()
        for peer in self._lasting.meet_again(self._links, lost):
            self._links[peer].watch(self._spread)

    def _charge(self, kind: type[Message]) -> PhaseCost:
        now = time.monotonic(), self._cpu()
        cost = self.phases.setdefault(phase_of(kind), PhaseCost())
        cost.seconds += now[0] - self._mark[0]
        cost.cpu_seconds += now[1] - self._mark[1]
        self._mark = now
        return cost

    def _spread(self, error: Exception) -> None:
        for link in list(self._links.values()):  # other threads come here while links are made
            link.interrupt(error)

    def _leave(self, error: BaseException) -> None:
        """Stop the run everywhere, or leave it so that it can be resumed."""
        pauses = isinstance(error, (PausedError, KeyboardInterrupt, SystemExit))
        if self.witness:
            self.witness.stopped(public_reason(error))
        for link in self._links.values():
            if self._lasting and pauses:
                link.drop()
            else:
                link.abort(public_reason(error), forbidden=forbidden(error))


def forbidden(error: BaseException) -> bool:
    """Tell whether an error is what was agreed, here or at a peer."""
    return isinstance(error, ContractError | RefusedError)


def public_reason(error: BaseException) -> str:
    """Return what peers are told of an error.

    What is wrong with a party's own table or files would name its columns, lines and paths: peers
    learn only whose they are.
    """
    match error:
        case DataError():
            return "its table cannot be used; its operator was told why"
        case ConfigError():
            return "its configuration cannot be used; its operator was told why"
        case PausedError():
            return "it cannot go on now; its operator was told why"
        case VflError():
            return str(error)
        case KeyboardInterrupt() | SystemExit():
            return "interrupted by its operator"
    return "internal error"
