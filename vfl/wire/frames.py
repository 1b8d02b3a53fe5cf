"""The frames of a link: how hellos and messages travel on one stream.

    frame = u8 kind | body                                      at most 1 MiB

    kind   name   body
    1      hello  msgpack [format, contract, run, task, party, have, absent]  either side's first frame
    2      part   u32 length of the whole message | bytes       all parts are equally long
    3      end    u32 length of the whole message | bytes       the rest; completes the message
    4      abort  u8 1 if by what was agreed, else 0 | why, UTF-8     the run is over, whatever is under way
    5      bye    nothing                                       the sender has said all it had to say
    6      ack    u64 count                                     the sender has so many messages for good

Integers are big-endian and `format` is 4.  `have` is how many messages of this run its sender has
taken already: the other side begins with the next.  `absent` are the parties without which the run
is, as the one that begins it says; whom it has told repeats it to those that it calls.  A message of
n bytes is floor((n - 1) / PART) parts of exactly PART bytes and an end that holds the rest, so a
receiver knows from the first of them how much will come and refuses more than `codec.MAX_MESSAGE`
before it keeps a byte; short parts are refused as well, else a million of them could cost more than
the message.

Whoever receives a bye answers with one, in a lasting run once it is done itself, and ends its
stream.  A stream that ends without a bye is broken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from enum import IntEnum

import msgpack

from vfl.errors import PeerError, RefusedError
from vfl.wire.codec import MAX_MESSAGE

MAX_FRAME = 1 << 20
"""Bytes of the largest frame, its head included."""

MAX_HELLO = 4096
"""Bytes of the largest hello or abort."""

FORMAT = 4
"""The format that this file describes."""

STOPPED = "stopped the run"
"""What is said of a peer that did."""

_HEAD = struct.Struct(">BI")
_ACK = struct.Struct(">BQ")

PART = MAX_FRAME - _HEAD.size
"""Bytes of a message that one frame carries."""


class Kind(IntEnum):
    """The first byte of a frame."""

    HELLO = 1
    PART = 2
    END = 3
    ABORT = 4
    BYE = 5
    ACK = 6


@dataclass(frozen=True, slots=True)
class Hello:
    """What both sides say first: the job's hash, the run, "train" or "score", who speaks, what it has.

    And which parties are away.
    """

    contract: str
    run: str
    task: str
    party: str
    have: int = 0
    absent: tuple[str, ...] = ()


def hello_frame(hello: Hello) -> bytes:
    """Return the frame of a hello."""
    frame: bytes = bytes([Kind.HELLO]) + msgpack.packb([FORMAT, *astuple(hello)])
    assert len(frame) <= MAX_HELLO
    return frame


def open_hello(frame: bytes) -> Hello:
    """Return the hello that a frame holds; raise ValueError on any other frame."""
    if kind_of(frame) is not Kind.HELLO or len(frame) > MAX_HELLO:
        raise ValueError("a hello was expected")
    try:
        said = msgpack.unpackb(frame[1:])
    except Exception as error:
        raise ValueError("hello is not msgpack") from error
    if not isinstance(said, list) or len(said) < 2 or type(said[0]) is not int:
        raise ValueError("hello has another form")
    if said[0] != FORMAT:
        raise ValueError(f"speaks format {said[0]} of the wire, not {FORMAT}")
    if len(said) != 7 or type(said[6]) is not list:
        raise ValueError("hello has another form")
    *texts, have, absent = said[1:]
    if any(type(t) is not str or not t.isprintable() for t in (*texts, *absent)):
        raise ValueError("hello has another form")
    if type(have) is not int or not 0 <= have < 1 << 63:
        raise ValueError("hello has another form")
    contract, run, task, party = texts
    return Hello(contract, run, task, party, have, tuple(absent))


def abort_frame(reason: str, *, forbidden: bool = False) -> bytes:
    """Return the frame that stops a run; a long reason is cut.  `forbidden`: by what was agreed."""
    return bytes([Kind.ABORT, forbidden]) + reason.encode()[: MAX_HELLO - 2]


def open_abort(frame: bytes, peer: str) -> PeerError:
    """Return the error that an abort is to whom it reaches, with the peer's reason as one printable line."""
    what = f"{STOPPED}: {printable(frame[2:MAX_HELLO].decode(errors='replace'))}"
    return RefusedError(peer, what) if frame[1:2] == b"\1" else PeerError(peer, what)


def ack_frame(count: int) -> bytes:
    """Return the frame that says how many messages need never be sent again."""
    return _ACK.pack(Kind.ACK, count)


def open_ack(frame: bytes) -> int:
    """Return the count of an ack; raise ValueError on another frame, or on a count that cannot be."""
    if len(frame) != _ACK.size:
        raise ValueError("an ack of another length")
    count: int = _ACK.unpack(frame)[1]
    if count >> 62:
        raise ValueError("an ack of more messages than there can be")
    return count


def bye_frame() -> bytes:
    """Return the frame that ends a side's part in a link."""
    return bytes([Kind.BYE])


def printable(text: str) -> str:
    """Return a peer's words without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)


def short_hash(contract: str) -> str:
    """Return the twelve digits of a contract's hash by which errors show it."""
    return contract.removeprefix("sha256:")[:12]


def kind_of(frame: bytes) -> Kind:
    """Return the kind of a frame; raise ValueError where it has none."""
    if not frame:
        raise ValueError("an empty frame")
    return Kind(frame[0])


def cut(message: bytes) -> Iterator[bytes]:
    """Yield the frames of a message."""
    assert len(message) <= MAX_MESSAGE, f"a message of {len(message)} bytes cannot be sent"
    view = memoryview(message)
    last = max(len(view) - 1, 0) // PART * PART
    for start in range(0, last, PART):
        yield b"".join((_HEAD.pack(Kind.PART, len(view)), view[start : start + PART]))
    yield b"".join((_HEAD.pack(Kind.END, len(view)), view[last:]))


class Assembler:
    """Puts messages together again from their frames."""

    def __init__(self) -> None:
        self._parts: list[memoryview] = []
        self._length = 0

    def add(self, frame: bytes) -> bytes | None:
        """Take a part or an end; return the message that it completes.

        Raises ValueError on a frame that is not the next one of a message of acceptable length.
        """
        if len(frame) < _HEAD.size:
            raise ValueError("a truncated frame")
        kind, length = _HEAD.unpack_from(frame)
        if length > MAX_MESSAGE:
            raise ValueError(f"a message of {length} bytes, more than {MAX_MESSAGE}")
        if self._parts and length != self._length:
            raise ValueError("a message that changes its length")
        left = length - len(self._parts) * PART
        body = memoryview(frame)[_HEAD.size :]
        if len(body) != min(left, PART) or (kind == Kind.END) != (left <= PART):
            raise ValueError("a frame that does not fit its message")
        self._length = length
        self._parts.append(body)
        return self._complete() if kind == Kind.END else None

    def _complete(self) -> bytes:
        message = b"".join(self._parts)
        self._parts.clear()
        return message
