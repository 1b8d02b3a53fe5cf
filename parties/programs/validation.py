"""What a validation committee asks of a model, from one split's labels and both models' PDs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.stats.calibration import calibration_line, calibration_table, hosmer_lemeshow
from vfl.stats.curves import ks_points, roc_points, score_bars
from vfl.stats.decisions import confusion, lift_table, swap_set
from vfl.stats.resampling import intervals, resamples
from vfl.stats.segments import by_segment

Vector = NDArray[np.float64]
MODELS = ("joint", "guest_only")
SEED = 20
"""The resamples are the same whenever the same scores are validated."""


def validation(
    y: NDArray[Any],
    pds: dict[str, Vector],
    cutoff: float | None,
    segment: NDArray[Any] | None,
    *,
    fitted: bool,
) -> dict[str, Any]:
    """Return intervals, calibration, lift, what happens at a cutoff, and segments.

    `pds` holds the PDs of both MODELS; `cutoff` is a PD, by default the rows' bad rate; `fitted` says
    that these rows trained.  Nothing where only one class occurs.
    """
    if not 0 < np.sum(y) < len(y):
        return {}
    joint, alone = (pds[name] for name in MODELS)
    at = float(np.mean(y)) if cutoff is None else cutoff
    draw = np.random.default_rng(SEED).integers
    return {
        "resamples": resamples(len(y)),
        "intervals": intervals(y, joint, alone, lambda n: draw(n, size=n)),
        "calibration": {name: calibrated(y, pd, fitted=fitted) for name, pd in pds.items()},
        "lift": {name: lift_table(y, pd) for name, pd in pds.items()},
        "cutoff": at,
        "confusion": {name: confusion(y, pd, at) for name, pd in pds.items()},
        "swap_set": swap_set(y, joint, alone, at),
        "segments": [] if segment is None else by_segment(y, joint, alone, segment),
    }


def calibrated(y: NDArray[Any], pd: Vector, *, fitted: bool) -> dict[str, Any]:
    """Return how true PDs are: by tenths, by Hosmer & Lemeshow's test, and by Cox's line."""
    found = hosmer_lemeshow(y, pd, fitted=fitted)
    names = ("statistic", "freedom", "p_value")
    return {
        "tenths": calibration_table(y, pd),
        "line": calibration_line(y, pd),
        "hosmer_lemeshow": found and dict(zip(names, found, strict=True)),
    }


def curves(y: NDArray[Any], pds: dict[str, Vector]) -> dict[str, Any]:
    """Return the points that a report draws; nothing where only one class occurs."""
    if not 0 < np.sum(y) < len(y):
        return {}
    return {
        "roc": {name: roc_points(y, pd) for name, pd in pds.items()},
        "ks": ks_points(y, pds["joint"]),
        "scores": score_bars(y, pds["joint"]),
    }
