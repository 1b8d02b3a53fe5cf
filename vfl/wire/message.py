"""What may cross a wire, and what each crossing reveals.

A message is a frozen dataclass.  Its docstring is its formula followed by a sentence
``Reveals: ...``; its fields are of the types below and of no other, so that what it discloses
can be counted from the types alone:

    field type                      plaintext it discloses
    int, float                      one number, 64 bits
    bool                            one number, 1 bit
    str                             one number, 8 bits a byte
    tuple[str, ...]                 its length in numbers, 8 bits a byte
    NDArray[float64 | int64 | ...]  its size in numbers, the width of the dtype each
    NDArray[bool_]                  its size in numbers, 1 bit each
    a `Sealed` type                 none: encrypted, masked or blinded values

A message whose plain fields are worth more or less than their width overrides `disclosed`.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol, Self, get_args, get_origin, get_type_hints, runtime_checkable

import numpy as np

SCALARS = (int, float, bool, str)


@runtime_checkable
class Sealed(Protocol):
    """Values that disclose nothing to who receives them: the only non-plain field of a message.

    `sealed_count` is their number, for the ledger.
    """

    @property
    def sealed_count(self) -> int: ...

    def to_wire(self) -> tuple[dict[str, int | str], bytes]:
        """Return a small header and the raw bytes."""
        ...

    @classmethod
    def from_wire(cls, header: dict[str, int | str], data: bytes) -> Self:
        """Rebuild from `to_wire`; raise ValueError on anything malformed."""
        ...


@dataclass(frozen=True, slots=True)
class Disclosed:
    """How much plaintext one message carries to its receiver."""

    numbers: int = 0
    bits: int = 0
    sealed: int = 0

    def __add__(self, other: Disclosed) -> Disclosed:
        return Disclosed(self.numbers + other.numbers, self.bits + other.bits, self.sealed + other.sealed)


class Message:
    """Base of everything that crosses a wire.  Subclasses are frozen dataclasses with slots."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def disclosed(self) -> Disclosed:
        """Return the plaintext this message gives to its receiver, from its fields' types."""
        return sum((_worth(getattr(self, name)) for name in field_types(type(self))), Disclosed())


_FIELD_TYPES: dict[type[Message], dict[str, Any]] = {}


def field_types(kind: type[Message]) -> dict[str, Any]:
    """Return the resolved type of every field of a message kind, refusing any that may not be sent."""
    # functools.cache would ask mypy to see a class as Hashable, which it does not.
    if kind not in _FIELD_TYPES:
        _FIELD_TYPES[kind] = _resolved(kind)
    return _FIELD_TYPES[kind]


def _resolved(kind: type[Message]) -> dict[str, Any]:
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    resolved = {f.name: hints[f.name] for f in fields(kind)}
    for name, hint in resolved.items():
        if not (hint in SCALARS or hint == tuple[str, ...] or array_dtype(hint) or is_sealed(hint)):
            raise TypeError(f"{kind.__name__}.{name}: {hint} may not cross a wire")
    return resolved


def array_dtype(hint: Any) -> np.dtype[Any] | None:
    """Return the dtype of an NDArray annotation, None for any other annotation."""
    if get_origin(hint) is not np.ndarray:
        return None
    dtype: np.dtype[Any] = np.dtype(get_args(get_args(hint)[1])[0])
    return dtype


def is_sealed(hint: Any) -> bool:
    """Tell whether an annotation is a class of sealed values."""
    return isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and hasattr(hint, "from_wire")


def kind_name(kind: type[Message]) -> str:
    """Return the name of a message on the wire: its module and class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def phase_of(kind: type[Message]) -> str:
    """Return the phase a message belongs to: the protocol file that defines it."""
    return kind.__module__.rpartition(".")[2]


def formula(kind: type[Message]) -> str:
    """Return the formula: a message's docstring before its ``Reveals:`` sentence."""
    return _docstring(kind)[0]


def reveals(kind: type[Message]) -> str:
    """Return the ``Reveals:`` sentence of a message, on one line."""
    return _docstring(kind)[1]


def _docstring(kind: type[Message]) -> tuple[str, str]:
    before, mark, after = " ".join((kind.__doc__ or "").split()).partition("Reveals:")
    assert mark, f"{kind.__name__} does not say what it reveals"
    return before.strip(), after.strip()


def _worth(value: Any) -> Disclosed:
    match value:
        case bool():
            return Disclosed(1, 1)
        case int() | float():
            return Disclosed(1, 64)
        case str():
            return Disclosed(1, 8 * len(value.encode()))
        case tuple():
            return Disclosed(len(value), sum(8 * len(v.encode()) for v in value))
        case np.ndarray():
            width = 1 if value.dtype == bool else 8 * value.dtype.itemsize
            return Disclosed(value.size, value.size * width)
        case _:
            return Disclosed(sealed=value.sealed_count)
