"""Both halves of the coefficients, where the contract lets the parties show them to each other.

    guest -> host: Coefficients
    host -> guest: Coefficients

Each says what its columns are called here: their names or, where those stay secret, numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.wire.flow import Peer
from vfl.wire.message import Message

LONGEST = 400
"""Characters of the longest name that is accepted."""


@dataclass(frozen=True, slots=True)
class Coefficients(Message):
    """w_j and what the sender calls column j.  Reveals: the sender's half of the model."""

    names: tuple[str, ...]
    values: NDArray[np.float64]


async def guest(own: dict[str, float], *, host: Peer) -> dict[str, float]:
    """Show the guest's coefficients; return the host's."""
    await host.send(_message(own))
    return _believed(await host.receive(Coefficients), host)


async def host(own: dict[str, float], *, guest: Peer) -> dict[str, float]:
    """Show the host's coefficients; return the guest's."""
    theirs = _believed(await guest.receive(Coefficients), guest)
    await guest.send(_message(own))
    return theirs


def _message(own: dict[str, float]) -> Coefficients:
    return Coefficients(tuple(own), np.array(list(own.values()), np.float64))


def _believed(shown: Coefficients, peer: Peer) -> dict[str, float]:
    if len(set(shown.names)) != len(shown.names) or shown.values.shape != (len(shown.names),):
        raise peer.blame("sent coefficients without a name each")
    if not np.isfinite(shown.values).all():
        raise peer.blame("sent coefficients that are no numbers")
    if not all(name.isprintable() and len(name) <= LONGEST for name in shown.names):
        raise peer.blame("sent names that no columns can have")
    return dict(zip(shown.names, shown.values.tolist(), strict=True))
