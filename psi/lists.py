"""How long a list of ids may be, and which places in it a peer may open."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.errors import ContractError, DataError
from vfl.table.texts import Ids
from vfl.wire.flow import Peer

MAX_IDS = 1 << 25
"""Ids in the longest list either side accepts: 1 GiB of points."""


def check_size(ids: int) -> None:
    """Raise ValueError where a message announces a list of so many ids that no party may bring."""
    if not 0 <= ids <= MAX_IDS:
        raise ValueError(f"a list of {ids} ids, at most {MAX_IDS} are accepted")


def check_own(ids: Ids) -> None:
    """Refuse a list of our own that peers would not accept."""
    if len(ids) > MAX_IDS:
        raise DataError("alignment", f"{len(ids)} ids, at most {MAX_IDS} can be aligned", "split the list")


def check_agreed(ids: int, most: int, peer: Peer) -> None:
    """Refuse a list that is longer than agreed: each id in it may be a guess at one of ours."""
    if ids > most:
        what = f"brings a list of {ids} ids, at most {most} were agreed: alignment.max_ids"
        raise ContractError(peer.name, what)


def check_places(places: NDArray[Any], size: int, n: int, peer: Peer) -> None:
    """Blame the peer unless these are `size` different places in a list of n."""
    if places.shape != (size,):
        raise peer.blame(f"opened {places.size} positions of {size} common ids")
    if size and not 0 <= places.min() <= places.max() < n:
        raise peer.blame("opened a position outside the list")
    opened = np.zeros(n, dtype=np.bool_)
    opened[places] = True
    if np.count_nonzero(opened) != size:
        raise peer.blame("opened a position twice")
