"""A regression without an arbiter, small and in memory: parts of `protocol_runs`."""

from __future__ import annotations

import numpy as np
from hostile import PRIVATE
from numpy.typing import NDArray
from protocol_tables import GUEST, HOST, Roles, X, Y
from seeded import Seeded

from vfl.arbitration import Quota
from vfl.crypto.modular import best
from vfl.crypto.paillier import PrivateKey
from vfl.crypto.randomness import Randomness
from vfl.linear import crossed, logistic
from vfl.linear.columns import Columns

HOSTS_KEY = PrivateKey.insecure_short_key_for_tests_only(512, Seeded(50), best())
ROWS = 50
CROSSED_RULES = logistic.Rules(1e-9, 2)


def crossed_roles(
    y: NDArray[np.int8] = Y[:ROWS],
    *,
    rules: logistic.Rules = CROSSED_RULES,
    quotas: tuple[int, int] = (99, 99),
    rngs: tuple[Randomness, Randomness] | None = None,
) -> Roles:
    """A joint fit of an intercept and two columns of the guest with three of the host."""
    ours, theirs = rngs or (Seeded(51), Seeded(52))
    x = X[: len(y)]
    own = np.column_stack([np.ones(len(x)), x[:, :2]])
    return {
        "guest": crossed.guest(
            Columns(own, np.array([0.0, 1.0, 1.0]), np.zeros(3)),
            y,
            rules,
            own=PRIVATE,
            key=HOSTS_KEY.public,
            quota=Quota(quotas[0]),
            rng=ours,
            host=HOST,
            report=lambda *_: None,
        ),
        "host": crossed.host(
            Columns(x[:, 2:], np.ones(3), np.zeros(3)),
            rules,
            own=HOSTS_KEY,
            key=PRIVATE.public,
            quota=Quota(quotas[1]),
            rng=theirs,
            guest=GUEST,
        ),
    }
