"""Customers asked for one at a time, by ids that only show if both parties hold them

    host -> guest: DirectorySize
    repeat, chunk by chunk
        host -> guest: DirectoryPart
    repeat, until the guest ends
        guest -> host: Turn
        maybe, if somebody is asked for
            guest -> host: AskedId
            host -> guest: RaisedId
            guest -> host: FoundId

An oblivious pseudo-random function on ristretto255 (Jarecki, Kiayias, Krawczyk 2014; RFC 9497, mode
OPRF).  The host draws a secret power b, once for the session, and lists digests of H(y)^b of all its
ids y, in ascending order.  To ask for x the guest draws a fresh a and sends H(x)^a; the host returns
H(x)^ab, and the guest takes a away: H(x)^b, whose digest is listed if the host holds x.  If so the guest
shows H(x)^b in full, by which the host knows whom it is asked about; and else nothing.

What is learnt, when both follow the protocol (one-more Diffie-Hellman, H a random oracle):

* the guest: how many ids the host holds, and of each id that it asks for whether the host holds it;
* the host: when somebody is asked for, and **of an id that it holds, which one, and so that this customer
  is being scored at that moment**; of any other id that it holds it not, and nothing else.

Limits.  Each question is one guess at a customer of the host's: the host counts them, and answers no
more than agreed.  The list tells nothing without b, and no position on it is answered for without the
element itself, which only the answer to a question gives.  As b is fresh in every session, lists of two
sessions cannot be linked.

Cost: the host raises all its ids once a session, and sends 16 bytes of each; a question is three
powers and 96 bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import numpy as np

from psi.digests import Digests, ascending, digests
from psi.group import Group, Rows
from psi.lists import MAX_IDS, check_agreed, check_size
from psi.ristretto import REFERENCE, Blinder, Points, hash_to_group
from vfl.crypto.randomness import Randomness
from vfl.table.texts import Ids
from vfl.wire.blocks import blocks
from vfl.wire.flow import Peer
from vfl.wire.message import Disclosed, Message

CHUNK = 1 << 16
"""Digests in the longest message, 1 MiB."""

WIDTH = 16
"""Bytes of a digest: two ids share one in fewer than one of 2^60 sessions, and the other 16 bytes of an
element cannot be guessed from it."""


@dataclass(frozen=True, slots=True)
class DirectorySize(Message):
    """m, the number of the host's ids.  Reveals: how many ids the host holds."""

    ids: int

    def __post_init__(self) -> None:
        check_size(self.ids)


@dataclass(frozen=True, slots=True)
class DirectoryPart(Message):
    """Digests of H(y)^b of the host's ids, in ascending order.  Reveals: nothing (decisional
    Diffie-Hellman)."""

    digests: Digests


@dataclass(frozen=True, slots=True)
class Turn(Message):
    """Whether somebody is asked for, and whether the session ends.  Reveals: when customers are scored."""

    asks: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class AskedId(Message):
    """H(x)^a, a fresh.  Reveals: nothing."""

    point: Points


@dataclass(frozen=True, slots=True)
class RaisedId(Message):
    """H(x)^ab.  Reveals: whether the host holds x."""

    point: Points


@dataclass(frozen=True, slots=True)
class FoundId(Message):
    """H(x)^b where it is listed, else H(x)^a again.  Reveals: which of the receiver's ids is asked for,
    and so which of its customers is scored at that moment; or that it does not hold the id."""

    found: bool
    point: Points

    def disclosed(self) -> Disclosed:
        """One number: which of the receiver's rows, of `MAX_IDS` at most, or a bit for none."""
        return Disclosed(1, 25 if self.found else 1)


async def guest(
    ids: Iterable[str | None],
    answer: Callable[[bool], Awaitable[None]],
    rng: Randomness,
    *,
    host: Peer,
    domain: bytes,
    most: int = MAX_IDS,
    group: Group = REFERENCE,
) -> None:
    """Ask for `ids` one by one; after each, `answer` goes on with the host, told whether it holds it.

    None asks for nobody, and shows the host that the session is alive.
    """
    listed = await _directory(host, most)
    for id in ids:
        await host.send(Turn(asks=id is not None, ends=False))
        if id is None:
            continue
        blinder = Blinder(rng, group)
        asked = blinder.blind(hash_to_group([id], domain, group))
        await host.send(AskedId(asked))
        try:
            element = blinder.unblind(_one((await host.receive(RaisedId)).point, host))
        except ValueError as error:
            raise host.blame(f"returned an id: {error}") from None
        found = listed.place(digests(element.rows, WIDTH)[0]) is not None
        await host.send(FoundId(found, element if found else asked))
        await answer(found)
    await host.send(Turn(asks=False, ends=True))


async def host(
    ids: Ids,
    answer: Callable[[int | None], Awaitable[None]],
    allow: Callable[[], None],
    rng: Randomness,
    *,
    guest: Peer,
    domain: bytes,
    group: Group = REFERENCE,
) -> None:
    """List our distinct ids; after each question `answer` goes on, told the row asked for or None.

    `allow` is called before a question is answered, and raises ContractError for one too many.
    """
    blinder = Blinder(rng, group)
    elements = blinder.blind(hash_to_group(ids, domain, group)).rows
    rows = ascending(elements[:, 1:])
    held = _Sorted(elements[rows][:, 1:])
    await guest.send(DirectorySize(len(ids)))
    for part in blocks(len(ids), CHUNK):
        await guest.send(DirectoryPart(Digests(digests(elements[rows[part]], WIDTH))))
    while not (turn := await guest.receive(Turn)).ends:
        if not turn.asks:
            continue
        asked = _one((await guest.receive(AskedId)).point, guest)
        allow()
        try:
            await guest.send(RaisedId(blinder.blind(asked)))
        except ValueError as error:
            raise guest.blame(f"asked for an id: {error}") from None
        told = await guest.receive(FoundId)
        shown = _one(told.point, guest).rows[0]
        if not told.found and not np.array_equal(shown, asked.rows[0]):
            raise guest.blame("shows another element than it asked with")
        place = held.place(shown[1:]) if told.found else None
        if told.found and (place is None or shown[0] != elements[rows[place], 0]):
            raise guest.blame("claims an id that it was not shown")
        await answer(None if place is None else int(rows[place]))


async def _directory(host: Peer, most: int) -> _Sorted:
    """Return the host's list, which must be in ascending order and hold nothing twice."""
    size = (await host.receive(DirectorySize)).ids
    check_agreed(size, most, host)
    listed = np.empty((size, WIDTH), np.uint8)
    for part in blocks(size, CHUNK):
        got = (await host.receive(DirectoryPart)).digests.rows
        if got.shape != listed[part].shape:
            raise host.blame("listed another number of ids than it announced")
        listed[part] = got
    if not np.array_equal(ascending(listed), np.arange(size)) or _repeats(listed):
        raise host.blame("listed its ids out of order, or one twice")
    return _Sorted(listed)


def _repeats(rows: Rows) -> bool:
    return bool((rows[1:] == rows[:-1]).all(axis=1).any())


def _one(points: Points, peer: Peer) -> Points:
    if len(points) != 1:
        raise peer.blame(f"sent {len(points)} elements in place of one")
    return points


class _Sorted:
    """Rows of bytes in ascending order, among which one is found in logarithmic time."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._heads = np.ascontiguousarray(rows[:, :8]).view(">u8").ravel().astype(np.uint64)

    def place(self, row: Rows) -> int | None:
        """Return where a row stands, None if it does not."""
        head = np.uint64(int.from_bytes(row[:8].tobytes(), "big"))
        first, end = (int(np.searchsorted(self._heads, head, side)) for side in ("left", "right"))
        return next((k for k in range(first, end) if np.array_equal(self._rows[k], row)), None)
