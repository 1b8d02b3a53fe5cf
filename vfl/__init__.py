"""Vertical federated learning for cross-institution risk modelling.

A customer's row walks down these folders: `table` reads it, `psi` finds it in both
institutions, `stats` and `features` bin it and give it its WOE, `linear` fits and scores it;
`crypto` hides it on the way and `wire` carries what is hidden.  `parties` are the programs
that the institutions start, and `estimators` the same models for who has all columns at hand:

    from vfl import JointGradientBoosting, JointLogisticRegression
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vfl.estimators import JointGradientBoosting, JointLogisticRegression

__all__ = ["JointGradientBoosting", "JointLogisticRegression", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return an estimator; scikit-learn is imported with the first, not with every command."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vfl import estimators

    return getattr(estimators, name)
