"""Messages as bytes: a bounded msgpack header, then raw arrays.

    message = u32 header length | header | array bytes ...
    header  = msgpack [kind name, {scalar field: value}, [[field, dtype, shape or header, nbytes], ...]]

All integers of the frame are big-endian; arrays are C-ordered and little-endian, flags are packed
eight to a byte.  `decode` knows the one kind it expects, checks every length before it allocates,
and raises ValueError on anything else; nothing is ever looked up by a name from the wire.
"""

from __future__ import annotations

import math
import struct
from typing import Any, TypeVar

import msgpack
import numpy as np

from vfl.wire.message import Message, array_dtype, field_types, is_sealed, kind_name

M = TypeVar("M", bound=Message)

MAX_MESSAGE = 256 << 20
"""Bytes of the largest message either side accepts; protocols send large tables in blocks."""

MAX_HEADER = 1 << 20
"""Bytes of the largest header: scalars and names only."""

_LENGTH = struct.Struct(">I")


class WrongKindError(ValueError):
    """The bytes hold another message than the one expected."""


def encode(message: Message) -> bytes:
    """Return the bytes of a message."""
    scalars: dict[str, Any] = {}
    layout: list[list[Any]] = []
    parts: list[bytes] = []
    for name, hint in field_types(type(message)).items():
        value = getattr(message, name)
        if (dtype := array_dtype(hint)) is not None:
            data = _array_bytes(name, value, dtype)
            layout.append([name, dtype.str, list(value.shape), len(data)])
            parts.append(data)
        elif is_sealed(hint):
            assert type(value) is hint, f"{type(message).__name__}.{name} must be {hint.__name__}"
            header, data = value.to_wire()
            layout.append([name, "sealed", header, len(data)])
            parts.append(data)
        else:
            scalars[name] = list(value) if isinstance(value, tuple) else value
    packed = msgpack.packb([kind_name(type(message)), scalars, layout], use_bin_type=True)
    assert len(packed) <= MAX_HEADER, f"{type(message).__name__}: header too long"
    return b"".join([_LENGTH.pack(len(packed)), packed, *parts])


def decode(kind: type[M], data: bytes) -> M:
    """Return the message of this kind; raise WrongKindError or ValueError on any other bytes."""
    scalars, layout, body = _open(kind, data)
    hints = field_types(kind)
    if len(layout) + len(scalars) != len(hints):
        raise ValueError("missing or repeated fields")
    values: dict[str, Any] = {}
    offset = 0
    for name, tag, shape, size in layout:
        fits = type(size) is int and 0 <= size <= len(body) - offset
        if type(name) is not str or name not in hints or name in values or not fits:
            raise ValueError(f"field {name!r} does not fit")
        values[name] = _rebuild(hints[name], tag, shape, bytes(body[offset : offset + size]))
        offset += size
    if offset != len(body):
        raise ValueError(f"{len(body) - offset} bytes too many")
    for name, value in scalars.items():
        if name not in hints or name in values:
            raise ValueError(f"field {name!r} is not expected")
        values[name] = _scalar(name, hints[name], value)
    return kind(**values)


def _header(data: bytes) -> tuple[list[Any], int]:
    if not _LENGTH.size <= len(data) <= MAX_MESSAGE:
        raise ValueError(f"{len(data)} bytes are not a message")
    (size,) = _LENGTH.unpack_from(data)
    if size > min(MAX_HEADER, len(data) - _LENGTH.size):
        raise ValueError("header is longer than the message")
    try:
        header = msgpack.unpackb(data[_LENGTH.size : _LENGTH.size + size], strict_map_key=True)
    except Exception as error:
        raise ValueError("header is not msgpack") from error
    if not (isinstance(header, list) and len(header) == 3 and isinstance(header[0], str)):
        raise ValueError("header has another form")
    return header, _LENGTH.size + size


def _open(kind: type[Message], data: bytes) -> tuple[dict[str, Any], list[Any], memoryview]:
    (name, scalars, layout), start = _header(data)
    if name != kind_name(kind):
        raise WrongKindError(name.rpartition(".")[2][:80])
    if not isinstance(scalars, dict) or not isinstance(layout, list):
        raise ValueError("header has another form")
    if any(not isinstance(entry, list) or len(entry) != 4 for entry in layout):
        raise ValueError("layout has another form")
    return scalars, layout, memoryview(data)[start:]


def _array_bytes(name: str, value: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> bytes:
    assert value.dtype == dtype, f"{name} is {value.dtype}, declared {dtype}"
    if dtype.kind == "b":
        return np.packbits(value).tobytes()
    return np.ascontiguousarray(value, dtype=dtype.newbyteorder("<")).tobytes()


def _rebuild(hint: Any, tag: Any, shape: Any, data: bytes) -> Any:
    if is_sealed(hint):
        if tag != "sealed" or not isinstance(shape, dict):
            raise ValueError("a sealed field was expected")
        return hint.from_wire(shape, data)
    dtype = array_dtype(hint)
    if dtype is None or tag != dtype.str:
        raise ValueError(f"an array of {tag!r} was not expected")
    if not isinstance(shape, list) or len(shape) > 3 or any(not _is_length(s) for s in shape):
        raise ValueError("bad shape")
    size = math.prod(shape)
    if dtype.kind == "b":
        return _flags(data, size).reshape(shape)
    if size * dtype.itemsize != len(data):
        raise ValueError("shape and bytes disagree")
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 8 * MAX_MESSAGE


def _flags(data: bytes, size: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if len(data) != -(-size // 8):
        raise ValueError("shape and bytes disagree")
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    if bits[size:].any():
        raise ValueError("bits beyond the last flag")
    return bits[:size].view(np.bool_)


def _scalar(name: str, hint: Any, value: Any) -> Any:
    if hint == tuple[str, ...]:
        if not isinstance(value, list) or any(type(v) is not str for v in value):
            raise ValueError(f"{name} must be a list of texts")
        return tuple(value)
    if type(value) is not hint:
        raise ValueError(f"{name} must be {hint}")
    if hint is float and not math.isfinite(value):
        raise ValueError(f"{name} must be finite")
    return value
