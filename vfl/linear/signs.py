"""Which column leaves a model next because its coefficient is below 0: the least telling of all parties'.

    repeat, host by host
        host -> guest: WrongSign
    repeat, host by host
        guest -> host: Leaves
    maybe, if there is an arbiter
        guest -> arbiter: Verdict
        repeat, host by host
            host -> arbiter: Verdict

With weights of evidence more risk in a column must not be less in the score.  A coefficient below 0 says
that others tell the same, and the customary mend is to drop the one that tells least by its information
value and to fit again (Siddiqi, "Credit Risk Scorecards", 2006, ch. 6).  One column leaves at a time, so
that the model does not depend on who holds which.  Each party names its own least telling; the guest knows
all information values (see `vfl.features.woe`), and compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vfl.linear.logistic import Verdict
from vfl.wire.flow import Peer
from vfl.wire.message import Message

NONE = -1
"""The number of no column."""


@dataclass(frozen=True, slots=True)
class WrongSign(Message):
    """The sender's least telling column with a coefficient below 0, by number, -1 for none.

    Reveals: the column's number, and that less telling ones have no such coefficient.
    """

    column: int


@dataclass(frozen=True, slots=True)
class Leaves(Message):
    """Whether the column named leaves, and whether a fit without somebody's column follows.

    Reveals: whether a column leaves, and whose; where another's does, that it tells less.
    """

    yours: bool
    again: bool


@dataclass(frozen=True, slots=True)
class Leaver:
    """A column that leaves: of which party, 0 for the guest and 1, 2, ... for hosts, and its number there."""

    party: int
    column: int


async def guest(
    own: float | None,
    theirs: Sequence[Mapping[int, float]],
    *,
    hosts: tuple[Peer, ...],
    arbiter: Peer | None,
) -> Leaver | None:
    """Return which column leaves, None where no coefficient is below 0.

    `own`: the information value of the guest's least telling such column, if there is one.  `theirs`: by
    host, the values of its columns that are in the model, by number.
    """
    named = [] if own is None else [(own, Leaver(0, NONE))]
    for party, (host, values) in enumerate(zip(hosts, theirs, strict=True), start=1):
        column = (await host.receive(WrongSign)).column
        if column == NONE:
            continue
        if column not in values:
            raise host.blame("named a column that is not in the model")
        named.append((values[column], Leaver(party, column)))
    leaver = min(named, key=lambda pair: pair[0])[1] if named else None
    for party, host in enumerate(hosts, start=1):
        await host.send(Leaves(leaver is not None and leaver.party == party, leaver is not None))
    if arbiter:
        await arbiter.send(Verdict(leaver is not None))
    return leaver


async def host(worst: int, *, guest: Peer, arbiter: Peer | None) -> Leaves:
    """Name our least telling column of the wrong sign, NONE for none; return what becomes of it."""
    await guest.send(WrongSign(worst))
    told = await guest.receive(Leaves)
    if told.yours and (worst == NONE or not told.again):
        raise guest.blame("lets a column leave that nobody named")
    if arbiter:
        await arbiter.send(Verdict(told.again))
    return told


async def arbiter(*, guest: Peer, hosts: tuple[Peer, ...]) -> bool:
    """Return whether another fit follows."""
    again = (await guest.receive(Verdict)).go_on
    for host in hosts:
        if (await host.receive(Verdict)).go_on != again:
            raise host.blame(f"says of another fit otherwise than {guest.name}")
    return again
