"""The joint models as scikit-learn's estimators: all parties on one machine, the protocol as it is."""

from vfl.estimators.boosting import JointGradientBoosting
from vfl.estimators.logistic import JointLogisticRegression

__all__ = ["JointGradientBoosting", "JointLogisticRegression"]
