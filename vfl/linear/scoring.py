"""The host's part of each row's logit, for evaluation and for scores.

    maybe, scores: point
        host -> guest: LogitPoints
    maybe, scores: exact
        host -> guest: ExactLogits

An exact logit of a binned scorecard identifies the host's whole row; one rounded to a scorecard
point does so far more rarely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LogitPoints(Message):
    """b_i in whole scorecard points.  Reveals: the host's part of each score to one point."""

    points: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ExactLogits(Message):
    """b_i.  Reveals: the host's part of each score exactly, and with it often the host's row."""

    logits: NDArray[np.float64]


async def guest(n: int, *, one_point: float, exact: bool, hosts: tuple[Peer, ...]) -> Vector:
    """Return the hosts' part of the logits of n aligned rows; one host in this version."""
    (host,) = hosts
    if exact:
        logits = (await host.receive(ExactLogits)).logits
    else:
        points = (await host.receive(LogitPoints)).points
        logits = np.asarray(points * one_point, dtype=np.float64)
    if logits.shape != (n,) or not np.isfinite(logits).all():
        raise host.blame("sent other logits than there are common rows")
    return logits


async def host(logits: Vector, *, one_point: float, exact: bool, guest: Peer) -> None:
    """Send the logits of the aligned rows, rounded unless the contract says exact."""
    if exact:
        await guest.send(ExactLogits(logits))
    else:
        await guest.send(LogitPoints(np.rint(logits / one_point).astype(np.int32)))
