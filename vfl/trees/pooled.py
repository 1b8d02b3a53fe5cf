"""Boosted trees on a pooled table: the oracle of the joint ones, without a message or a key."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.randomness import Randomness
from vfl.trees.grow import Ensemble, Integers, Report, Rows, Rules, boost
from vfl.trees.histogram import Layout
from vfl.trees.tree import Codes, Mask, Split

T = TypeVar("T")


@dataclass(slots=True)
class Pooled:
    """A provider that sees the codes of all its parties: shape (n, columns) each."""

    codes: list[Codes]
    layouts: tuple[Layout, ...]
    _gh: Integers = field(default_factory=lambda: np.empty((0, 2), np.int64))

    async def begin(self, gh: Integers, sampled: Mask) -> None:
        """Keep the gradients."""
        self._gh = gh

    async def histograms(self, nodes: dict[int, Rows]) -> list[Integers]:
        """Sum them."""
        return [
            np.array([layout.histogram(codes[rows], self._gh[rows]) for rows in nodes.values()])
            for codes, layout in zip(self.codes, self.layouts, strict=True)
        ]

    async def divide(self, splits: list[dict[int, Split]], rows: dict[int, Rows]) -> dict[int, Mask]:
        """Look the codes up."""
        return {
            k: split.left(codes[rows[k]])
            for codes, own in zip(self.codes, splits, strict=True)
            for k, split in own.items()
        }


def fit(
    codes: list[Codes],
    layouts: tuple[Layout, ...],
    y: NDArray[np.int8],
    rules: Rules,
    *,
    weight: NDArray[np.float64] | None = None,
    rng: Randomness,
    report: Report = lambda _: None,
) -> Ensemble:
    """Return the trees of the pooled table; `codes`: one array a party, the guest's first."""
    return completed(
        boost(
            y,
            np.ones(len(y)) if weight is None else weight,
            np.zeros(len(y)),
            rules,
            own=Pooled(codes[:1], layouts[:1]),
            everyone=Pooled(codes, layouts),
            rng=rng,
            report=report,
        )
    )


def completed(role: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that awaits nothing."""
    try:
        role.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("a pooled provider awaits nothing")
