"""Which rows a tree is grown from.

    subsample     a uniform share of the rows
    GOSS          the share `top_rate` of largest |g|, and a uniform share `other_rate` of all rows from
                  the rest, whose g and h count (1 - top_rate) / other_rate times (Ke et al. 2017)

A host is told which rows are sampled.  GOSS thereby tells it which rows the model gets most wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.randomness import Randomness
from vfl.trees.tree import Mask

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Goss:
    """Gradient-based one-side sampling: shares of all rows, above 0 and together at most 1."""

    top_rate: float = 0.2
    other_rate: float = 0.1

    @property
    def amplifier(self) -> float:
        """What the gradients of a row from the rest are multiplied by."""
        return (1 - self.top_rate) / self.other_rate

    def sample(self, gh: Integers, rows: Integers, rng: Randomness) -> tuple[Integers, Mask]:
        """Return g and h as they count, and the sampled rows: `rows` are those to choose from."""
        order = rows[np.argsort(-np.abs(gh[rows, 0]), kind="stable")]
        top, rest = np.split(order, [round(self.top_rate * len(rows))])
        others = rest[rng.permutation(len(rest))[: round(self.other_rate * len(rows))]]
        out = np.zeros_like(gh)
        out[top] = gh[top]
        out[others] = np.rint(gh[others] * self.amplifier).astype(np.int64)
        return out, _mask(len(gh), np.concatenate([top, others]))


@dataclass(frozen=True, slots=True)
class Subsample:
    """A uniform share of the rows, above 0 and at most 1."""

    share: float = 1.0

    @property
    def amplifier(self) -> float:
        """What gradients are multiplied by: they stay as they are."""
        return 1.0

    def sample(self, gh: Integers, rows: Integers, rng: Randomness) -> tuple[Integers, Mask]:
        """Return g and h as they count, and the sampled rows: `rows` are those to choose from."""
        drawn = rows
        if self.share < 1:
            drawn = rows[rng.permutation(len(rows))[: max(1, round(self.share * len(rows)))]]
        mask = _mask(len(gh), drawn)
        return np.where(mask[:, None], gh, 0), mask


def _mask(n: int, rows: Integers) -> Mask:
    mask = np.zeros(n, np.bool_)
    mask[rows] = True
    return mask
