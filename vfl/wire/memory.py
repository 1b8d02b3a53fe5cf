"""All parties of a protocol in one process: deterministic, and it names a deadlock.

Messages still pass through the codec and the ledger, so a run in memory and a run over the
network exchange the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vfl.errors import ProtocolError
from vfl.wire.codec import encode
from vfl.wire.flow import Receive, Role, Send, Sent
from vfl.wire.ledger import Ledger
from vfl.wire.message import Message

Post = Callable[[str, str, bytes], Iterable[bytes]]
"""Told who sends what to whom; yields the messages that arrive in its place."""


class DeadlockError(Exception):
    """Every party waits for a message that nobody will send."""


def faithful(_sender: str, _to: str, data: bytes) -> Iterable[bytes]:
    """Let arrive what was sent."""
    return (data,)


@dataclass(slots=True)
class Transcript:
    """What came of a run: each role's result, and its view, ledger and bytes."""

    results: dict[str, Any] = field(default_factory=dict)
    views: dict[str, list[Sent]] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    wire: list[tuple[str, str, bytes]] = field(default_factory=list)


def run_in_memory(roles: Mapping[str, Role[Any]], post: Post = faithful, *, keep: bool = True) -> Transcript:
    """Run every role to its end; return their results and views.

    A view is all that a role sent and received, in its own order: what a log on its machine
    would hold, and what a proof of its privacy would quantify over.  Without `keep` there are no
    views and no bytes: the run takes the memory of its parties alone.  Raises ProtocolError where a
    role has sent more than its receiver asks for.
    """
    out = Transcript(views={n: [] for n in roles}, ledgers={n: Ledger() for n in roles})
    mail: dict[tuple[str, str], deque[bytes]] = {}
    waiting: dict[str, Receive] = {}

    def advance(name: str, value: Message | None) -> None:
        try:
            step = roles[name].send(value)
            while isinstance(step, Send):
                data = encode(step.message)
                out.ledgers[name].record(step.to, step.message, len(data))
                if keep:
                    out.views[name].append(Sent(name, step.to, step.message))
                    out.wire.append((name, step.to, data))
                mail.setdefault((name, step.to), deque()).extend(post(name, step.to, data))
                step = roles[name].send(None)
            waiting[name] = step
        except StopIteration as stop:
            out.results[name] = stop.value

    try:
        for name in roles:
            advance(name, None)
        while waiting:
            ready = [n for n, r in waiting.items() if mail.get((r.sender, n))]
            if not ready:
                raise DeadlockError(
                    "; ".join(f"{n} waits for {r.kind.__name__} of {r.sender}" for n, r in waiting.items())
                )
            for name in ready:
                want = waiting.pop(name)
                message = want.open(mail[want.sender, name].popleft())
                if keep:
                    out.views[name].append(Sent(want.sender, name, message))
                advance(name, message)
        for (sender, _), left in mail.items():
            if left:
                raise ProtocolError(sender, "sent more than the protocol asks for")
    finally:
        for role in roles.values():
            role.close()
    return out
