"""The customers and peers of all protocols that `protocol_runs` and `tree_runs` run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.linear.sigmoid import sigmoid
from vfl.wire.flow import Peer, Role

GUEST, HOST, ARBITER, PARTY = Peer("guest"), Peer("host"), Peer("arbiter"), Peer("party")
Roles = dict[str, Role[Any]]

ROWS = 90
_draw = np.random.default_rng(5)
X: NDArray[np.float64] = _draw.normal(size=(ROWS, 5)).round(1)
Y: NDArray[np.int8] = (_draw.random(ROWS) < sigmoid(X @ [0.8, -0.5, 0.6, 0.4, 0.2])).astype(np.int8)
