"""Both models within groups of customers: whether the partner helps everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.stats.metrics import auc_difference, evaluate

MOST_SEGMENTS = 20
OTHERS = "(all others)"


def by_segment(
    y: NDArray[Any], joint: NDArray[np.float64], alone: NDArray[np.float64], segment: NDArray[np.object_]
) -> list[dict[str, Any]]:
    """Return both models' measures within each segment, the largest first, the smallest ones together.

    A row holds "segment", "joint" and "guest_only" (as `evaluate` gives them) and "uplift": the AUC's
    difference and its 95 % interval, None with fewer than two rows of a class.  Shapes are (n,).
    """
    names, codes = np.unique(segment.astype(str), return_inverse=True)
    largest = np.argsort(-np.bincount(codes), kind="stable")
    if len(names) > MOST_SEGMENTS:
        kept = MOST_SEGMENTS - 1
        place = np.minimum(np.argsort(largest, kind="stable"), kept)
        titles = [*names[largest[:kept]], OTHERS]
    else:
        place, titles = np.argsort(largest, kind="stable"), list(names[largest])
    found = []
    for number, title in enumerate(titles):
        rows = place[codes] == number
        found.append(
            {
                "segment": str(title),
                "joint": evaluate(y[rows], joint[rows]),
                "guest_only": evaluate(y[rows], alone[rows]),
                "uplift": auc_difference(y[rows], joint[rows], alone[rows]),
            }
        )
    return found
