"""The units in which a joint regression of amounts or counts is fitted, told once before it.

    repeat, host by host
        guest -> host: Units

Hosts know no outcomes.  An amount of money may be of any size, so a linear regression is of outcomes
divided by their standard deviation, and coefficients are multiplied with it in the end: tolerance, ranges
and fixed point then serve all.  The mean variance of an outcome makes steps of the right length (see
`whitening`).  Both are rounded to powers of two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from vfl.linear.family import Family, Target
from vfl.wire.flow import Peer
from vfl.wire.message import Message

MOST = 200
"""Size of an exponent beyond which no outcome's is."""


@dataclass(frozen=True, slots=True)
class Units(Message):
    """2^unit, which the outcomes are divided by, and their mean variance 2^variance in that unit.

    Reveals: to a power of two, of a linear regression the outcomes' standard deviation, else their mean
    where it is the variance.
    """

    unit: int = 0
    variance: int = 0

    @classmethod
    def of(cls, family: Family, target: Target) -> Self:
        """Return those of training outcomes."""
        if not family.is_log:
            return cls(unit=_exponent(float((target.y - target.offset).std())))
        mean = float(np.average(target.y, weights=target.weight))
        return cls(variance=_exponent(mean) if family.power == 1 else 0)

    @property
    def scale(self) -> float:
        """What outcomes are divided by."""
        return 2.0**self.unit

    @property
    def mean_variance(self) -> float:
        """The outcomes' mean variance in that unit."""
        return 2.0**self.variance


LABELS = Units(variance=-2)
"""Those of a logistic regression, which nobody needs to be told."""


async def guest(units: Units, *, hosts: tuple[Peer, ...]) -> None:
    """Tell every host."""
    for host in hosts:
        await host.send(units)


async def host(*, guest: Peer) -> Units:
    """Return what the guest says."""
    units = await guest.receive(Units)
    if max(abs(units.unit), abs(units.variance)) > MOST:
        raise guest.blame("told units that no outcomes have")
    return units


def _exponent(value: float) -> int:
    return max(-MOST, min(MOST, round(math.log2(value)))) if value > 0 else 0
