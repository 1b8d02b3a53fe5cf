"""What a model is worth where it is used: who is refused at a cutoff, and how many bads that finds.

`y` is 0 or 1 (1 = bad), `p` the PDs, both of shape (n,).  A customer whose PD is the cutoff or more
is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.stats.calibration import tenths

Rates = dict[str, float | None]


def lift_table(y: NDArray[Any], p: NDArray[np.float64]) -> list[dict[str, float]]:
    """Return rows, bads, rate, mean PD, lift, and shares found so far, by tenth, the riskiest first.

    lift = rate / overall rate; captured = bads so far / all bads; cumulative_lift = rate so far /
    overall rate.  There must be a bad.
    """
    overall, found, seen, table = float(np.mean(y)), 0, 0, []
    for number, members in enumerate(reversed(tenths(p)), start=1):
        bads, size = int(np.sum(y[members])), len(members)
        found, seen = found + bads, seen + size
        table.append(
            {
                "tenth": number,
                "rows": size,
                "bads": bads,
                "rate": bads / size,
                "mean_pd": float(p[members].mean()),
                "captured": found / (overall * len(y)),
                "lift": bads / size / overall,
                "cumulative_lift": found / seen / overall,
            }
        )
    return table


def confusion(y: NDArray[Any], p: NDArray[np.float64], cutoff: float) -> Rates:
    """Return who is refused and approved at a cutoff, and the shares that follow.

    recall = bads refused / bads; precision = bads refused / refused; fallout = goods refused / goods;
    None where nobody is counted.
    """
    bad, refused = np.asarray(y) == 1, p >= cutoff
    caught, missed = int(np.sum(bad & refused)), int(np.sum(bad & ~refused))
    lost, kept = int(np.sum(~bad & refused)), int(np.sum(~bad & ~refused))
    return {
        "refused_bads": caught,
        "refused_goods": lost,
        "approved_bads": missed,
        "approved_goods": kept,
        "approval_rate": _share(missed + kept, len(y)),
        "approved_bad_rate": _share(missed, missed + kept),
        "recall": _share(caught, caught + missed),
        "precision": _share(caught, caught + lost),
        "fallout": _share(lost, lost + kept),
    }


def swap_set(
    y: NDArray[Any], joint: NDArray[np.float64], alone: NDArray[np.float64], cutoff: float
) -> dict[str, Rates]:
    """Return who changes sides when both models approve as many as the joint one does at a cutoff.

    "both_approve", "swapped_in" (only the joint model approves), "swapped_out" (only the guest's),
    "both_refuse", "joint_approves" and "guest_only_approves", each with rows, bads and rate.  Equal
    PDs of the guest's model at the boundary are told apart by the order of the rows.
    """
    ours = joint < cutoff
    theirs = np.zeros(len(y), np.bool_)
    theirs[np.argsort(alone, kind="stable")[: int(ours.sum())]] = True
    groups = {
        "both_approve": ours & theirs,
        "swapped_in": ours & ~theirs,
        "swapped_out": ~ours & theirs,
        "both_refuse": ~ours & ~theirs,
        "joint_approves": ours,
        "guest_only_approves": theirs,
    }
    return {name: _rates(np.asarray(y)[rows]) for name, rows in groups.items()}


def _rates(y: NDArray[Any]) -> Rates:
    bads = int(np.sum(y))
    return {"rows": len(y), "bads": bads, "rate": _share(bads, len(y))}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
