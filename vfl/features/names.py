"""The names of the host's columns, where the contract lets the guest see them.

    host -> guest: ColumnNames

The guest reads them in its tables of information values, and may show them in its report.
"""

from __future__ import annotations

from dataclasses import dataclass

from vfl.wire.flow import Peer
from vfl.wire.message import Message

LONGEST = 200
"""Characters of the longest name that a guest accepts."""


@dataclass(frozen=True, slots=True)
class ColumnNames(Message):
    """The names of the host's columns, in its order.  Reveals: what the host knows of customers."""

    names: tuple[str, ...]


async def guest(*, host: Peer) -> tuple[str, ...]:
    """Return the names."""
    names = (await host.receive(ColumnNames)).names
    if len(set(names)) < len(names) or not all(n.isprintable() and 0 < len(n) <= LONGEST for n in names):
        raise host.blame("sent names that no columns can have")
    return names


async def host(names: tuple[str, ...], *, guest: Peer) -> None:
    """Tell the guest."""
    await guest.send(ColumnNames(names))
