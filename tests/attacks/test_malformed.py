"""A party sends what its protocol does not allow.

Who: any party, or who sits on its wire.  Wants: to make another compute on rows it chose, or to stop it.
How: every message of every protocol, cut short, extended, emptied, or another kind's; every list of numbers
or ciphertexts in it one short, one long, or with a number that is none.
What stops it: messages are decoded by their declared kind and types; each role compares what came with what
it must hold, before it computes.
Pass: all are rejected, and the sender is named.
(Ciphertexts outside of the group, under another key or sharing a factor are tests of each protocol.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from attacked_runs import report
from hostile import Change, forged, tampered
from protocol_runs import RUNS, transcripts

from vfl.crypto.paillier import Ciphertexts
from vfl.errors import ProtocolError, VflError
from vfl.linear import residuals
from vfl.wire.codec import encode
from vfl.wire.flow import Receive
from vfl.wire.memory import run_in_memory
from vfl.wire.message import Message


def every_message(protocol: ModuleType) -> list[tuple[str, Message]]:
    """Return one message of each sender and kind, with its sender."""
    views = [(name, view) for run in transcripts(protocol) for name, view in run.views.items()]
    sent = [(name, s.message) for name, view in views for s in view if s.sender == name]
    return list({(name, type(m)): (name, m) for name, m in sent}.values())


def bytes_that_are_none(message: Message) -> Iterator[bytes]:
    """Yield bytes that are no message of this kind."""
    data = encode(message)
    yield b""
    yield data + b"\0"
    yield data.replace(type(message).__name__.encode(), b"Nothing", 1)
    yield from (data[:size] for size in {len(data) // 4, len(data) // 2, len(data) - 1})


def rejected_by_codec(sender: str, message: Message, data: bytes) -> bool:
    """Tell whether these bytes in place of a message are refused, and their sender named."""
    try:
        Receive(sender, type(message)).open(data)
    except ProtocolError as error:
        return error.peer == sender
    return False


def changes(message: Message) -> Iterator[tuple[str, Change]]:
    """Yield what may be wrong with the lists of a message of this kind."""
    for f in fields(message):  # type: ignore[arg-type]
        value = getattr(message, f.name)
        if isinstance(value, Ciphertexts):
            yield f"{f.name} one short", _with(f.name, lambda c: c[1:])
            yield f"{f.name} one long", _with(f.name, lambda c: Ciphertexts.joined([c[:1], c]))
        elif isinstance(value, np.ndarray) and value.size:
            yield f"{f.name} one short", _with(f.name, lambda a: a[1:])
            yield f"{f.name} one long", _with(f.name, lambda a: np.concatenate([a[:1], a]))
            if value.dtype.kind == "f":
                yield f"{f.name} not a number", _with(f.name, lambda a: a * np.nan)


def _with(name: str, change: Any) -> Change:
    return lambda message: forged(message, **{name: change(getattr(message, name))})


def rejected_by_role(protocol: ModuleType, sender: str, kind: type[Message], change: Change) -> bool:
    """Tell whether some run in which a message is changed ends with an error that names its sender."""
    for make in RUNS[protocol]:
        roles = make()
        if sender in roles:
            roles[sender] = tampered(roles[sender], kind, change)
        try:
            run_in_memory(roles)
        except VflError as error:
            return error.where == sender
    return False


def test_every_malformed_message_is_rejected_and_its_sender_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residuals, "BLOCK", 40)
    passed, tried = [], 0
    for protocol in RUNS:
        for sender, message in every_message(protocol):
            kind = type(message)
            for data in bytes_that_are_none(message):
                tried += 1
                if not rejected_by_codec(sender, message, data):
                    passed.append(f"{kind.__name__} of {sender}: {len(data)} bytes")
            for name, change in changes(message):
                tried += 1
                if not rejected_by_role(protocol, sender, kind, change):
                    passed.append(f"{kind.__name__} of {sender}: {name}")
    report("malformed messages accepted, or nobody named", "", f"{len(passed)} of {tried}")
    assert passed == []


def test_whatever_bytes_are_turned_over_nothing_but_the_senders_error_comes_of_it() -> None:
    draw = np.random.default_rng(1)
    refused = turned = 0
    for protocol in RUNS:
        for sender, message in every_message(protocol):
            data = np.frombuffer(encode(message), np.uint8)
            for _ in range(40):
                changed = data.copy()
                changed[draw.integers(0, min(len(data), 200), 3)] = draw.integers(0, 256, 3)
                turned += 1
                # Any error but a ProtocolError ends this test.
                refused += rejected_by_codec(sender, message, changed.tobytes())
    report("messages with three bytes turned over", "", f"{refused} of {turned} refused, no other error")
    assert refused > turned / 2
