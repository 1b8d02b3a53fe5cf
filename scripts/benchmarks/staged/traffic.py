"""What three parties said to one another, as their audit logs tell, and how long it takes elsewhere.

`replayed` runs the messages of one training over wires of another speed: every party computes for
as long as it did, then waits for what it has to wait for.

    a message leaves     once its sender has computed and the wire has carried what was sent before
    and arrives          size / rate + delay later
    and is taken         once its receiver has taken the one before, and computed for as long as it did

`hops` counts messages that must follow one another: a round trip is two.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One message at one of its ends: when, whether it was sent, the peer, kind, bytes and SHA-256."""

    at: float
    sent: bool
    peer: str
    kind: str
    size: int
    digest: str


@dataclass
class Replay:
    """When and after how many messages in a row each party had done its lines."""

    seconds: dict[str, float] = field(default_factory=dict)
    hops: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Hops at which messages of each kind were taken."""


def lines_of(log: Path, run: str | None = None) -> list[Line]:
    """Return the messages of a party's log that holds one training, or of this run alone."""
    lines = [line for line in map(json.loads, log.read_text().splitlines()) if run in (None, line.get("run"))]
    return [
        Line(
            datetime.fromisoformat(line["at"]).timestamp(),
            line["event"] == "sent",
            line["to"] if line["event"] == "sent" else line["from"],
            line["kind"],
            line["bytes"],
            line["sha256"],
        )
        for line in lines
        if line["event"] in ("sent", "received")
    ]


def bytes_between(logs: dict[str, list[Line]], one: str, other: str) -> int:
    """Return the bytes of messages from one party to another, whose logs must agree on each."""
    sent = [(x.kind, x.size, x.digest) for x in logs[one] if x.sent and x.peer == other]
    taken = [(x.kind, x.size, x.digest) for x in logs[other] if not x.sent and x.peer == one]
    if sent != taken:
        raise SystemExit(f"the logs of {one} and {other} differ")
    return sum(size for _, size, _ in sent)


def replayed(logs: dict[str, list[Line]], *, delay: float, rate: float) -> Replay:
    """Return when each party is done if wires take `delay` seconds, and `rate` bytes a second each way."""
    start = min(lines[0].at for lines in logs.values())
    found = Replay(dict.fromkeys(logs, 0.0), dict.fromkeys(logs, 0))
    wires: dict[tuple[str, str], deque[tuple[float, int, float]]] = defaultdict(deque)
    free: dict[tuple[str, str], float] = defaultdict(float)
    before, left = dict.fromkeys(logs, start), {name: deque(lines) for name, lines in logs.items()}
    while name := _ready(left, wires):
        line = left[name].popleft()
        if line.sent:
            found.seconds[name] += line.at - before[name]
            way = name, line.peer
            free[way] = max(free[way], found.seconds[name]) + line.size / rate
            wires[way].append((free[way] + delay, found.hops[name], line.at))
        else:
            arrives, hops, was_sent = wires[line.peer, name].popleft()
            computed = line.at - max(before[name], was_sent)
            found.seconds[name] = max(found.seconds[name], arrives) + max(0.0, computed)
            found.hops[name] = max(found.hops[name], hops + 1)
            found.kinds[line.kind].append(found.hops[name])
        before[name] = line.at
    return found


def _ready(
    left: dict[str, deque[Line]], wires: dict[tuple[str, str], deque[tuple[float, int, float]]]
) -> str | None:
    """Return a party whose next line can be done, None if all are."""
    for name, lines in left.items():
        if lines and (lines[0].sent or wires[lines[0].peer, name]):
            return name
    assert not any(left.values()), "a message was taken that nobody sent"
    return None


def hops_apart(found: Replay, kinds: Iterable[str]) -> list[int]:
    """Return the hops from one message of a kind to the next, of the first of these kinds there is."""
    for kind in kinds:
        if at := found.kinds.get(kind):
            return [b - a for a, b in pairwise(at)]
    return []
