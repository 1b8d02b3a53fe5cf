"""Messages: which types may cross a wire, and what each of them is counted as."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from vfl.wire.message import Disclosed, Message, field_types, formula, phase_of, reveals


@dataclass(frozen=True)
class Hidden:
    """Values that nobody can read."""

    size: int

    @property
    def sealed_count(self):
        return self.size

    def to_wire(self):
        return {"size": self.size}, b""

    @classmethod
    def from_wire(cls, header, data):
        return cls(header["size"])


@dataclass(frozen=True, slots=True)
class Mixed(Message):
    """One of each: a, b, c.

    Reveals: everything
    but the hidden values.
    """

    count: int
    mean: float
    done: bool
    label: str
    names: tuple[str, ...]
    table: NDArray[np.int32]
    flags: NDArray[np.bool_]
    hidden: Hidden


@dataclass(frozen=True, slots=True)
class Untyped(Message):
    """A message that would need pickle.  Reveals: all."""

    anything: dict[str, int]


@dataclass(frozen=True, slots=True)
class Rounded(Message):
    """A number of few bits.  Reveals: sixteen bits."""

    value: float

    def disclosed(self):
        return Disclosed(1, 16)


@dataclass(frozen=True, slots=True)
class Silent(Message):
    """A message that does not confess."""

    value: int


def test_every_plain_field_is_counted_by_its_width():
    message = Mixed(
        1, 2.0, True, "né", ("ab", "c"), np.zeros((2, 3), np.int32), np.zeros(5, np.bool_), Hidden(7)
    )
    numbers = 1 + 1 + 1 + 1 + 2 + 6 + 5
    bits = 64 + 64 + 1 + 24 + 24 + 6 * 32 + 5
    assert message.disclosed() == Disclosed(numbers, bits, 7)


def test_a_message_may_say_that_its_fields_are_worth_less():
    assert Rounded(0.5).disclosed() == Disclosed(1, 16, 0)


def test_a_field_of_any_other_type_may_not_cross_a_wire():
    with pytest.raises(TypeError, match=r"Untyped\.anything"):
        field_types(Untyped)


def test_the_formula_and_what_is_revealed_are_read_from_the_docstring():
    assert formula(Mixed) == "One of each: a, b, c."
    assert reveals(Mixed) == "everything but the hidden values."


def test_a_message_that_does_not_say_what_it_reveals_is_refused():
    with pytest.raises(AssertionError, match="Silent does not say"):
        reveals(Silent)


def test_the_phase_of_a_message_is_its_file():
    assert phase_of(Mixed) == "test_message"
