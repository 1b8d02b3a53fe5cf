"""Private set intersection by Diffie-Hellman (Meadows 1986; Huberman, Franklin, Hogg 1999), size first.

    guest -> host: ListSize
    host -> guest: ListSize
    repeat, chunk by chunk
        guest -> host: BlindedIds
        host -> guest: BlindedIds
    repeat, chunk by chunk
        guest -> host: TwiceBlindedIds
        host -> guest: TwiceBlindedIds
    maybe, if the intersection is large enough
        guest -> host: Opening
        host -> guest: Opening

Guest and host draw secret powers a and b.  Each sends its ids x as H(x)^a (H(x)^b) in a random
order, gets them back as H(x)^ab in a random order of the other's, and raises the other's ids
itself.  Both hold the same two sets then, and count what is in both: the size, and not yet which.
If it is too small both stop.  Otherwise each opens to the other where its common ids stood in the
list it had sent, in ascending order of H(x)^ab: one order of the rows for both parties, which no
file's order, id or label has any part in.

What each party learns, when both follow the protocol (decisional Diffie-Hellman in ristretto255,
H a random oracle; Agrawal, Evfimievski, Srikant 2003):

* how many ids the other holds, and how many are common, even if they are too few;
* if they are enough: which of its own ids the other holds too, and the order.

Of an id that is not common neither learns anything, and as secrets and orders are fresh in every
run, two runs cannot be linked but by the ids they found common.

Limits.  A party may claim ids that it does not hold, and learns which of them the other does: one
run tells on as many guesses as its list is long.  The size of the list, the minimum and the number
of runs agreed are the brakes.  The guest goes first: a host that departs from the protocol may answer
with points that the guest had returned to it and so feign a larger intersection, though it learns no
id by that, or fall silent after the guest's opening and know which ids are common when the guest knows
only how many.  Points that come back are compared as bytes, and are not checked to be elements.

Differs from the paper: twice blinded ids come back in a fresh order and are opened afterwards, so
that the size is known, and may be refused, before anything else is; and of the orders no more is
opened than the places of the common ids.

This is the protocol of two parties: several hosts run that of `psi.several`, for a run of this one with
each would tell the guest every pairwise intersection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psi.group import SIZE, Group
from psi.ristretto import REFERENCE, Blinder, Points, hash_to_group
from vfl.crypto.randomness import Randomness
from vfl.errors import ContractError, DataError
from vfl.wire.flow import Peer
from vfl.wire.message import Message

CHUNK = 1 << 15
"""Points in the longest message, 1 MiB.  The longer list decides how many chunks there are."""

MAX_IDS = 1 << 25
"""Ids in the longest list either side accepts: 1 GiB of points."""


@dataclass(frozen=True, slots=True)
class ListSize(Message):
    """n, the number of ids.  Reveals: how many ids the sender holds."""

    ids: int

    def __post_init__(self) -> None:
        if not 0 <= self.ids <= MAX_IDS:
            raise ValueError(f"a list of {self.ids} ids, at most {MAX_IDS} are accepted")


@dataclass(frozen=True, slots=True)
class BlindedIds(Message):
    """H(x)^a of the sender's ids, in a random order.  Reveals: nothing (decisional Diffie-Hellman)."""

    points: Points


@dataclass(frozen=True, slots=True)
class TwiceBlindedIds(Message):
    """H(x)^ab of the receiver's ids, in a random order of the sender's.
    Reveals: how many ids are common."""

    points: Points


@dataclass(frozen=True, slots=True)
class Opening(Message):
    """Where each common id stood in the list the receiver had sent, by ascending H(x)^ab.
    Reveals: which of the receiver's ids the sender holds too, and the order of the rows."""

    positions: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Alignment:
    """Indices into a party's own ids: those that are common, in the one order agreed."""

    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Alignment({len(self)} rows)"


async def guest(
    ids: NDArray[np.object_],
    rng: Randomness,
    *,
    host: Peer,
    minimum: int,
    domain: bytes,
    group: Group = REFERENCE,
) -> Alignment:
    """Learn which of our distinct ids the host holds too, if at least `minimum` are; show it as much."""
    ours = _Side(ids, rng, domain, group, peer=host)
    await host.send(ListSize(len(ids)))
    chunks = ours.expect(await host.receive(ListSize))
    for k in range(chunks):
        await host.send(ours.blinded(k))
        ours.raise_theirs(await host.receive(BlindedIds), k)
    for k in range(chunks):
        await host.send(ours.returned(k))
        ours.keep(await host.receive(TwiceBlindedIds), k)
    await host.send(ours.opening(minimum))
    return ours.opened(await host.receive(Opening))


async def host(
    ids: NDArray[np.object_],
    rng: Randomness,
    *,
    guest: Peer,
    minimum: int,
    domain: bytes,
    group: Group = REFERENCE,
) -> Alignment:
    """Learn which of our distinct ids the guest holds too, if at least `minimum` are; show it as much."""
    ours = _Side(ids, rng, domain, group, peer=guest)
    chunks = ours.expect(await guest.receive(ListSize))
    await guest.send(ListSize(len(ids)))
    for k in range(chunks):
        blinded = ours.blinded(k)  # before we wait: so both sides compute at once
        theirs = await guest.receive(BlindedIds)
        await guest.send(blinded)
        ours.raise_theirs(theirs, k)
    for k in range(chunks):
        ours.keep(await guest.receive(TwiceBlindedIds), k)
        await guest.send(ours.returned(k))
    opening = ours.opening(minimum)
    opened = ours.opened(await guest.receive(Opening))
    await guest.send(opening)
    return opened


class _Side:
    """One party's secrets and both lists, from its first message to its last.

    `sent[i]` is the row of the id sent i-th; `theirs` the peer's ids in the order received, and
    `ours` our ids in the order returned, both twice blinded.
    """

    def __init__(
        self, ids: NDArray[np.object_], rng: Randomness, domain: bytes, group: Group, peer: Peer
    ) -> None:
        assert len(set(ids)) == len(ids), "ids must be distinct"
        if len(ids) > MAX_IDS:
            raise DataError(
                "alignment", f"{len(ids)} ids, at most {MAX_IDS} can be aligned", "split the list"
            )
        self.ids, self.rng, self.domain, self.peer = ids, rng, domain, peer
        self.blinder = Blinder(rng, group)
        self.sent = rng.permutation(len(ids))
        self.ours = np.empty((len(ids), SIZE), dtype=np.uint8)

    def expect(self, size: ListSize) -> int:
        """Make room for the peer's list; return the number of chunks in which both lists travel."""
        self.theirs = np.empty((size.ids, SIZE), dtype=np.uint8)
        self.order = self.rng.permutation(size.ids)
        self.chunks = -(-max(size.ids, len(self.ids)) // CHUNK)
        return self.chunks

    def blinded(self, k: int) -> BlindedIds:
        """Return the k-th part of H(x)^a, in the order of `sent`."""
        rows = self.sent[self._part(len(self.ids), k)]
        return BlindedIds(self.blinder.blind(hash_to_group(self.ids[rows], self.domain)))

    def raise_theirs(self, received: BlindedIds, k: int) -> None:
        """Keep the k-th part of the peer's ids, raised to our secret as well."""
        part = self._checked(received.points, len(self.theirs), k)
        try:
            raised = self.blinder.blind(received.points)
        except ValueError as error:
            raise self.peer.blame(f"chunk {k} of its ids: {error}") from None
        self.theirs[part] = raised.rows

    def returned(self, k: int) -> TwiceBlindedIds:
        """Return the k-th part of the peer's ids, twice blinded, in an order of our own."""
        return TwiceBlindedIds(Points(self.theirs[self.order[self._part(len(self.theirs), k)]]))

    def keep(self, received: TwiceBlindedIds, k: int) -> None:
        """Keep the k-th part of our ids as the peer returned them."""
        self.ours[self._checked(received.points, len(self.ours), k)] = received.points.rows

    def opening(self, minimum: int) -> Opening:
        """Compare both lists; return the peer's positions of what is common, unless it is too little."""
        try:
            positions = common_positions(self.theirs, self.ours)
        except ValueError as error:
            raise self.peer.blame(str(error)) from None
        self.size = len(positions)
        if self.size < minimum:
            raise _too_few(self.size, minimum, self.peer)
        return Opening(positions.astype(np.int32))

    def opened(self, opening: Opening) -> Alignment:
        """Return our rows at the positions the peer has opened."""
        positions = opening.positions
        if positions.shape != (self.size,):
            raise self.peer.blame(f"opened {positions.size} positions of {self.size} common ids")
        if self.size and not 0 <= positions.min() <= positions.max() < len(self.ids):
            raise self.peer.blame("opened a position outside our list")
        if len(np.unique(positions)) != self.size:
            raise self.peer.blame("opened a position twice")
        return Alignment(self.sent[positions])

    def _part(self, n: int, k: int) -> slice:
        return slice(n * k // self.chunks, n * (k + 1) // self.chunks)

    def _checked(self, points: Points, n: int, k: int) -> slice:
        part = self._part(n, k)
        if len(points) != part.stop - part.start:
            raise self.peer.blame(f"chunk {k} holds {len(points)} ids instead of {part.stop - part.start}")
        return part


def common_positions(theirs: NDArray[np.uint8], ours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return where the rows of `theirs` stand that `ours` has too, by ascending row.

    Neither may repeat a row: ValueError.
    """
    both = np.concatenate([theirs, ours])
    heads = both[:, :8].copy().view(">u8").ravel().astype(np.uint64)
    order = np.argsort(heads, kind="stable")
    equal = _repeated(heads, order)
    if np.any(both[order[equal]] != both[order[equal + 1]]):  # different rows with one head
        keys = both.view(f"V{SIZE}").ravel()  # void compares bytes; a text dtype would lose zeros at the end
        order = np.argsort(keys, kind="stable")
        equal = _repeated(keys, order)
    first, second = order[equal], order[equal + 1]
    if np.any(first >= len(theirs)):
        raise ValueError("returned an id of ours twice")
    if np.any(second < len(theirs)):
        raise ValueError("sent an id twice")
    return first


def _repeated(keys: NDArray[Any], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places in the order whose key is that of the next."""
    ordered = keys[order]
    return np.flatnonzero(ordered[:-1] == ordered[1:])


def _too_few(size: int, minimum: int, peer: Peer) -> ContractError:
    what = f"{size or 'no'} ids in common with {peer.name}, {minimum} are required"
    if size:
        hint = "bring more customers, or agree on a lower `alignment.min_intersection` with your partner"
    else:
        hint = "do both tables hold the same kind of id (say, e-mail) under the same `alignment` rules?"
    return ContractError("alignment", what, hint)
