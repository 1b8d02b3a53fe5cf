"""Whatever a party sends in place of any message of any protocol, the run ends and that party is named.

Cases are made from the bytes of honest runs (`malformed`), for every message of every run of
`protocol_runs`: replayed, swapped with the next to the same peer, dropped, and changed in every way.
A part of them, drawn by seed, is tried each time; VFL_EVERY_CASE=1 tries all.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from malformed import Parts, changes
from protocol_runs import RUNS
from protocol_tables import Roles

from psi import ecdh, lookup, several
from vfl.errors import ContractError, ProtocolError, VflError
from vfl.features import woe
from vfl.linear import residuals
from vfl.trees import hidden, shown
from vfl.wire.flow import Receive, Role
from vfl.wire.memory import DeadlockError, Transcript, run_in_memory
from vfl.wire.message import Message, kind_name

EVERY_CASE = bool(os.environ.get("VFL_EVERY_CASE"))
PART = 500
"""Cases of a run that are tried each time."""


@dataclass(frozen=True, slots=True)
class Case:
    """What arrives in place of messages of one sender to one peer, by their number among those."""

    what: str
    sender: str
    to: str
    arrives: dict[int, tuple[bytes, ...]]
    plausible: bool = False
    kind: type[Message] | None = None
    """Where one message arrives for one: its kind.  Most need not be run to be known as malformed."""


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rows and ids travel in several messages."""
    for module in (residuals, woe, shown, hidden):
        monkeypatch.setattr(module, "BLOCK", 45)
    for module in (ecdh, lookup, several):
        monkeypatch.setattr(module, "CHUNK", 3)


def cases(honest: Transcript, rng: np.random.Generator) -> Iterator[Case]:
    """Yield every case of a run."""
    wire, classes = honest.wire, {kind_name(k): k for k in map(type, messages(honest))}
    kinds = {Parts.of(data).kind: data for _, _, data in wire}
    numbers: Counter[tuple[str, str]] = Counter()
    for at, (sender, to, data) in enumerate(wire):
        # What is sent to others may come in another order, once something has changed.
        nth = numbers[sender, to]
        numbers[sender, to] += 1
        kind = Parts.of(data).kind
        name = f"{sender} -> {to}: {kind.rpartition('.')[2]} ({at})"
        # One message twice can be two honest ones, where several of a kind follow each other.
        yield Case(f"{name} replayed", sender, to, {nth: (data, data)})
        yield Case(f"{name} dropped", sender, to, {nth: ()})
        later = [k for k in range(at + 1, len(wire)) if wire[k][:2] == (sender, to)]
        if later and wire[later[0]][2] != data:
            alike = Parts.of(wire[later[0]][2]).kind == kind
            swapped = {nth: (), nth + 1: (wire[later[0]][2], data)}
            yield Case(f"{name} after the next", sender, to, swapped, alike)
        others = [other for k, other in kinds.items() if k != kind]
        for change in changes(data, others, rng):
            if change.data == data:
                continue
            arrives = {nth: (change.data,)}
            yield Case(f"{name} {change.what}", sender, to, arrives, change.plausible, classes[kind])


def messages(run: Transcript) -> Iterator[Message]:
    """Yield all messages of a run."""
    return (sent.message for view in run.views.values() for sent in view)


def outcome(make: Callable[[], Roles], case: Case) -> str:
    """Try a case; return how it ended, "bad: ..." where it may not end so."""
    if case.kind is not None:
        ((data,),) = case.arrives.values()
        try:
            Receive(case.sender, case.kind).open(data)
        except ProtocolError:
            return "malformed"
        except Exception as error:
            return f"bad: {type(error).__name__}: {error}"
    roles, sent = make(), iter(range(10**6))

    def post(sender: str, to: str, data: bytes) -> Iterable[bytes]:
        if (sender, to) != (case.sender, case.to):
            return (data,)
        return case.arrives.get(next(sent), (data,))

    try:
        run = run_in_memory({n: silenced(r) if n == case.sender else r for n, r in roles.items()}, post)
    except VflError as error:
        if blames(error, case.sender):
            return "blamed"
        if isinstance(error, ContractError) and error.where == "alignment":
            return "refused"
        return f"bad: {type(error).__name__}: {error}"
    except DeadlockError as error:
        if awaits(str(error), case.sender):
            return "awaited"
        return f"bad: {error}"
    except Exception as error:
        return f"bad: {type(error).__name__}: {error}"
    if any(isinstance(r, VflError) and blames(r, case.sender) for r in run.results.values()):
        return "blamed"
    return "ended" if case.plausible else "bad: ended"


async def silenced(role: Role[Any]) -> Any:
    """The role of the cheater, whose own complaints are of no interest."""
    try:
        return await role
    except VflError:
        return None


def blames(error: VflError, cheater: str) -> bool:
    """Tell whether an error names the cheater."""
    return re.search(rf"\b{cheater}\b", str(error)) is not None


def awaits(deadlock: str, cheater: str) -> bool:
    """Tell whether who waits for whom leads everybody to the cheater."""
    waits = dict(re.findall(r"(\w+) waits for \w+ of (\w+)", deadlock))
    for name in waits:
        met = {name}
        while name in waits and name != cheater and waits[name] not in met:
            name = waits[name]
            met.add(name)
        if cheater not in met:
            return False
    return True


def chosen(all_cases: list[Case], rng: np.random.Generator) -> list[Case]:
    """Return the cases to try."""
    if EVERY_CASE:
        return all_cases
    return [all_cases[k] for k in rng.choice(len(all_cases), min(PART, len(all_cases)), replace=False)]


@pytest.mark.parametrize(
    ("protocol", "run"),
    [(protocol, run) for protocol, runs in RUNS.items() for run in range(len(runs))],
    ids=lambda v: v.__name__ if isinstance(v, ModuleType) else str(v),
)
def test_whoever_sends_anything_else_is_named_and_nobody_fails(protocol: ModuleType, run: int) -> None:
    make, rng = RUNS[protocol][run], np.random.default_rng(run)
    honest = run_in_memory(make())
    ends: Counter[str] = Counter()
    bad = []
    for case in chosen(list(cases(honest, rng)), rng):
        end = outcome(make, case)
        ends[end.partition(":")[0]] += 1
        if end.startswith("bad"):
            bad.append(f"{case.what}: {end}")
    print(f"{protocol.__name__} {run}: {dict(ends)}")
    assert not bad, f"{len(bad)} cases\n" + "\n".join(bad)
