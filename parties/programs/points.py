"""What a model's logits are in points: each party's own card, and bands of scores with their bad rates.

A score is the sum of the points of all cards, to the nearest integer; hosts tell their part rounded
to a point unless the contract says exact.  The guest's card carries the intercept and the scale's offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.config.job import Job
from parties.exports.card import Card
from parties.exports.scorecard import base_points, points_by_bin
from parties.programs.model import Half
from parties.programs.trees_model import TreeHalf
from vfl.stats.scorecard import Bands, Scorecard
from vfl.trees.model import GuestTrees, HostTrees

Curves = Mapping[str, Mapping[str, NDArray[Any]]]
AnyHalf = Half | TreeHalf[GuestTrees] | TreeHalf[HostTrees]


def points_facts(job: Job, half: AnyHalf, curves: Curves | None = None) -> dict[str, Any]:
    """Return what run.json says of points: the own card, and where there are `curves` the bands.

    There is no card of trees, nor of a model that is calibrated as a whole (sigmoid: taylor).
    """
    scale, facts = Scorecard(**job.scorecard.scale), dict[str, Any]()
    if isinstance(half, Half) and job.logistic.sigmoid != "taylor":
        card = Card.of(half)
        facts["scorecard"] = {
            **job.scorecard.scale,
            "base_points": base_points(card, scale),
            "columns": points_by_bin(card, scale),
        }
    if job.scorecard.bands and curves:
        bands = Bands(job.scorecard.bands)
        facts["bands"] = {split: _bands(bands, scale, measured) for split, measured in curves.items()}
    return facts


def _bands(bands: Bands, scale: Scorecard, measured: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """Return one row per band: its name, its points, rows, bads, bad rate and mean PD of the joint model."""
    y, pd = measured["y"], measured["joint"]
    with np.errstate(divide="ignore"):  # a PD of exactly 0 or 1 has the best or the worst band
        logit = np.log(pd) - np.log1p(-pd)
    number = bands.of(np.rint(scale.points(logit)))
    rows = []
    for k, name in enumerate(bands.names):
        inside = number == k
        count = int(inside.sum())
        rows.append(
            {
                "band": name,
                "at_least": bands.cuts[k] if k < len(bands.cuts) else None,
                "below": bands.cuts[k - 1] if k else None,
                "rows": count,
                "events": int(y[inside].sum()),
                "event_rate": float(y[inside].mean()) if count else None,
                "mean_pd": float(pd[inside].mean()) if count else None,
            }
        )
    return rows
