"""The hosts' part of each row's logit, for evaluation and for scores.

    maybe, scores: point, one host
        host -> guest: LogitPoints
    maybe, scores: exact, one host
        host -> guest: ExactLogits
    maybe, several hosts
        repeat, host by host
            host -> guest: MaskedLogits

Several hosts add masks that cancel in their sum (see `pairing`): the guest learns the sum of their
logits and nothing more of each, unless all hosts but one collude with it.

An exact logit of a binned scorecard identifies the host's whole row; one rounded to a scorecard
point does so far more rarely.  Several hosts round one by one: their sum is off by half a point each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.fixed_point import encode
from vfl.linear.pairing import Masks
from vfl.linear.residuals import MAX_LOGIT, any_of
from vfl.wire.flow import Peer
from vfl.wire.message import Disclosed, Message

Vector = NDArray[np.float64]

EXACT_FRACTION = 40
"""Fractional bits of an exact logit under a mask."""

POINT_BITS = 32
"""Bits of a number of points."""


@dataclass(frozen=True, slots=True)
class LogitPoints(Message):
    """b_i in whole scorecard points.  Reveals: the host's part of each score to one point."""

    points: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ExactLogits(Message):
    """b_i.  Reveals: the host's part of each score exactly, and with it often the host's row."""

    logits: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MaskedNumbers:
    """v_i + m_i mod 2^64, for whoever knows the others' as well: n numbers."""

    values: NDArray[np.uint64]

    def __repr__(self) -> str:
        return f"MaskedNumbers({len(self.values)})"

    @property
    def sealed_count(self) -> int:
        """Their number, for the ledger."""
        return len(self.values)

    def to_wire(self) -> tuple[dict[str, int | str], bytes]:
        """8 bytes each, little-endian."""
        return {}, self.values.astype("<u8").tobytes()

    @classmethod
    def from_wire(cls, header: dict[str, int | str], data: bytes) -> Self:
        """Rebuild; raise ValueError on bytes that are no whole numbers."""
        if header or len(data) % 8:
            raise ValueError("masked numbers are cut short")
        return cls(np.frombuffer(data, "<u8").astype(np.uint64))


@dataclass(frozen=True, slots=True)
class MaskedLogits(Message):
    """b_i in whole points, or in 2^-40 where scores are exact, plus m_i modulo 2^64.

    Reveals: alone nothing; with those of all other hosts, their part of each score together.
    """

    values: MaskedNumbers
    bits: int

    def disclosed(self) -> Disclosed:
        """Count the sum, at every host that has a part in it."""
        numbers = self.values.sealed_count
        return Disclosed(numbers, numbers * self.bits, numbers)


async def guest(n: int, *, one_point: float, exact: bool, hosts: tuple[Peer, ...]) -> Vector:
    """Return the hosts' part of the logits of n aligned rows."""
    if len(hosts) > 1:
        return await _sum(n, np.ldexp(1.0, -EXACT_FRACTION) if exact else one_point, exact, hosts)
    (host,) = hosts
    if exact:
        logits = (await host.receive(ExactLogits)).logits
    else:
        points = (await host.receive(LogitPoints)).points
        logits = np.asarray(points * one_point, dtype=np.float64)
    if logits.shape != (n,) or not np.isfinite(logits).all():
        raise host.blame("sent other logits than there are common rows")
    return logits


async def host(
    logits: Vector, *, one_point: float, exact: bool, guest: Peer, masks: Masks | None = None
) -> None:
    """Send the logits of the aligned rows, rounded unless the contract says exact.

    `masks`: what is shared with the other hosts, where there are any.
    """
    points = np.rint(logits / one_point)
    if masks:
        whole = encode(logits, EXACT_FRACTION) if exact else points.astype(np.int64)
        masked = MaskedNumbers(whole.astype(np.uint64) + masks.draw(len(whole)))
        await guest.send(MaskedLogits(masked, _bits(exact)))
    elif exact:
        await guest.send(ExactLogits(logits))
    else:
        await guest.send(LogitPoints(points.astype(np.int32)))


async def _sum(n: int, unit: float, exact: bool, hosts: tuple[Peer, ...]) -> Vector:
    total = np.zeros(n, np.uint64)
    for host in hosts:
        told = await host.receive(MaskedLogits)
        if told.values.values.shape != (n,) or told.bits != _bits(exact):
            raise host.blame("sent other masked logits than there are common rows")
        total = total + told.values.values
    logits = total.view(np.int64) * unit
    if not (np.abs(logits) <= MAX_LOGIT * len(hosts)).all():
        raise any_of(hosts).blame("sent masked logits that add up to none")
    return np.asarray(logits, np.float64)


def _bits(exact: bool) -> int:
    return 64 if exact else POINT_BITS
