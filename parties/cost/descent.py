"""How many gradients a regression takes and of which degrees: a guess from what is known before a run.

    gradients  =  1.05 (d / (p (1 - p)))^0.3 (log10 1/tolerance)^0.65

d: columns of all parties, p: the rate of events.  The rarer they are, the less the joint Hessian is what the
parties whiten by, which takes every p (1 - p) for 1/4.  Degrees are those for logits within `HOST_RANGE` and
`GUEST_RANGE`, and for an error that falls evenly from `EARLY_ERROR` to a third of the tolerance.

All this is fitted to what exact descents took: of german, caravan, default_credit, give_credit, the demo's
portfolio and a book of 40 columns, each party as the guest once and some cut anew, at three tolerances.  What
nobody knows before is how columns of different parties go together, and how far hosts' logits reach.  The
descents of breast, whose columns part the labels nearly without a mistake, take twenty times the guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfl.linear.sigmoid import Curve, approximation_for, sigmoid

USUAL_RATE = 0.08
"""Rate of events where no guest's table is here."""

EVEN_RATE = 0.5
"""Rate at which p (1 - p) is 1/4: as if, where an outcome's own mean variance is whitened by."""

HOST_RANGE = {"woe": (-2.5, 2.5), "standard": (-10.0, 2.5)}
"""Logits of one host with ten columns, by the features' kind: raw amounts have long tails."""

GUEST_RANGE = {"woe": (-4.5, 0.5), "standard": (-6.0, 2.0)}
"""Logits of the guest's, the intercept among them."""

LONGER = {"woe": 1.0, "standard": 1.25}
"""Times as many gradients, by the features' kind."""

SPREAD = {"woe": (0.65, 1.4), "standard": (0.4, 1.8)}
"""Parts of the guessed sum of degrees between which nine of ten descents were, by the features' kind."""

EARLY_ERROR = 1e-2
"""Error of the sigmoid in the second gradient."""

FALLING = 0.6
"""Part of the gradients after which the error is the least."""

SAMPLED_TO = 1e-3
"""Tolerance of a fit that takes as many gradients as a sample's part of one does."""

AFTER_SAMPLE = 0.65
"""Part of the gradients that are still of all rows after a sample's."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a party knows of a regression: `columns` of all parties, of which `theirs` are the hosts'.

    `rate`: of events among the rows that train.  `kind`: the features'.
    """

    columns: int
    theirs: int
    hosts: int
    rate: float = USUAL_RATE
    kind: str = "woe"

    @property
    def spread(self) -> tuple[float, float]:
        """Parts of the sum of degrees between which it may be."""
        return SPREAD[self.kind]

    def gradients(self, tolerance: float) -> int:
        """Return how many gradients a fit takes that nothing ends early."""
        rarity = max(self.columns, 1) / max(self.rate * (1 - self.rate), 1e-4)
        usual = 1.05 * math.pow(rarity, 0.3) * math.pow(math.log10(1 / tolerance), 0.65)
        return max(2, round(LONGER[self.kind] * usual))

    def degrees(self, tolerance: float, gradients: int) -> tuple[int, ...]:
        """Return the degree of each of so many gradients, of all rows."""
        least, falling = tolerance / 3, FALLING * gradients
        errors = (
            max(least, EARLY_ERROR * (least / EARLY_ERROR) ** (k / falling)) for k in range(gradients - 1)
        )
        later = [self.degree(error) for error in errors]
        return (1 + self.hosts, *later)  # hosts' logits are 0 at the start

    def sampled_degrees(self, tolerance: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the degrees of gradients of a sample, and of those of all rows that follow."""
        first = self.degrees(SAMPLED_TO, self.gradients(SAMPLED_TO))
        gradients = self.gradients(tolerance)
        return first, self.degrees(tolerance, gradients)[-round(AFTER_SAMPLE * gradients) :]

    def degree(self, error: float, of: Curve = sigmoid) -> int:
        """Return the degree of a curve of the sum of logits that errs by at most so much."""
        # Logits of several hosts add up, and are not all far out at once.
        wider = math.sqrt(self.hosts) * (max(self.theirs, 1) / 10) ** 0.15
        low, high = (wider * end for end in HOST_RANGE[self.kind])
        bent = self.hosts == 1 and of is sigmoid
        guest = np.linspace(*GUEST_RANGE[self.kind], 25)
        return approximation_for(guest, low, high, error, bent=bent, of=of)[1]
