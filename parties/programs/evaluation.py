"""How good the joint model is, on the splits that the contract lets the guest measure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import Common, Mask
from parties.programs.model import Calibration
from parties.programs.validation import curves, validation
from vfl.linear.alone import fitted_labels
from vfl.linear.sigmoid import sigmoid
from vfl.stats.metrics import evaluate
from vfl.stats.scorecard import Scorecard
from vfl.stats.stability import score_stability

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
    segment: NDArray[np.object_] | None = None

    @classmethod
    def of(cls, common: Common, rows: Mask, own: Vector, theirs: Vector, guest_only: Vector) -> Self:
        """Return these rows of the common ones, with their logits."""
        y, segment = common.table.label, common.table.segment
        assert y is not None
        some = None if segment is None else segment[rows]
        return cls(y[rows], common.train[rows], own, theirs, guest_only, Calibration(), some)

    def calibrated(self) -> Self:
        """Return them with the calibration that suits the training rows."""
        logit = (self.own + self.theirs)[self.train]
        intercept, slope = fitted_labels(logit[:, None], self.y[self.train], WEAK)
        return replace(self, calibration=Calibration(float(intercept), float(slope)))

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
            split: {model: evaluate(self.y[rows], pd[rows]) for model, pd in self._pds.items()}
            for split, rows in self.splits.items()
        }

    def validation(self, cutoff: float | None) -> dict[str, Any]:
        """Return what a validation says of the test rows, of the training rows where there are none.

        Where both are measured, also how far the joint model's scores have moved between them.
        """
        if not self.splits:
            return {}
        split, rows = self._shown
        segment = None if self.segment is None else self.segment[rows]
        pds = {model: pd[rows] for model, pd in self._pds.items()}
        found = validation(self.y[rows], pds, cutoff, segment, fitted=split == "train")
        if len(self.splits) == 2:
            found["stability"] = score_stability(self.joint[self.train], self.joint[~self.train])
        return {"split": split} | found

    def moved(self, rows: Mask) -> float | None:
        """Return the index of the joint score from the training rows to some of the measured ones.

        None where no training row is measured, or none of these.
        """
        if not (self.train.any() and rows.any()):
            return None
        return float(score_stability(self.joint[self.train], self.joint[rows])["index"])

    def curves(self) -> dict[str, dict[str, Any]]:
        """Return the points of the report's curves by split: of the one that is validated."""
        if not self.splits:
            return {}
        split, rows = self._shown
        return {split: curves(self.y[rows], {model: pd[rows] for model, pd in self._pds.items()})}

    @property
    def _shown(self) -> tuple[str, Mask]:
        return list(self.splits.items())[-1]

    @property
    def _pds(self) -> dict[str, Vector]:
        return {"joint": sigmoid(self.joint), "guest_only": sigmoid(self.guest_only)}

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
