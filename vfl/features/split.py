"""Which aligned rows train: all that a host is told of the guest's split.

    guest -> host: Split

The host fits on the training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.wire.flow import Peer
from vfl.wire.message import Message


@dataclass(frozen=True, slots=True)
class Split(Message):
    """Whether each aligned row trains.  Reveals: of each row whether it trains."""

    train: NDArray[np.bool_]


async def guest(train: NDArray[np.bool_], *, hosts: tuple[Peer, ...]) -> None:
    """Tell the hosts."""
    for host in hosts:
        await host.send(Split(train))


async def host(n: int, *, guest: Peer) -> NDArray[np.bool_]:
    """Return the training rows of the n aligned ones."""
    train = (await guest.receive(Split)).train
    if train.shape != (n,) or not train.any():
        raise guest.blame("sent another split than there are common rows")
    return train
