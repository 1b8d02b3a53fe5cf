"""What became of a host's columns: their information values, and which of them enter the model.

    host -> guest: SelectedColumns

A host that was told the events in its bins (see `woe`) merges the bins and leaves columns out by
the contract's rules, itself.  That asks for no further sum: the guest would need the order of the
host's anonymous bins to find a monotone merging for it, and the host would learn the merging as
well.  So the guest learns the outcome alone, as it must to know the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.wire.flow import Peer
from vfl.wire.message import Message

LARGEST = 200.0
"""An information value beyond which no column of fewer than 2^64 rows comes."""


@dataclass(frozen=True, slots=True)
class SelectedColumns(Message):
    """Each column's information value after merging, and whether it is kept.

    Reveals: the values, and which columns stay; from a value the guest may find which of the anonymous
    bins were merged.
    """

    values: NDArray[np.float64]
    kept: NDArray[np.bool_]


async def guest(count: int, *, host: Peer) -> tuple[list[float], list[bool]]:
    """Return the value of each of the host's columns, and whether it is kept."""
    got = await host.receive(SelectedColumns)
    if got.values.shape != (count,) or got.kept.shape != (count,):
        raise host.blame(f"selected among other columns than the {count} that it binned")
    if not (np.abs(got.values) <= LARGEST).all() or not got.kept.any():
        raise host.blame("sent information values that no columns have, or kept none")
    return got.values.tolist(), got.kept.tolist()


async def host(values: Sequence[float], kept: Sequence[bool], *, guest: Peer) -> None:
    """Tell the guest."""
    await guest.send(SelectedColumns(np.array(values, np.float64), np.array(kept, np.bool_)))
