"""Reason codes: which columns cost a customer most points against the average training customer.

    lost_j = slope * (c_j - mean of c_j over the training rows) / one point,   c_j = sum of x_k w_k

over the model columns k that come of source column j; slope is the calibration's, 1 without one.  The
guest knows c_j of its own columns.  Of the partners it knows the sum, so they are one reason together.
With several partners' columns behind it, that one may hide a worse column: ask the partner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.model import Averages, Half, columns_of
from vfl.stats.scorecard import Scorecard
from vfl.table.table import Table

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

LEAST = 0.05
"""Points that are no reason if no more are lost: they print as 0.0."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Points that each customer loses to each reason: names of m reasons, shape (n, m)."""

    names: tuple[str, ...]
    points: Matrix

    def top(self, count: int) -> dict[str, NDArray[Any]]:
        """Return the columns reason_1, lost_1, ... of the largest losses, blank where none is left."""
        order = np.argsort(-self.points, axis=1, kind="stable")
        found: dict[str, NDArray[Any]] = {}
        for k in range(min(count, len(self.names))):
            lost = np.take_along_axis(self.points, order[:, k : k + 1], axis=1)[:, 0]
            is_reason = lost >= LEAST
            found[f"reason_{k + 1}"] = np.array([*self.names, None], object)[
                np.where(is_reason, order[:, k], len(self.names))
            ]
            found[f"lost_{k + 1}"] = np.where(is_reason, lost, np.nan)
        return found


def losses(
    half: Half, averages: Averages, table: Table, logit: Vector, partners: str, scale: Scorecard
) -> Losses:
    """Return what customers with these joint logits lose; `partners`: what their reason is called.

    Where no partner's logit was measured in training the partners are no reason.
    """
    slope = half.slope
    own = by_source(half, half.features.transform(columns_of(table)) * half.slopes)
    lost = [slope * (values - averages.columns[name]) for name, values in own.items()]
    names = tuple(own)
    if averages.partners is not None:
        # What the own columns and the base leave of the logit is the partners'.
        lost.append(logit - half.calibrated(half.logit(table)) - slope * averages.partners)
        names = (*names, partners)
    return Losses(names, np.column_stack(lost) / scale.one_point)


def averages_of(half: Half, training: Table, theirs: Vector) -> Averages:
    """Return the mean part of each column in the logit, and of the partners where they were measured."""
    own = by_source(half, half.features.transform(columns_of(training)) * half.slopes)
    means = {name: float(values.mean()) for name, values in own.items()}
    return Averages(means, float(theirs.mean()) if len(theirs) else None)


def by_source(half: Half, parts: Matrix) -> dict[str, Vector]:
    """Return the sums of the model columns' parts, shape (n, d), by source column."""
    sources = np.array(half.features.sources, object)
    return {name: parts[:, sources == name].sum(axis=1) for name in dict.fromkeys(half.features.sources)}
