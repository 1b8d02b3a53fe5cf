"""What a model's logits are in points: each party's own card, and bands of scores with their bad rates.

A score is the sum of the points of all cards, to the nearest integer; hosts tell their part rounded
to a point unless the contract says exact.  The guest's card carries the intercept and the scale's offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parties.config.job import Job
from parties.exports.card import Card
from parties.exports.scorecard import base_points, points_by_bin
from parties.programs.model import Half
from parties.programs.trees_model import TreeHalf
from vfl.linear.sigmoid import sigmoid
from vfl.stats.scorecard import Bands, Scorecard
from vfl.trees.model import GuestTrees, HostTrees

if TYPE_CHECKING:
    from parties.programs.evaluation import Measured  # with scikit-learn, which no host needs

Vector = NDArray[np.float64]
AnyHalf = Half | TreeHalf[GuestTrees] | TreeHalf[HostTrees]


def card_facts(job: Job, half: AnyHalf) -> dict[str, Any]:
    """Return what run.json says of the own card.

    There is none of trees, of amounts, nor of a model that is calibrated as a whole (sigmoid: taylor).
    """
    if not isinstance(half, Half) or half.kind != "logistic" or job.logistic.sigmoid == "taylor":
        return {}
    scale, card = Scorecard(**job.scorecard.scale), Card.of(half)
    described = {"base_points": base_points(card, scale), "columns": points_by_bin(card, scale)}
    return {"scorecard": job.scorecard.scale | described}


def bands_facts(job: Job, measured: Measured) -> dict[str, Any]:
    """Return what run.json says of bands, by split, where the job has any."""
    if not job.scorecard.bands:
        return {}
    bands, scale = Bands(job.scorecard.bands), Scorecard(**job.scorecard.scale)
    logit, splits = measured.joint, measured.splits
    found = {split: _bands(bands, scale, measured.y[rows], logit[rows]) for split, rows in splits.items()}
    return {"bands": found}


def _bands(bands: Bands, scale: Scorecard, y: NDArray[np.int8], logit: Vector) -> list[dict[str, Any]]:
    """Return one row per band: its name, its points, rows, bads, bad rate and mean PD of the joint model."""
    number, pd = bands.of(scale.whole_points(logit)), sigmoid(logit)
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
