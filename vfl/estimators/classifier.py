"""What the joint estimators share: two classes, and predictions from logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from vfl.estimators.columns import columns_by_party

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Labels = NDArray[np.int8]

BACKENDS = "protocol", "plain"


class JointClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of two classes whose `decision_function` is a logit."""

    _takes_blanks = False

    def __sklearn_tags__(self) -> Any:
        """Say what there is: two classes, and blanks where the model takes them."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = self._takes_blanks
        return tags

    def predict_proba(self, X: ArrayLike) -> Matrix:
        """Return the probabilities of both classes, shape (n, 2)."""
        p = expit(self.decision_function(X))
        return np.column_stack([1 - p, p])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likelier class of each row, shape (n,)."""
        logits = self.decision_function(X)
        return np.asarray(self.classes_[(logits > 0).astype(int)])

    def _training(self, X: ArrayLike, y: ArrayLike) -> tuple[Matrix, Labels]:
        """Check what is fitted; set `classes_` and `parties_`; return X, and 1 where y is classes_[1]."""
        require(self.backend in BACKENDS, f"backend is {self.backend!r}, and is one of {', '.join(BACKENDS)}")
        x, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite=self._finite)
        check_classification_targets(y)
        kind = type_of_target(y)
        require(
            kind == "binary", f"Only binary classification is supported. The type of the target is {kind}."
        )
        self.classes_, codes = np.unique(y, return_inverse=True)
        require(len(self.classes_) == 2, f"y has one class alone, {self.classes_[0]!r}: a model needs both")
        names = getattr(self, "feature_names_in_", ())
        self.parties_ = columns_by_party(self.parties, names, x.shape[1])
        return x, codes.astype(np.int8)

    def _scored(self, X: ArrayLike) -> Matrix:
        """Check what is predicted."""
        check_is_fitted(self)
        x: Matrix = validate_data(self, X, dtype=np.float64, ensure_all_finite=self._finite, reset=False)
        return x

    @property
    def _finite(self) -> bool | str:
        return "allow-nan" if self._takes_blanks else True

    @property
    def _threads(self) -> int:
        return int(effective_n_jobs(self.n_jobs))


def weights(sample_weight: ArrayLike | None, x: Matrix, y: Labels) -> Vector:
    """Return what each row counts, 1 without sample_weight; raise ValueError where no model comes of it."""
    weight = np.asarray(_check_sample_weight(sample_weight, x, dtype=np.float64))
    require(weight.min() >= 0, "sample_weight has negative numbers")
    require(weight.max() > 0, "every sample_weight is zero")
    counted = np.unique(y[weight > 0])
    require(len(counted) == 2, "rows of one class alone have a sample_weight above zero: a model needs both")
    return weight


def require(holds: bool, otherwise: str) -> None:
    """Raise ValueError with this message unless it holds."""
    if not holds:
        raise ValueError(otherwise)
