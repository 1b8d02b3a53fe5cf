"""Private set intersection of a guest and several hosts, size first: only what all hold is ever named.

    repeat, host by host
        host -> guest: OwnSize
        repeat, chunk by chunk
            host -> guest: OwnIds
    repeat, round by round
        repeat, host by host
            guest -> host: RelayedSize
            repeat, chunk by chunk
                guest -> host: RelayedIds
        repeat, host by host, chunk by chunk
            host -> guest: ShuffledIds
    repeat, host by host
        guest -> host: CommonSize
    maybe, if the intersection is large enough
        repeat, backwards by round and host
            guest -> host: CommonPlaces
            host -> guest: FormerPlaces
        repeat, host by host
            guest -> host: OwnPlaces

The protocol of `psi.ecdh` on a star: guest and hosts 1 .. H draw secret powers a and b_1 .. b_H, and
every list of H(x) comes to bear all of them.  Host p sends its list under b_p in a random order; the
guest carries it to hosts p + 1, p + 2, ... and around to p - 1, and raises it to a last itself.  Its
own list goes under a from host 1 to host H.  Each host raises what it is brought and returns it in a
random order.  In the end the guest holds H + 1 lists of H(x)^(a b_1 ... b_H), and counts what all of
them have.  If that is too little everybody stops.  Otherwise the places of the common ids go back
through the shuffles, the way each list came, until every party knows which of its own ids they are:
in ascending order of the fully blinded value, one order for all parties that is no file's order.

What each party learns, when all follow the protocol and none colludes (decisional Diffie-Hellman in
ristretto255, H a random oracle):

* how many ids each other party holds, and how many are common to all, even if they are too few;
* if they are enough: which of its own ids are common to all, and the order;
* the guest besides: how many ids are in each combination of the lists, but of no id in which.

That no host can compare two lists, and the guest none by its ids:

* Host j meets the list of host p under b_p ... b_{j-1} (p, p + 1, ... around the circle) and returns
  it under b_p ... b_j; the guest's list it meets under a b_1 ... b_{j-1}, and its own never again.  No
  two of these products are equal or differ by b_j, the only factor that it knows: to it all lists
  are unrelated.  This is why they go around a circle, and why the guest raises the hosts' lists last.
* The guest can compare lists once they bear the same b's: all of them in the end, and its own list
  with that of host 1 on the way.  But its own list was then shuffled by host 1 at least, in an order
  it does not know, under a power it does not know: which of its entries stands for which of its ids
  is uniform given everything else that it sees.  Whether an id of its own is in the list of host 1
  and not in that of host 2 it cannot tell therefore, unless the numbers alone say so (all or none of
  its list are).  What is opened are places of ids that all parties hold, at every stop of every list,
  and says nothing on the order of the others.

Limits, besides those of `psi.ecdh`: hosts take the guest's word for which entries are common, and a
guest that departs from the protocol may open others, or mark an entry by a power known to it alone,
and learn in which lists one of its ids is.  Numbers of two runs between which one id was added tell
the same of that id.  A host that meets a bad point cannot know whether the guest or a host before it
made it: it blames the guest, who brought it.  So the guest looks at every point before it carries it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psi.digests import common_places, repeated
from psi.ecdh import Alignment
from psi.group import SIZE, Group, Rows
from psi.lists import MAX_IDS, check_agreed, check_own, check_places, check_size
from psi.ristretto import REFERENCE, Blinder, Points, canonical, hash_to_group, valid
from vfl.crypto.randomness import Randomness
from vfl.errors import ContractError
from vfl.table.texts import Ids
from vfl.wire.blocks import blocks, rows_of
from vfl.wire.flow import Peer
from vfl.wire.message import Message

CHUNK = 1 << 15
"""Points in the longest message, 1 MiB."""

Places = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class OwnSize(Message):
    """n, the number of ids in the list that follows.  Reveals: how many ids the sender holds."""

    ids: int

    def __post_init__(self) -> None:
        check_size(self.ids)


@dataclass(frozen=True, slots=True)
class OwnIds(Message):
    """H(x)^b of the sender's ids, in a random order.  Reveals: nothing (decisional Diffie-Hellman)."""

    points: Points


@dataclass(frozen=True, slots=True)
class RelayedSize(Message):
    """n, the number of ids in the list that follows.
    Reveals: how many ids its owner holds, the guest or another host."""

    ids: int

    def __post_init__(self) -> None:
        check_size(self.ids)


@dataclass(frozen=True, slots=True)
class RelayedIds(Message):
    """H(x)^s of the guest's or another host's ids, s the product of secrets of who has had the list,
    in the order of the last of them.  Reveals: nothing (decisional Diffie-Hellman)."""

    points: Points


@dataclass(frozen=True, slots=True)
class ShuffledIds(Message):
    """H(x)^(s b) of the list received, in a random order of the sender's.
    Reveals: how many ids are in each combination of the lists, once all are back."""

    points: Points


@dataclass(frozen=True, slots=True)
class CommonSize(Message):
    """The number of ids that all parties hold.  Reveals: how many ids are common to all."""

    ids: int


@dataclass(frozen=True, slots=True)
class CommonPlaces(Message):
    """Where each common id stood in a list that the receiver had returned, in the order of the rows.
    Reveals: which entries of a blinded list are common."""

    positions: Places


@dataclass(frozen=True, slots=True)
class FormerPlaces(Message):
    """Where each of these had stood in the list as the sender had received it.
    Reveals: of the guest's list, at its first stop, which of its ids all parties hold."""

    positions: Places


@dataclass(frozen=True, slots=True)
class OwnPlaces(Message):
    """Where each common id stood in the list the receiver had sent, in the order of the rows.
    Reveals: which of the receiver's ids all parties hold, and the order of the rows."""

    positions: Places


async def guest(
    ids: Ids,
    rng: Randomness,
    *,
    hosts: tuple[Peer, ...],
    minimum: int,
    domain: bytes,
    most: int = MAX_IDS,
    group: Group = REFERENCE,
) -> Alignment:
    """Learn which of our distinct ids all hosts hold too, if at least `minimum` are; tell them as much.

    `most`: ids in the longest list that a party may bring.
    """
    count = len(hosts)
    ours = _OwnList(ids, rng, domain, group, Blinder(rng, group))
    own = _filled(ours.blinded(), len(ids))
    lists = [await _sent_by(host, most) for host in hosts]
    for step in range(1, count):  # host j has the list of host j - step
        for j, host in enumerate(hosts):
            await _relay(lists[j - step], host=host)
        for j, host in enumerate(hosts):
            lists[j - step] = await _shuffled(len(lists[j - step]), host=host, carried=step < count - 1)
    for j, host in enumerate(hosts):
        await _relay(own, host=host)
        _raise(lists[j], ours.blinder, hosts[j - 1], "a list")  # while the host is at work; j - 1 had it last
        own = await _shuffled(len(own), host=host, carried=j < count - 1)
    common = _in_all([own, *lists])
    for host in hosts:
        await host.send(CommonSize(len(common)))
    _require(len(common), minimum, count)
    own_places, *places = [_places(common, rows) for rows in (own, *lists)]
    for host in reversed(hosts):
        own_places = await _before(own_places, len(ids), host=host)
    for step in range(count - 1, 0, -1):
        for j, host in enumerate(hosts):
            places[j - step] = await _before(places[j - step], len(lists[j - step]), host=host)
    for j, host in enumerate(hosts):
        await host.send(OwnPlaces(places[j]))
    return ours.rows(own_places)


async def host(
    ids: Ids,
    rng: Randomness,
    *,
    guest: Peer,
    hosts: int,
    minimum: int,
    domain: bytes,
    most: int = MAX_IDS,
    group: Group = REFERENCE,
) -> Alignment:
    """Learn which of our distinct ids all parties hold, if at least `minimum` are; `hosts`: with us.

    `most`: ids in the longest list that a party may bring.
    """
    ours = _OwnList(ids, rng, domain, group, Blinder(rng, group))
    await guest.send(OwnSize(len(ids)))
    for points in ours.blinded():
        await guest.send(OwnIds(points))
    orders = [await _stop(ours.blinder, rng, most, guest=guest) for _ in range(hosts)]
    size = (await guest.receive(CommonSize)).ids
    _require(size, minimum, hosts)
    for order in reversed(orders):
        places = _checked((await guest.receive(CommonPlaces)).positions, size, len(order), guest)
        await guest.send(FormerPlaces(order[places]))
    return ours.rows(_checked((await guest.receive(OwnPlaces)).positions, size, len(ids), guest))


class _OwnList:
    """A party's own ids, its secret, and the order in which they are sent."""

    def __init__(self, ids: Ids, rng: Randomness, domain: bytes, group: Group, blinder: Blinder) -> None:
        check_own(ids)
        self.ids, self.domain, self.group, self.blinder = ids, domain, group, blinder
        self.order = rng.permutation(len(ids))

    def blinded(self) -> Iterator[Points]:
        """Yield H(x) to our secret, chunk by chunk."""
        for part in blocks(len(self.ids), CHUNK):
            yield self.blinder.blind(hash_to_group(self.ids[self.order[part]], self.domain, self.group))

    def rows(self, places: Places) -> Alignment:
        """Return the rows of the ids that were sent at these places."""
        return Alignment(self.order[places])


async def _sent_by(host: Peer, most: int) -> Rows:
    """Return a host's list as it sends it."""
    size = (await host.receive(OwnSize)).ids
    check_agreed(size, most, host)
    rows = np.empty((size, SIZE), np.uint8)
    for part in blocks(len(rows), CHUNK):
        rows[part] = _elements((await host.receive(OwnIds)).points, part, host, carried=True)
    _require_distinct(rows, host)
    return rows


async def _relay(rows: Rows, *, host: Peer) -> None:
    """Bring a host a list."""
    await host.send(RelayedSize(len(rows)))
    for part in blocks(len(rows), CHUNK):
        await host.send(RelayedIds(Points(rows[part])))


async def _shuffled(n: int, *, host: Peer, carried: bool) -> Rows:
    """Return the list that was brought to a host as it comes back; `carried`: on to another host."""
    rows = np.empty((n, SIZE), np.uint8)
    for part in blocks(n, CHUNK):
        rows[part] = _elements((await host.receive(ShuffledIds)).points, part, host, carried=carried)
    _require_distinct(rows, host)
    return rows


async def _stop(blinder: Blinder, rng: Randomness, most: int, *, guest: Peer) -> Places:
    """Raise a list to our secret and return it shuffled; return where each entry had stood."""
    size = (await guest.receive(RelayedSize)).ids
    check_agreed(size, most, guest)
    rows = np.empty((size, SIZE), np.uint8)
    for part in blocks(len(rows), CHUNK):
        rows[part] = _whole((await guest.receive(RelayedIds)).points, part, guest)
        _raise(rows[part], blinder, guest, f"ids from {part.start} on")
    # An entry sent twice would come back as two equal ones, and so be known through our shuffle.
    _require_distinct(rows, guest)
    order = rng.permutation(len(rows)).astype(np.int32)
    for part in blocks(len(rows), CHUNK):
        await guest.send(ShuffledIds(Points(rows[order[part]])))
    return order


async def _before(places: Places, n: int, *, host: Peer) -> Places:
    """Return where the entries at these places of a host's n shuffled ones had stood before."""
    await host.send(CommonPlaces(places))
    return _checked((await host.receive(FormerPlaces)).positions, len(places), n, host)


def _in_all(lists: list[Rows]) -> Rows:
    """Return the rows that every list has, in ascending order."""
    common = lists[0]
    for rows in lists[1:]:
        common = common[common_places(common, rows)[0]]
    return common


def _places(common: Rows, rows: Rows) -> Places:
    """Return where common rows, in ascending order, stand in a list that has them."""
    return common_places(rows, common)[0].astype(np.int32)


def _raise(rows: Rows, blinder: Blinder, peer: Peer, what: str) -> None:
    """Raise rows to our secret in their place."""
    for part in blocks(len(rows), CHUNK):
        try:
            rows[part] = blinder.blind(Points(rows[part])).rows
        except ValueError as error:
            raise peer.blame(f"sent {what} that cannot be raised: {error}") from None


def _filled(chunks: Iterator[Points], n: int) -> Rows:
    rows = np.empty((n, SIZE), np.uint8)
    for part, points in zip(blocks(n, CHUNK), chunks, strict=True):
        rows[part] = points.rows
    return rows


def _whole(points: Points, part: slice, peer: Peer) -> Rows:
    if len(points) != rows_of(part):
        raise peer.blame(f"sent a chunk of {len(points)} ids instead of {rows_of(part)}")
    return points.rows


def _elements(points: Points, part: slice, host: Peer, *, carried: bool) -> Rows:
    """Return a chunk that a host sends: what is no element is its fault, not of who carries it.

    What is not carried on is raised here, or compared, and need not be looked at for more than its form.
    """
    rows = _whole(points, part, host)
    if not (valid(points) if carried else canonical(points)):
        raise host.blame("sent a point that is the identity or no group element")
    return rows


def _require_distinct(rows: Rows, peer: Peer) -> None:
    if repeated(rows):
        raise peer.blame("sent an id twice")


def _checked(places: Places, size: int, n: int, peer: Peer) -> Places:
    """Return `size` distinct places in a list of n."""
    check_places(places, size, n, peer)
    return places


def _require(size: int, minimum: int, hosts: int) -> None:
    """Refuse an intersection that is too small."""
    if size >= minimum:
        return
    what = f"{size or 'no'} ids in common to the guest and all {hosts} hosts, {minimum} are required"
    if size:
        hint = "bring more customers, or agree on a lower `alignment.min_intersection` with your partners"
    else:
        hint = "do all tables hold the same kind of id (say, e-mail) under the same `alignment` rules?"
    raise ContractError("alignment", what, hint)
