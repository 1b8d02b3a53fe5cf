"""The section of a job on a joint regression of amounts or counts: linear, Poisson or gamma."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from parties.config.schema import Section
from vfl.gates import MANY_ITERATIONS
from vfl.linear.family import Name

Iterations = Annotated[
    int,
    Field(
        ge=1,
        le=1000,
        description=f"Iterations at most. More than {MANY_ITERATIONS} need the gate many_iterations.",
    ),
]
"""The most of any regression."""


class GeneralisedRules(Section):
    """A joint regression of an outcome that is no label, on standardised columns, with an arbiter."""

    kind: Name = Field(
        description="linear: an amount that columns add up to. poisson: a count, with data.exposure a rate: "
        "columns multiply it. gamma: a positive amount, such as a claim's size: columns multiply it. The "
        "guest names the outcome under data.outcome; data.weight, data.offset and data.exposure are its own. "
        "Needs features.kind: standard.",
        examples=["poisson"],
    )
    C: float = Field(
        default=1.0,
        gt=0,
        description="Inverse strength of the ridge penalty, as in scikit-learn's LogisticRegression: the "
        "weighted sum of half the deviances, weights of mean 1, plus that of squared coefficients over 2 C. "
        "scikit-learn's alpha: 1 / C in Ridge, 1 / (C n) in PoissonRegressor and GammaRegressor, with "
        "exposures 1 / (C times their sum).",
    )
    tolerance: float = Field(
        default=3.0e-5,
        gt=0,
        le=0.1,
        description="Largest change of a coefficient in a step at which a party is content; of a linear "
        "regression in standard deviations of the outcome, to a power of two.",
    )
    max_iter: Iterations = 40

    def check_parties(self, hosts: tuple[str, ...], arbiters: tuple[str, ...]) -> None:
        """Raise ValueError unless these hosts and arbiters can fit the model."""
        if not arbiters:
            raise ValueError(f"kind {self.kind} needs an arbiter, and the job has none")
