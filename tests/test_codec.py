"""Bytes of messages and of frames: what comes back is what went in, and nothing else comes in."""

import struct
import tracemalloc
from contextlib import suppress
from dataclasses import dataclass

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from vfl.errors import PeerError, RefusedError
from vfl.wire.codec import MAX_HEADER, MAX_MESSAGE, WrongKindError, decode, encode
from vfl.wire.frames import (
    FORMAT,
    PART,
    Assembler,
    Hello,
    abort_frame,
    cut,
    hello_frame,
    open_abort,
    open_ack,
    open_hello,
)
from vfl.wire.message import Message, kind_name


@dataclass(frozen=True)
class Digits:
    """Sealed values: n bytes, each a digit."""

    data: bytes

    @property
    def sealed_count(self):
        return len(self.data)

    def to_wire(self):
        return {"base": 10}, self.data

    @classmethod
    def from_wire(cls, header, data):
        if header != {"base": 10} or any(d > 9 for d in data):
            raise ValueError("not digits")
        return cls(data)


@dataclass(frozen=True, slots=True)
class Sample(Message):
    """A field of every kind.  Reveals: all but the digits."""

    count: int
    mean: float
    done: bool
    names: tuple[str, ...]
    real: NDArray[np.float64]
    codes: NDArray[np.uint16]
    flags: NDArray[np.bool_]
    digits: Digits


@dataclass(frozen=True, slots=True)
class Pair(Message):
    """Two numbers and some reals.  Reveals: them."""

    count: int
    real: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flags(Message):
    """Some flags.  Reveals: them."""

    flags: NDArray[np.bool_]


shapes = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9)
samples = st.builds(
    Sample,
    count=st.integers(-(2**63), 2**64 - 1),
    mean=st.floats(allow_nan=False, allow_infinity=False),
    done=st.booleans(),
    names=st.lists(st.text()).map(tuple),
    real=arrays.arrays(np.float64, shapes),
    codes=arrays.arrays(np.uint16, shapes),
    flags=arrays.arrays(np.bool_, shapes),
    digits=st.lists(st.integers(0, 9)).map(lambda d: Digits(bytes(d))),
)


def raw(scalars, layout, body=b"", kind=Pair):
    """Return the bytes of a message as a peer with another program could write them."""
    header = msgpack.packb([kind_name(kind), scalars, layout])
    return struct.pack(">I", len(header)) + header + body


REAL = ["real", "<f8", [1], 8]
MALFORMED = {
    "nothing": b"",
    "three bytes": b"abc",
    "a header that is longer than the message": struct.pack(">I", 100) + bytes(50),
    "a header that is not msgpack": struct.pack(">I", 1) + b"\xc1",
    "a header nested beyond measure": struct.pack(">I", 10**5) + b"\x91" * 10**5,
    "a header of another form": struct.pack(">I", 1) + b"\x90",
    "a map for a layout": raw({"count": 1}, {}),
    "a layout entry of three": raw({"count": 1}, [REAL[:3]], bytes(8)),
    "too few bytes": raw({"count": 1}, [REAL], bytes(7)),
    "too many bytes": raw({"count": 1}, [REAL], bytes(9)),
    "a missing scalar": raw({}, [REAL], bytes(8)),
    "a missing array": raw({"count": 1}, []),
    "an array sent twice": raw({}, [REAL, REAL], bytes(16)),
    "an extra scalar": raw({"count": 1, "more": 2}, [REAL], bytes(8)),
    "an extra array": raw({"count": 1}, [REAL, ["more", "<f8", [0], 0]], bytes(8)),
    "an unknown array in place of a known one": raw({"count": 1}, [["more", "<f8", [1], 8]], bytes(8)),
    "a name that is no text": raw({"count": 1}, [[["real"], "<f8", [1], 8]], bytes(8)),
    "another dtype": raw({"count": 1}, [["real", "<i8", [1], 8]], bytes(8)),
    "a dtype that is no text": raw({"count": 1}, [["real", {}, [1], 8]], bytes(8)),
    "sealed values for an array": raw({"count": 1}, [["real", "sealed", {}, 8]], bytes(8)),
    "a negative side": raw({"count": 1}, [["real", "<f8", [-1], 8]], bytes(8)),
    "two negative sides": raw({"count": 1}, [["real", "<f8", [-1, -1], 8]], bytes(8)),
    "a side that is a flag": raw({"count": 1}, [["real", "<f8", [True], 8]], bytes(8)),
    "a side beyond measure": raw({"count": 1}, [["real", "<f8", [0, 2**62], 0]]),
    "four dimensions": raw({"count": 1}, [["real", "<f8", [1, 1, 1, 1], 8]], bytes(8)),
    "a shape and bytes that disagree": raw({"count": 1}, [["real", "<f8", [2], 8]], bytes(8)),
    "a negative size": raw({"count": 1}, [["real", "<f8", [1], -8]], bytes(8)),
    "a scalar for an array": raw({"count": 1, "real": 1.0}, []),
    "an array for a scalar": raw({"real": 1}, [["count", "<f8", [1], 8]], bytes(8)),
    "a flag for a number": raw({"count": True}, [REAL], bytes(8)),
    "a real for a number": raw({"count": 1.0}, [REAL], bytes(8)),
}
MALFORMED_SAMPLES = {
    "a mean that is infinite": {"mean": float("inf")},
    "names that are no list": {"names": "ab"},
    "names that are numbers": {"names": [1]},
}


@given(samples)
def test_a_message_comes_back_as_it_was_sent(sample):
    back = decode(Sample, encode(sample))
    assert encode(back) == encode(sample)
    for name in ("count", "mean", "done", "names", "digits"):
        assert getattr(back, name) == getattr(sample, name)
    for name in ("real", "codes", "flags"):
        np.testing.assert_array_equal(getattr(back, name), getattr(sample, name), strict=True)


@given(samples, st.data())
def test_a_message_cut_short_anywhere_is_refused(sample, data):
    whole = encode(sample)
    with pytest.raises(ValueError, match=r"."):
        decode(Sample, whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    with pytest.raises(ValueError, match=r"."):
        decode(Pair, noise)


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        decode(Pair, data)


@pytest.mark.parametrize("change", MALFORMED_SAMPLES.values(), ids=MALFORMED_SAMPLES)
def test_a_scalar_of_another_type_is_refused(change):
    empty = [["real", "<f8", [0], 0], ["codes", "<u2", [0], 0], ["flags", "|b1", [0], 0]]
    layout = [*empty, ["digits", "sealed", {"base": 10}, 0]]
    plain = {"count": 1, "mean": 0.0, "done": False, "names": []}
    assert decode(Sample, raw(plain, layout, kind=Sample)).count == 1
    with pytest.raises(ValueError, match=r"."):
        decode(Sample, raw({**plain, **change}, layout, kind=Sample))


def test_bits_beyond_the_last_flag_are_refused():
    layout = [["flags", "|b1", [3], 1]]
    assert decode(Flags, raw({}, layout, b"\xa0", kind=Flags)).flags.tolist() == [True, False, True]
    with pytest.raises(ValueError, match="beyond the last flag"):
        decode(Flags, raw({}, layout, b"\xa1", kind=Flags))


def test_another_kind_of_message_is_named():
    with pytest.raises(WrongKindError, match="Flags"):
        decode(Pair, encode(Flags(np.ones(3, np.bool_))))


def test_a_message_over_the_limit_is_refused_before_it_is_read():
    with pytest.raises(ValueError, match="not a message"):
        decode(Pair, bytes(MAX_MESSAGE + 1))


def test_a_header_over_the_limit_is_refused():
    long = struct.pack(">I", MAX_HEADER + 1) + bytes(MAX_HEADER + 1)
    with pytest.raises(ValueError, match="header is longer"):
        decode(Pair, long)


def test_an_array_of_another_dtype_is_our_own_mistake():
    with pytest.raises(AssertionError, match="real is float32"):
        encode(Pair(1, np.zeros(2, np.float32)))


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 5])
def test_a_message_comes_back_from_its_frames(size):
    message = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assembler = Assembler()
    *parts, last = cut(message)
    assert [assembler.add(part) for part in parts] == [None] * (max(size - 1, 0) // PART)
    assert assembler.add(last) == message


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ([b"\x03\x00"], "truncated"),
        ([struct.pack(">BI", 2, MAX_MESSAGE + 1)], "more than"),
        ([struct.pack(">BI", 2, 3 * PART) + b"x"], "does not fit"),
        ([struct.pack(">BI", 2, 3) + b"xyz"], "does not fit"),
        ([struct.pack(">BI", 3, 4) + b"xyz"], "does not fit"),
        ([struct.pack(">BI", 3, 2) + b"xyz"], "does not fit"),
        ([struct.pack(">BI", 3, 2 * PART) + bytes(PART)], "does not fit"),
        ([struct.pack(">BI", 2, 2 * PART) + bytes(PART), struct.pack(">BI", 3, 3) + b"xyz"], "changes"),
    ],
)
def test_frames_that_make_no_message_are_refused(frames, complaint):
    assembler = Assembler()
    with pytest.raises(ValueError, match=complaint):
        for frame in frames:
            assembler.add(frame)


def test_a_hello_comes_back_as_it_was_said():
    hello = Hello("c" * 64, "run 1", "score", "bank", 3, ("insurer", "lender"))
    assert open_hello(hello_frame(hello)) == hello


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x05",
        b"\x01",
        b"\x01\xc1",
        b"\x01" + msgpack.packb("text"),
        b"\x01" + msgpack.packb([1, "c", "r", "t"]),
        b"\x01" + msgpack.packb([1, "c", "r", "t", 5]),
        b"\x01" + msgpack.packb([1, "c", "r", "t", "\x1b[2J"]),
        b"\x01" + msgpack.packb([2, "c", "r", "t", "p"]),
        b"\x01" + msgpack.packb([1, "c" * 5000, "r", "t", "p"]),
        b"\x01" + msgpack.packb([FORMAT, "c", "r", "t", "p", 0]),
        b"\x01" + msgpack.packb([FORMAT, "c", "r", "t", "p", 0, "insurer"]),
        b"\x01" + msgpack.packb([FORMAT, "c", "r", "t", "p", 0, [7]]),
        b"\x01" + msgpack.packb([FORMAT, "c", "r", "t", "p", -1, []]),
    ],
)
def test_anything_but_a_hello_is_refused(frame):
    with pytest.raises(ValueError, match=r"."):
        open_hello(frame)


def test_a_reason_cannot_move_the_terminals_cursor():
    told = open_abort(b"\x04\0bad\x1b[2J\nnews \xff", "host")
    assert (type(told), str(told)) == (PeerError, "host: stopped the run: bad [2J news �")


def test_who_stops_a_run_says_whether_that_was_agreed():
    told = open_abort(abort_frame("no approval", forbidden=True), "host")
    assert (type(told), told.exit_code) == (RefusedError, 5)
    assert told.hint.startswith("see `vfl job status`")
    assert open_abort(abort_frame("no table"), "host").exit_code == 4


@given(samples, st.data())
def test_a_message_with_anything_changed_is_refused_or_is_another_message(sample, data):
    changed = bytearray(encode(sample))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=5))
    with suppress(ValueError):
        other = decode(Sample, bytes(changed))
        assert encode(decode(Sample, encode(other))) == encode(other)


headers = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
words = st.sampled_from(["real", "count", "<f8", "|O", "sealed", 0, 1, 8, -1, 2**40, 2**62])
layouts = st.lists(st.lists(words | headers | st.lists(words), min_size=3, max_size=5))


@given(st.dictionaries(words.map(str), headers), layouts | headers, st.binary(max_size=32))
def test_headers_of_any_form_are_refused_and_take_no_room(scalars, layout, body):
    data = raw(scalars, layout, body)
    tracemalloc.start()
    with suppress(ValueError):
        decode(Pair, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@given(st.binary(max_size=100) | headers.map(msgpack.packb))
def test_hellos_acks_and_frames_of_noise_are_refused(noise):
    for opening in (open_hello, open_ack, Assembler().add):
        for head in (b"", b"\x01", b"\x02", b"\x03", b"\x06"):
            with suppress(ValueError):
                opening(head + noise)
    assert str(open_abort(noise, "host")).isprintable()
