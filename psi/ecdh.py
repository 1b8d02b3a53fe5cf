"""Private set intersection by Diffie-Hellman (Meadows 1986; Huberman, Franklin, Hogg 1999), size first.

    guest -> host: ListSize
    host -> guest: ListSize
    repeat, chunk by chunk
        guest -> host: BlindedIds
        host -> guest: BlindedIds
    repeat, chunk by chunk
        host -> guest: TwiceBlindedIds
    guest -> host: IntersectionSize
    maybe, if the intersection is large enough
        guest -> host: Found
        host -> guest: Opening

Guest and host draw secret powers a and b.  Each sends its ids x as H(x)^a (H(x)^b) in a random
order, and raises the other's itself.  The host returns digests of the guest's ids H(x)^ab in a fresh
random order; the guest, which holds the host's, counts what is in both and tells the size: neither
knows yet which.  If it is too small both stop.  Otherwise each opens to the other where its common
ids stood in the list it had sent, in ascending order of the digests: one order of the rows for both
parties, which no file's order, id or label has any part in.

What each party learns, when both follow the protocol (decisional Diffie-Hellman in ristretto255,
H a random oracle; Agrawal, Evfimievski, Srikant 2003):

* how many ids the other holds, and how many are common, even if they are too few;
* if they are enough: which of its own ids the other holds too, and the order.

Of an id that is not common neither learns anything, and as secrets and orders are fresh in every
run, two runs cannot be linked but by the ids they found common.

Bytes, for n and m ids of which c are common: 32 (n + m) for the lists, w n for digests of w bytes
(`psi.digests`: 10 at a million each), n / 8 + 4 c for what was found and 4 c for the opening.  For
n = m that is 74 bytes an id, and 8 more for each that is common.

Limits.  A party may claim ids that it does not hold, and learns which of them the other does: one
run tells on as many guesses as its list is long.  The longest list agreed, the minimum and the number
of runs agreed are the brakes.  The guest knows the size first, and may understate it or fall silent.
To overstate it, it would have to prove that it holds H(x)^ab in full, of which it was shown a
digest: it can for common ids, and for powers of them that it had sent as ids of its own.  What a
party opens is not proven.  Digests are compared as bytes, and not checked to be of elements.

Differs from the papers: twice blinded ids come back to one party only, cut to digests and in a fresh
order, and are opened afterwards, so that the size is known, and may be refused, before anything else
is; and of the orders no more is opened than the places of the common ids.

This is the protocol of two parties: several hosts run that of `psi.several`, for a run of this one with
each would tell the guest every pairwise intersection.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from psi.digests import Digests, ascending, common_places, digests, repeated, width
from psi.group import SIZE, Group, Rows
from psi.lists import MAX_IDS, check_agreed, check_own, check_places, check_size
from psi.ristretto import REFERENCE, Blinder, Points, hash_to_group
from vfl.crypto.randomness import Randomness
from vfl.errors import ContractError
from vfl.table.texts import Ids
from vfl.wire.blocks import blocks, rows_of
from vfl.wire.flow import Peer
from vfl.wire.message import Message

CHUNK = 1 << 15
"""Points in the longest message, 1 MiB.  The longer list decides how many chunks there are."""


@dataclass(frozen=True, slots=True)
class ListSize(Message):
    """n, the number of ids.  Reveals: how many ids the sender holds."""

    ids: int

    def __post_init__(self) -> None:
        check_size(self.ids)


@dataclass(frozen=True, slots=True)
class BlindedIds(Message):
    """H(x)^a of the sender's ids, in a random order.  Reveals: nothing (decisional Diffie-Hellman)."""

    points: Points


@dataclass(frozen=True, slots=True)
class TwiceBlindedIds(Message):
    """Digests of H(x)^ab of the receiver's ids, in a random order of the sender's.
    Reveals: how many ids are common."""

    digests: Digests


@dataclass(frozen=True, slots=True)
class IntersectionSize(Message):
    """c, the number of common ids.  Reveals: how many ids are common, even if too few."""

    ids: int


@dataclass(frozen=True, slots=True)
class Found(Message):
    """Which of the digests returned are common; where these ids stood in the list the receiver had
    sent, by ascending digest; SHA-256 of their H(x)^ab, which shows that the sender found them.
    Reveals: which of the receiver's ids the sender holds too, and the order of the rows."""

    common: NDArray[np.bool_]
    positions: NDArray[np.int32]
    proof: Digests


@dataclass(frozen=True, slots=True)
class Opening(Message):
    """Where each common id stood in the list the receiver had sent, by ascending digest.
    Reveals: which of the receiver's ids the sender holds too."""

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
    ids: Ids,
    rng: Randomness,
    *,
    host: Peer,
    minimum: int,
    domain: bytes,
    most: int = MAX_IDS,
    group: Group = REFERENCE,
) -> Alignment:
    """Learn which of our distinct ids the host holds too, if at least `minimum` are; show it as much.

    `most`: ids in the longest list that the peer may bring.
    """
    ours = _Side(ids, rng, domain, group, peer=host)
    await host.send(ListSize(len(ids)))
    chunks = ours.expect(await host.receive(ListSize), most)
    for k in range(chunks):
        await host.send(ours.blinded(k))
        ours.raise_theirs(await host.receive(BlindedIds), k)
    for k in range(chunks):
        ours.keep(await host.receive(TwiceBlindedIds), k)
    found = ours.found()
    await host.send(IntersectionSize(ours.size))
    ours.require(minimum)
    await host.send(found)
    return ours.opened((await host.receive(Opening)).positions)


async def host(
    ids: Ids,
    rng: Randomness,
    *,
    guest: Peer,
    minimum: int,
    domain: bytes,
    most: int = MAX_IDS,
    group: Group = REFERENCE,
) -> Alignment:
    """Learn which of our distinct ids the guest holds too, if at least `minimum` are; show it as much.

    `most`: ids in the longest list that the peer may bring.
    """
    ours = _Side(ids, rng, domain, group, peer=guest)
    chunks = ours.expect(await guest.receive(ListSize), most)
    await guest.send(ListSize(len(ids)))
    for k in range(chunks):
        blinded = ours.blinded(k)  # before we wait: so both sides compute at once
        theirs = await guest.receive(BlindedIds)
        await guest.send(blinded)
        ours.raise_theirs(theirs, k)
    ours.shuffle()
    for k in range(chunks):
        await guest.send(ours.returned(k))
    ours.size = (await guest.receive(IntersectionSize)).ids
    ours.require(minimum)
    found = await guest.receive(Found)
    opening = ours.opening(found)
    opened = ours.opened(found.positions)
    await guest.send(opening)
    return opened


class _Side:
    """One party's secrets and both lists, from its first message to its last.

    `sent[i]` is the row of the id sent i-th; `theirs` the peer's ids in the order received, twice
    blinded.  The host returns digests of these in `order`; the guest keeps what it gets in `ours`.
    """

    size: int
    """How many ids are common."""

    def __init__(self, ids: Ids, rng: Randomness, domain: bytes, group: Group, peer: Peer) -> None:
        check_own(ids)
        self.ids, self.rng, self.domain, self.peer = ids, rng, domain, peer
        self.blinder, self.group = Blinder(rng, group), group
        self.sent = rng.permutation(len(ids))

    def expect(self, size: ListSize, most: int) -> int:
        """Make room for the peer's list; return the number of chunks in which both lists travel."""
        check_agreed(size.ids, most, self.peer)
        self.width = width(len(self.ids), size.ids)
        self.theirs = np.empty((size.ids, SIZE), dtype=np.uint8)
        self.ours = np.empty((len(self.ids), self.width), dtype=np.uint8)
        self.chunks = -(-max(size.ids, len(self.ids)) // CHUNK)
        return self.chunks

    def blinded(self, k: int) -> BlindedIds:
        """Return the k-th part of H(x)^a, in the order of `sent`."""
        rows = self.sent[self._part(len(self.ids), k)]
        return BlindedIds(self.blinder.blind(hash_to_group(self.ids[rows], self.domain, self.group)))

    def raise_theirs(self, received: BlindedIds, k: int) -> None:
        """Keep the k-th part of the peer's ids, raised to our secret as well."""
        part = self._checked(len(received.points), len(self.theirs), k)
        try:
            raised = self.blinder.blind(received.points)
        except ValueError as error:
            raise self.peer.blame(f"chunk {k} of its ids: {error}") from None
        self.theirs[part] = raised.rows

    def shuffle(self) -> None:
        """Draw the order in which the peer's ids go back; blame a peer that sent one twice to count twice."""
        if repeated(self.theirs[:, 1 : 1 + self.width]):
            raise self.peer.blame("sent an id twice")
        self.order = self.rng.permutation(len(self.theirs))

    def returned(self, k: int) -> TwiceBlindedIds:
        """Return the k-th part of the peer's ids, twice blinded, in an order of our own."""
        rows = self.theirs[self.order[self._part(len(self.theirs), k)]]
        return TwiceBlindedIds(Digests(digests(rows, self.width)))

    def keep(self, received: TwiceBlindedIds, k: int) -> None:
        """Keep the k-th part of our ids as the peer returned them."""
        part = self._checked(len(received.digests), len(self.ours), k)
        if received.digests.rows.shape[1] != self.width:
            raise self.peer.blame(f"chunk {k} holds other digests than of {self.width} bytes")
        self.ours[part] = received.digests.rows

    def found(self) -> Found:
        """Compare both lists, and set `size`; return what is common."""
        try:
            positions, places = common_places(self.theirs[:, 1 : 1 + self.width], self.ours)
        except ValueError as error:
            what = "sent an id twice" if str(error) == "left" else "returned an id of ours twice"
            raise self.peer.blame(what) from None
        self.size = len(positions)
        common = np.zeros(len(self.ours), dtype=np.bool_)
        common[places] = True
        return Found(common, positions.astype(np.int32), _proof(self.theirs, positions))

    def require(self, minimum: int) -> None:
        """Refuse an intersection that is too small."""
        if self.size < minimum:
            raise _too_few(self.size, minimum, self.peer)

    def opening(self, found: Found) -> Opening:
        """Return the peer's positions of what it has found, once it has shown that it did."""
        if found.common.shape != self.order.shape or np.count_nonzero(found.common) != self.size:
            raise self.peer.blame(f"found others than {self.size} of {len(self.order)} ids common")
        positions = self.order[found.common]
        positions = positions[ascending(self.theirs[positions, 1 : 1 + self.width])]
        if found.proof.rows.tobytes() != _proof(self.theirs, positions).rows.tobytes():
            raise self.peer.blame("claims common ids that it does not hold")
        return Opening(positions.astype(np.int32))

    def opened(self, positions: NDArray[np.int32]) -> Alignment:
        """Return our rows at the positions the peer has opened."""
        check_places(positions, self.size, len(self.ids), self.peer)
        return Alignment(self.sent[positions])

    def _part(self, n: int, k: int) -> slice:
        return slice(n * k // self.chunks, n * (k + 1) // self.chunks)

    def _checked(self, count: int, n: int, k: int) -> slice:
        part = self._part(n, k)
        if count != rows_of(part):
            raise self.peer.blame(f"chunk {k} holds {count} ids instead of {rows_of(part)}")
        return part


def _proof(elements: Rows, places: NDArray[np.int64]) -> Digests:
    """Return one digest, SHA-256, of the elements at these places."""
    whole = sha256()
    for part in blocks(len(places), CHUNK):
        whole.update(elements[places[part]].tobytes())
    return Digests(np.frombuffer(whole.digest(), dtype=np.uint8)[None])


def _too_few(size: int, minimum: int, peer: Peer) -> ContractError:
    what = f"{size or 'no'} ids in common with {peer.name}, {minimum} are required"
    if size:
        hint = "bring more customers, or agree on a lower `alignment.min_intersection` with your partner"
    else:
        hint = "do both tables hold the same kind of id (say, e-mail) under the same `alignment` rules?"
    return ContractError("alignment", what, hint)
