"""The sample on which a fit of many rows begins: the first of them, whose order is random.

    repeat, host by host
        host -> guest: Passes
    repeat, host by host
        guest -> host: Agreed

Far from its end a fit needs no more of a gradient than a sample shows.  So the first gradients are of k of n
rows, their sums times n / k, and the pairs that BFGS has learnt there serve for all rows.  What a sample's
gradient is off by is about as long, in whitened coordinates, as

    sqrt(4 d v (n / k - 1)),

d columns, v the mean variance of a label: each row adds r_i^2 x_i^T H^-1 x_i, and H is at least X^T X / 4.
The point where a sample's gradient is 0 is as far from the pooled one as that.  Still its curvature is worth
some more steps, each a tenth of a step on all rows, until the gradient is `SETTLED` times as long; at most a
third of the iterations that were agreed.
(Byrd, Chin, Nocedal and Wu 2012, Sample size selection in optimization methods for machine learning.)

Sums over the sample, and by difference nearly those over all other rows, are about fewer people than sums
over all.  So each party asks its gates of both parts, and one that finds any closed has the fit begin on all.
Both parts are also compared with those of earlier runs: two samples drawn anew differ by many rows, and such
as differ by few would tell of these alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.wire.flow import Peer
from vfl.wire.message import Message

SHARE = 10
"""One row in so many is in the sample."""

SETTLED = 0.04
"""Part of the sampling noise at which a sample's gradient has told what it can."""


@dataclass(frozen=True, slots=True)
class Passes(Message):
    """Whether both parts pass the sender's gates.

    Reveals: whether a value of a column is rare in one, or one nearly that of an earlier run.
    """

    passes: bool


@dataclass(frozen=True, slots=True)
class Agreed(Message):
    """Of how many rows the sample is, 0 for none.  Reveals: whether all parties' gates are open."""

    rows: int


def size(n: int) -> int:
    """Return of how many of n rows the sample is."""
    return n // SHARE


def most(max_iter: int) -> int:
    """Return how many gradients may be of the sample: a third of all, rounded up."""
    return -(-max_iter // 3)


def noise(rows: int, x: NDArray[np.float64], y: NDArray[np.int8]) -> float:
    """Return how much a sample's gradient of so many rows is off by; x: the guest's columns, shape (n, d)."""
    if not rows:
        return 0.0
    n, d = x.shape
    return math.sqrt(4 * d * float(y.var()) * (n / rows - 1))


async def guest(rows: int, *, hosts: tuple[Peer, ...]) -> int:
    """Agree on a sample of so many rows, 0 where one's own gates are closed; return the rows or 0."""
    for host in hosts:
        if not (await host.receive(Passes)).passes:
            rows = 0
    for host in hosts:
        await host.send(Agreed(rows))
    return rows


async def host(rows: int, *, guest: Peer) -> int:
    """Agree as the guest does."""
    await guest.send(Passes(rows > 0))
    agreed = (await guest.receive(Agreed)).rows
    if agreed not in (0, rows):
        raise guest.blame("agreed on another sample than the first rows")
    return agreed
