"""What a gradient takes of the arbiter, agreed before the fit: each party's share by another's leave.

    repeat, for each host
        guest -> host: GradientShape
        host -> guest: GradientShape
    maybe, if there is an arbiter
        guest -> arbiter: Allowed
        repeat, for each host
            host -> arbiter: Allowed

The arbiter holds no data and knows no columns, and MaskedSums look alike whatever is in them.  So who has
something to lose says what the other may have decrypted: the guest for each host, all hosts for the guest,
of whom the strictest counts.  More sums, or larger ones, are refused in every iteration.  Without an
arbiter each decrypts for the other and keeps to the shape itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Shape
from vfl.wire.flow import Peer
from vfl.wire.message import Message

MOST_BITS = 512
"""Bits of a sum that no gradient comes near."""

MOST_COLUMNS = 1 << 16

Check = Callable[[Peer, Shape, int], None]
"""Told a peer's shape and mark; raises what refuses them."""


@dataclass(frozen=True, slots=True)
class GradientShape(Message):
    """How many sums of how many bits the sender's gradient has, and a mark that its columns have again.

    Reveals: how many model columns, how large their sums are to a power of two, and whether they are
    those of an earlier run.
    """

    sums: int
    bits: int
    mark: int


@dataclass(frozen=True, slots=True)
class Allowed(Message):
    """What the arbiter may decrypt in an iteration for each of the sender's peers.

    Reveals: the number and size of their sums.
    """

    sums: NDArray[np.int64]
    bits: NDArray[np.int64]


async def guest(own: Shape, check: Check, *, hosts: tuple[Peer, ...], arbiter: Peer | None) -> list[Shape]:
    """Show the hosts the own gradient's shape, and allow each its own that passes; return those."""
    shapes = []
    for host in hosts:
        await host.send(GradientShape(own.sums, own.bits, 0))
        shapes.append(await _accepted(host, check))
    if arbiter:
        await arbiter.send(_allowed(shapes))
    return shapes


async def host(own: Shape, mark: int, check: Check, *, guest: Peer, arbiter: Peer | None) -> Shape:
    """Allow the guest its gradient if its shape passes, and show it the own one; return the guest's."""
    shape = await _accepted(guest, check)
    await guest.send(GradientShape(own.sums, own.bits, mark))
    if arbiter:
        await arbiter.send(_allowed([shape]))
    return shape


async def arbiter(*, guest: Peer, hosts: tuple[Peer, ...]) -> list[Shape]:
    """Return what each may have decrypted in an iteration: the guest, then the hosts."""
    theirs = await _allowances(guest, len(hosts))
    for_guest = [(await _allowances(host, 1))[0] for host in hosts]
    return [Shape(min(s.sums for s in for_guest), min(s.bits for s in for_guest)), *theirs]


async def _accepted(peer: Peer, check: Check) -> Shape:
    told = await peer.receive(GradientShape)
    if not (0 < told.sums <= MOST_COLUMNS and 1 < told.bits <= MOST_BITS):
        raise peer.blame("has a gradient such as no columns have")
    shape = Shape(told.sums, told.bits)
    check(peer, shape, told.mark)
    return shape


def _allowed(shapes: list[Shape]) -> Allowed:
    return Allowed(np.array([s.sums for s in shapes]), np.array([s.bits for s in shapes]))


async def _allowances(peer: Peer, count: int) -> list[Shape]:
    told = await peer.receive(Allowed)
    if not told.sums.shape == told.bits.shape == (count,):
        raise peer.blame("allowed decryptions to others than its peers")
    if told.sums.min() < 1 or told.bits.min() < 2:
        raise peer.blame("allowed no decryption at all")
    return [Shape(*pair) for pair in zip(told.sums.tolist(), told.bits.tolist(), strict=True)]
