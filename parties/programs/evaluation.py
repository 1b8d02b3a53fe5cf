"""How good the joint model is, on the splits that the contract lets the guest measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from parties.programs.alignment import Mask
from parties.programs.model import Calibration
from vfl.linear.sigmoid import sigmoid
from vfl.stats.metrics import evaluate
from vfl.stats.scorecard import Scorecard

Vector = NDArray[np.float64]
WEAK = 1e10
"""Inverse strength of a penalty that leaves two coefficients alone."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured rows: labels, which of them train, and the logits of both models."""

    y: NDArray[np.int8]
    train: Mask
    own: Vector
    theirs: Vector
    guest_only: Vector
    calibration: Calibration

    @property
    def splits(self) -> dict[str, Mask]:
        """The measured rows of each split that has any."""
        return {name: rows for name, rows in (("train", self.train), ("test", ~self.train)) if rows.any()}

    @property
    def joint(self) -> Vector:
        """The joint model's logits."""
        return self.calibration.apply(self.own + self.theirs)

    @property
    def usual(self) -> Vector:
        """The hosts' logits of the training rows, of the test rows where no others are measured."""
        return self.theirs[self.train] if self.train.any() else self.theirs

    def evaluated(self) -> dict[str, dict[str, Any]]:
        """Return both models' measures by split."""
        return {
            split: {model: evaluate(scores["y"], scores[model]) for model in ("joint", "guest_only")}
            for split, scores in self.curves().items()
        }

    def curves(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Return labels and PDs by split, for the report."""
        joint = sigmoid(self.joint)
        alone = sigmoid(self.guest_only)
        return {
            name: {"y": self.y[rows], "joint": joint[rows], "guest_only": alone[rows]}
            for name, rows in self.splits.items()
        }

    def rounding(self, scorecard: Scorecard) -> dict[str, Any]:
        """Return the joint model's measures by split had the host's logits been rounded to one point."""
        theirs = scorecard.rounded_to_point(self.theirs)
        joint = sigmoid(self.calibration.apply(self.own + theirs))
        return {name: evaluate(self.y[rows], joint[rows]) for name, rows in self.splits.items()}

    def bias(self) -> dict[str, Any]:
        """Return by split the mean PD before and after calibration, and the bad rate."""
        before = sigmoid(self.own + self.theirs)
        after = sigmoid(self.joint)
        return {
            name: {
                "mean_pd_before": float(before[rows].mean()),
                "mean_pd_after": float(after[rows].mean()),
                "event_rate": float(self.y[rows].mean()),
            }
            for name, rows in self.splits.items()
        }


def calibrated(logit: Vector, y: NDArray[np.int8]) -> Calibration:
    """Return intercept and slope of the logistic regression of labels on joint logits."""
    fit = LogisticRegression(C=WEAK, solver="newton-cholesky", tol=1e-10, max_iter=500)
    fit.fit(logit[:, None], y)
    return Calibration(float(fit.intercept_[0]), float(fit.coef_[0, 0]))
