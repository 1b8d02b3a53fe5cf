"""Every way in which a message can be other than it should, made from nothing but its bytes.

A change is a name, the bytes that arrive, and whether they can be what an honest party might have
sent on other data (`plausible`): then a run may end, else somebody must say who is at fault.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgpack
import numpy as np
from hostile import INVALID, KEY, PRIVATE
from numpy.typing import NDArray

from vfl.crypto.modular import from_ints
from vfl.crypto.paillier import Ciphertexts

HUGE = 2**40
LONG = "x" * 100_000


@dataclass(frozen=True, slots=True)
class Change:
    """One malformed message, or several in the place of one."""

    what: str
    data: bytes
    plausible: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """A message taken apart: its kind, its scalars, and its arrays as [name, tag, shape, bytes]."""

    kind: str
    scalars: dict[str, Any]
    arrays: tuple[tuple[str, Any, Any, bytes], ...] = field(repr=False)

    @classmethod
    def of(cls, data: bytes) -> Parts:
        """Take a message apart."""
        (size,) = struct.unpack_from(">I", data)
        kind, scalars, layout = msgpack.unpackb(data[4 : 4 + size])
        arrays, at = [], 4 + size
        for name, tag, shape, length in layout:
            arrays.append((name, tag, shape, data[at : at + length]))
            at += length
        return cls(kind, scalars, tuple(arrays))

    @property
    def form(self) -> tuple[Any, ...]:
        """What its kind alone decides: names and types."""
        scalars = {name: type(value) for name, value in self.scalars.items()}
        return scalars, [(name, tag) for name, tag, *_ in self.arrays]

    def bytes(self) -> bytes:
        """Put it together again."""
        layout = [[name, tag, shape, len(body)] for name, tag, shape, body in self.arrays]
        header: bytes = msgpack.packb([self.kind, self.scalars, layout])
        return struct.pack(">I", len(header)) + header + b"".join(body for *_, body in self.arrays)

    def told(self, **scalars: Any) -> bytes:
        """Return the message with other scalars."""
        return replace(self, scalars=self.scalars | scalars).bytes()

    def holding(self, at: int, tag: Any, shape: Any, body: bytes) -> bytes:
        """Return the message with another array."""
        changed = (self.arrays[at][0], tag, shape, body)
        return replace(self, arrays=(*self.arrays[:at], changed, *self.arrays[at + 1 :])).bytes()


def changes(data: bytes, others: list[bytes], rng: np.random.Generator) -> Iterator[Change]:
    """Yield every change of a message; `others`: messages of other kinds of the same run."""
    yield from _cut(data)
    yield from _flipped(data, rng)
    yield from _of_another_kind(data, others)
    parts = Parts.of(data)
    for name, value in parts.scalars.items():
        for what, changed, plausible in SCALARS[type(value)](value):
            yield Change(f"{name} {what}", parts.told(**{name: changed}), plausible)
    for at, (name, tag, shape, body) in enumerate(parts.arrays):
        change = _sealed if tag == "sealed" else _array
        for what, (now, size, held), plausible in change(tag, shape, body):
            yield Change(f"{name} {what}", parts.holding(at, now, size, held), plausible)


# bytes


def _cut(data: bytes) -> Iterator[Change]:
    (header,) = struct.unpack_from(">I", data)
    middle = (4 + header // 2, 3 + header, (4 + header + len(data)) // 2)
    for size in sorted({0, 1, 3, 4, *middle, len(data) - 1}):
        if size < len(data):
            yield Change(f"cut to {size} bytes", data[:size])
    yield Change("and a byte more", data + b"\0")
    for claim in (0, header - 1, header + 1, 2**32 - 1):
        yield Change(f"a header of {claim} bytes", struct.pack(">I", claim) + data[4:])


def _flipped(data: bytes, rng: np.random.Generator) -> Iterator[Change]:
    (header,) = struct.unpack_from(">I", data)
    ends = [(0, 4 + header, 6), (4 + header, len(data), 4)]
    for start, end, count in ends:
        for at in rng.integers(start, end, count) if end > start else ():
            bit = int(rng.integers(8))
            flipped = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            yield Change(f"bit {bit} of byte {at} flipped", flipped, plausible=True)


def _of_another_kind(data: bytes, others: list[bytes]) -> Iterator[Change]:
    parts = Parts.of(data)
    for other in others:
        theirs = Parts.of(other)
        yield Change(f"for it {theirs.kind}", other)
        renamed = replace(theirs, kind=parts.kind)
        yield Change(f"with the fields of {theirs.kind}", renamed.bytes(), renamed.form == parts.form)
    for kind in ("", "vfl", "\x1b[2J", LONG, parts.kind + " ", 7, None):
        yield Change(f"as a {str(kind)[:8]!r}", replace(parts, kind=kind).bytes())  # type: ignore[arg-type]
    if parts.scalars:
        yield Change("without scalars", replace(parts, scalars={}).bytes())
    if parts.arrays:
        yield Change("without arrays", replace(parts, arrays=()).bytes())
        yield Change("with every array twice", replace(parts, arrays=parts.arrays * 2).bytes())
    yield Change("with a field more", parts.told(more=1))


# scalars

Variants = Iterator[tuple[str, Any, bool]]


def _types(but: type) -> Variants:
    for value in (None, True, 1, 1.5, "1", b"1", [], {}, ["a"], [None], [[]]):
        if type(value) is not but:
            yield f"is {value!r}", value, False


def _flag(value: bool) -> Variants:
    yield from _types(bool)
    yield "turned round", not value, True


def _integer(value: int) -> Variants:
    yield from _types(int)
    for other in (-1, 0, 1, value - 1, value + 1, 2**31, HUGE, 2**63 - 1, -(2**63), 2**64 - 1):
        if other != value:
            yield f"is {other}", other, True


def _real(value: float) -> Variants:
    yield from _types(float)
    for bad in (float("nan"), float("inf"), -float("inf")):
        yield f"is {bad}", bad, False
    for other in (0.0, -1.0, -value, 1e-308, 1e12, 1e300, -1e300, 5e-324):
        yield f"is {other}", other, True


def _text(value: str) -> Variants:
    yield from _types(str)
    for other in ("", value + " ", value + "\0", "\x1b[2J", LONG):
        yield f"is {other[:12]!r}", other, False


def _texts(value: list[str]) -> Variants:
    yield from _types(list)
    yield "hold a number", [*value[1:], 1], False
    yield "hold one twice", [value[0], *value[:-1]] if len(value) > 1 else value * 2, False
    yield "hold a long one", [LONG, *value[1:]], False
    yield "hold an order to the terminal", ["\x1b[2J", *value[1:]], False
    yield "are none", [], True
    yield "are fewer", value[1:], True
    yield "are more", [*value, "one more"], True
    yield "are many", [str(k) for k in range(50_000)], True


SCALARS: dict[type, Callable[[Any], Variants]] = {
    bool: _flag,
    int: _integer,
    float: _real,
    str: _text,
    list: _texts,
}

# arrays

Held = tuple[Any, Any, bytes]


def _array(tag: str, shape: list[int], body: bytes) -> Iterator[tuple[str, Held, bool]]:
    dtype = np.dtype(tag)
    flags = dtype.kind == "b"
    size = int(np.prod(shape))
    whole = np.unpackbits(np.frombuffer(body, np.uint8))[:size] if flags else np.frombuffer(body, dtype)

    def held(values: NDArray[Any], form: list[int] | None = None) -> Held:
        flat = values.reshape(-1)
        data = np.packbits(flat) if flags else flat.astype(dtype)
        return tag, list(values.shape) if form is None else form, data.tobytes()

    values = whole.reshape(shape)
    for claim in ([HUGE], [2**62], [-1], [2**31, 2**31, 0], "x", None, 3, [1.5], [True], [None]):
        yield f"of shape {claim}", (tag, claim, body), False
    for other in ("<f4", "sealed", "|O", "O", "<U9999999", "|V8", "", None, 7, [["a", "<f8"]], LONG):
        yield f"of type {str(other)[:9]}", (other, shape, body), False
    yield "empty", held(values[:0]), False
    yield "empty and wide", (tag, [0, 2**31], b""), False
    yield "as a table", held(values[None]), False
    yield "as a single value", held(whole[:1], []), False
    yield "one too many", held(np.concatenate([values, values[-1:]])), False
    yield "far too many", held(np.concatenate([values] * (1 + 10_000 // max(size, 1)))), False
    if len(values) > 1:
        yield "one too few", held(values[1:]), False
        yield "turned round", held(values[::-1]), True
    if size:
        yield from ((what, held(now), ok) for what, now, ok in _values(values, dtype))


def _values(values: NDArray[Any], dtype: np.dtype[Any]) -> Iterator[tuple[str, NDArray[Any], bool]]:
    if dtype.kind == "b":
        extremes: dict[str, Any] = {"false": 0, "true": 1}
    elif dtype.kind == "f":
        extremes = {"0": 0.0, "-1": -1.0, "1e12": 1e12, "1e300": 1e300, "-1e308": -1e308, "tiny": 5e-324}
        for bad in (np.nan, np.inf, -np.inf):
            yield f"all {bad}", np.full_like(values, bad), False
            yield f"first {bad}", _first(values, bad), False
    else:
        info = np.iinfo(dtype)
        extremes = {"least": info.min, "most": info.max, "0": 0, "1": 1}
        # Two and a half of the largest wrap around to sums as small as those of honest numbers.
        top = np.array([info.max, info.max, 2 + int(values.sum() % info.max)], np.uint64).astype(dtype)
        yield "that wrap around", top, False
    for name, value in extremes.items():
        yield f"all {name}", np.full_like(values, value), True
        yield f"first {name}", _first(values, value), True
        if dtype.kind != "b":
            turns = np.resize([value, values.flat[0]], values.shape)
            yield f"first {name}, then in turn", turns.astype(dtype), True


def _first(values: NDArray[Any], value: Any) -> NDArray[Any]:
    changed = values.copy()
    changed.flat[:1] = value
    return changed


# sealed values


def _sealed(_: str, header: dict[str, Any], body: bytes) -> Iterator[tuple[str, Held, bool]]:
    width = header.get("width", 32)
    units = [body[at : at + width] for at in range(0, len(body), width)]

    def held(now: list[bytes], **said: Any) -> Held:
        data = b"".join(now)
        counted = {"count": len(data) // width} if "count" in header else {}
        return "sealed", header | counted | said, data

    for name, value in header.items():
        for other in (-1, 0, 1, True, HUGE, 2**64 - 1, 1.5, float(width), "x", LONG, None, [], {}):
            if other != value or type(other) is not type(value):
                yield f"with {name} {str(other)[:8]!r}", ("sealed", header | {name: other}, body), False
        without = {k: v for k, v in header.items() if k != name}
        yield f"without {name}", ("sealed", without, body), False
    yield "with more in the header", held(units, more=1), False
    yield "of another type", ("<f8", [len(body) // 8], body), False
    yield "of no header", ("sealed", 5, body), False
    yield "cut by a byte", ("sealed", header, body[:-1]), False
    if not units:
        return
    yield "none", held([]), False
    yield "one too few", held(units[1:]), False
    yield "one too many", held([*units, units[0]]), False
    yield "twice as many", held(units * 2), False
    if len(units) > 1:
        yield "turned round", held(units[::-1]), True
        yield "the first twice", held([units[1], *units[1:]]), True
    group = "key" in header or "width" not in header
    below = group or "count" not in header
    yield "the first nought", held([bytes(width), *units[1:]]), not group
    yield "the last nought", held([*units[:-1], bytes(width)]), not group
    yield "the first all ones", held([b"\xff" * width, *units[1:]]), not below
    if "key" in header:
        yield from _ciphertexts(Ciphertexts.from_wire(header, body))


def _ciphertexts(honest: Ciphertexts) -> Iterator[tuple[str, Held, bool]]:
    for what, (change, _) in INVALID.items():
        header, body = change(honest).to_wire()
        yield what, ("sealed", header, body), False
    half = KEY.width // 2
    for what, value in {"q": PRIVATE.q, "1": 1}.items():
        pairs = honest.pairs.copy()
        pairs[0] = from_ints([value, 0], half).reshape(-1)
        header, body = Ciphertexts(honest.key, pairs).to_wire()
        yield f"the first {what}", ("sealed", header, body), what == "1"
