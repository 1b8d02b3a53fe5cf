"""Columns of two parties compared, and which of them stay: small and in memory."""

from __future__ import annotations

import numpy as np
from hostile import KEY, PRIVATE
from numpy.typing import NDArray
from protocol_tables import ARBITER, GUEST, HOST, Roles, X
from seeded import Seeded

from vfl.arbitration import Quota
from vfl.crypto.randomness import Randomness
from vfl.features import correlation, kept
from vfl.gates import Gates


def correlation_roles(
    x: NDArray[np.float64] = X, *, rngs: tuple[Randomness, Randomness] | None = None, quota: int = 99
) -> Roles:
    """Correlations of four columns of the guest with two of the host."""
    ours, theirs = rngs or (Seeded(4), Seeded(5))
    z, gates = x[:, 3:] > 0.2, Gates(frozenset())
    return {
        "guest": correlation.guest(x[:, [0, 1, 2, 4]], 2, key=KEY, rng=ours, host=HOST, arbiter=ARBITER),
        "host": correlation.host(
            z.astype(np.float64), key=KEY, rng=theirs, gates=gates, guest=GUEST, arbiter=ARBITER
        ),
        "arbiter": correlation.arbiter(PRIVATE, Quota(quota), guest=GUEST, host=HOST),
    }


def kept_roles() -> Roles:
    """Three columns of the host, of which two stay."""
    return {"guest": kept.guest([True, False, True], host=HOST), "host": kept.host(3, guest=GUEST)}
