"""Which of a host's columns stay in the model beside the guest's.

    guest -> host: KeptColumns

The guest has learnt how its columns go with the host's (see `correlation`), and knows all information
values: of two columns that say the same the one with the lower value goes, whoever holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.wire.flow import Peer
from vfl.wire.message import Message


@dataclass(frozen=True, slots=True)
class KeptColumns(Message):
    """Whether each of the host's columns stays.

    Reveals: of a column that leaves, that the guest has one like it with a higher information value.
    """

    kept: NDArray[np.bool_]


async def guest(kept: Sequence[bool], *, host: Peer) -> None:
    """Tell the host."""
    await host.send(KeptColumns(np.array(kept, np.bool_)))


async def host(count: int, *, guest: Peer) -> list[bool]:
    """Return whether each of our columns stays."""
    kept = (await guest.receive(KeptColumns)).kept
    if kept.shape != (count,):
        raise guest.blame(f"chose among other columns than our {count}")
    found: list[bool] = kept.tolist()
    return found
