"""Ladders: which views a docstring allows to each role."""

from dataclasses import dataclass

import pytest

from vfl.wire.flow import Sent
from vfl.wire.ladder import follows_ladder
from vfl.wire.message import Message


@dataclass(frozen=True, slots=True)
class A(Message):
    """a.  Reveals: nothing."""


@dataclass(frozen=True, slots=True)
class B(Message):
    """b.  Reveals: nothing."""


LADDER = """A protocol.

    guest -> host, arbiter: A
    repeat, until both have enough
        host -> guest: B
        maybe, when asked
            guest -> arbiter: A
        guest -> host: B
    maybe, at the end
        arbiter -> guest: B

What follows -> is: prose.
repeat, as prose may.
"""


def view(text):
    """Return the view that a text such as "guest>host:A" stands for."""
    kinds = {"A": A, "B": B}
    steps = (step.replace(">", ":").split(":") for step in text.split())
    return [Sent(sender, to, kinds[kind]()) for sender, to, kind in steps]


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("guest", "guest>host:A guest>arbiter:A"),
        ("guest", "guest>host:A guest>arbiter:A host>guest:B guest>host:B"),
        ("guest", "guest>host:A guest>arbiter:A host>guest:B guest>arbiter:A guest>host:B arbiter>guest:B"),
        ("guest", "guest>host:A guest>arbiter:A" + 3 * " host>guest:B guest>host:B"),
        ("host", "guest>host:A"),
        ("host", "guest>host:A host>guest:B guest>host:B"),
        ("arbiter", "guest>arbiter:A"),
        ("arbiter", "guest>arbiter:A guest>arbiter:A guest>arbiter:A arbiter>guest:B"),
    ],
)
def test_a_view_on_the_ladder_is_allowed(role, seen):
    assert follows_ladder(LADDER, role, view(seen))


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("guest", ""),
        ("guest", "guest>arbiter:A guest>host:A"),
        ("guest", "guest>host:A guest>arbiter:A host>guest:B"),
        ("guest", "guest>host:A guest>arbiter:A host>guest:A guest>host:B"),
        ("guest", "guest>host:A guest>arbiter:A arbiter>guest:B arbiter>guest:B"),
        ("guest", "guest>host:A guest>arbiter:A arbiter>guest:B host>guest:B guest>host:B"),
        ("host", "guest>host:A guest>host:B host>guest:B"),
        ("arbiter", "arbiter>guest:B"),
        ("arbiter", "guest>host:A"),
    ],
)
def test_a_view_off_the_ladder_is_not(role, seen):
    assert not follows_ladder(LADDER, role, view(seen))


def test_a_ladder_that_ends_inside_its_blocks_is_closed():
    ladder = "Title.\n\n    repeat,\n        maybe,\n            guest -> host: A"
    assert follows_ladder(ladder, "guest", [])
    assert follows_ladder(ladder, "host", view("guest>host:A guest>host:A"))
