"""How many gradients a regression takes and of which degrees: a guess from what is known before a run.

    gradients  =  1.63 d^0.28 s^0.2 (p (1 - p))^-0.15 (log10 1/tolerance)^0.65

d: columns of all parties, s: the standard deviation of the logits of the guest's own model, whose columns are
taken to be as good as the others', p: the rate of events, which whitening takes for 1/2.  Degrees are those
for logits within `HOST_RANGE` and `GUEST_RANGE`, and for an error that falls evenly from `EARLY_ERROR` to a
third of the tolerance.

All this is fitted to what 50 exact descents took, at two tolerances each: of german, caravan, give_credit,
default_credit, the demo's portfolio and 19 generated books of 10 to 54 columns, each party as the guest once.
What nobody knows before is how columns of different parties go together, and how far hosts' logits reach:
for three of five the guess was within a quarter.  Those of breast, whose columns part the labels nearly
without a mistake, take twenty times the guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfl.linear.sigmoid import Curve, approximation_for, sigmoid

USUAL_RATE, EVEN_RATE = 0.08, 0.5
"""Rate of events where no guest's table tells it; and of outcomes whose own mean variance whitens."""

USUAL_STRENGTH = 0.9
"""Standard deviation of the logits of a party's own model, where no guest's table tells it."""

HOST_RANGE = {"woe": (-2.4, 2.4), "standard": (-10.0, 2.5)}
"""Logits of one host of ten columns where s is 1, by the kind of features: raw amounts reach far."""

GUEST_RANGE = {"woe": (-4.5, 0.5), "standard": (-6.0, 2.0)}
"""Logits of the guest's, the intercept among them."""

SPREAD = {"woe": (0.6, 1.7), "standard": (0.4, 1.8)}
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

    `rate`, `strength`: p and s as above.  `kind`: the features'.
    """

    columns: int
    theirs: int
    hosts: int
    rate: float = USUAL_RATE
    strength: float = USUAL_STRENGTH
    kind: str = "woe"

    @property
    def spread(self) -> tuple[float, float]:
        """Parts of the sum of degrees between which it may be."""
        return SPREAD[self.kind]

    def gradients(self, tolerance: float) -> int:
        """Return how many gradients a fit takes that nothing ends early."""
        size = math.pow(max(self.columns, 1), 0.28) * math.pow(self.strength, 0.2)
        rarity = math.pow(max(self.rate * (1 - self.rate), 1e-3), -0.15)
        return max(2, round(1.63 * size * rarity * math.pow(math.log10(1 / tolerance), 0.65)))

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
        more = math.pow(max(self.theirs, 1) / 10, 0.3) * math.pow(self.strength, 0.2)
        wider = math.sqrt(self.hosts) * more
        low, high = (wider * end for end in HOST_RANGE[self.kind])
        bent = self.hosts == 1 and of is sigmoid
        guest = np.linspace(*GUEST_RANGE[self.kind], 25)
        return approximation_for(guest, low, high, error, bent=bent, of=of)[1]
