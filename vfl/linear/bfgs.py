"""BFGS that sees nothing but inner products of gradients.

Every vector that L-BFGS handles is a combination of the gradients g_0, ..., g_k met so far: a step is
one by induction and y_k = g_{k+1} - g_k.  So the two-loop recursion (Nocedal and Wright 2006,
algorithm 7.4) runs on coefficient vectors and on the matrix of inner products <g_i, g_j>, which is
a sum over the parties.  Each party then forms its own slice of the step from its own gradients.

    Differs from the paper (Chen, Wang and Zhou, Large-scale L-BFGS using MapReduce, 2014): there
    the basis is the 2m + 1 vectors of the memory and 6m products are new in each iteration; in
    the basis of gradients only the k + 1 products of the newest gradient are.

No pair (s, y) is forgotten, which makes it BFGS: here a pair is 2 (k + 1) numbers, whatever the columns
are, and gradients are dear.  With ten pairs the set breast takes 56 gradients, with all of them 38.

Gradients may come to be of another function, of all rows after a sample's: `turn` keeps what the pairs say
of the curvature, and compares no gradient with one of the function before.

Steps have unit length.  Safeguard: a point whose gradient is more than `GROWTH` times as long as
the one before is left again, and what was learnt there about the curvature is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vfl.steps import State

Vector = NDArray[np.float64]

GROWTH = 2.0
FLAT = 1e-12
"""A pair is skipped unless <s, y> > FLAT * |s| |y|: the curvature must be seen to be positive."""


@dataclass(slots=True)
class Bfgs:
    """Turns inner products of gradients into steps, both as coefficients over the gradients."""

    products: Vector = field(default_factory=lambda: np.zeros((0, 0)))
    pairs: list[tuple[Vector, Vector]] = field(default_factory=list)
    pending: Vector | None = None
    best: int = 0

    def as_state(self) -> State:
        """Return what `restored` takes."""
        return {
            "products": self.products,
            "pairs": [list(pair) for pair in self.pairs],
            "pending": self.pending,
            "best": self.best,
        }

    @classmethod
    def restored(cls, state: State) -> Self:
        """Stand where another stood."""
        pairs = [(s, y) for s, y in state["pairs"]]
        return cls(state["products"], pairs, state["pending"], state["best"])

    @property
    def norm(self) -> float:
        """The length of the newest gradient in whitened coordinates."""
        return math.sqrt(max(self.products[-1, -1], 0.0))

    def step(self, new: Vector) -> Vector:
        """Return the next step from the newest gradient's products with all gradients so far.

        `new`: k + 1 numbers <g_k, g_0>, ..., <g_k, g_k>.  Result: k + 1 coefficients c, so that
        the step is sum_i c_i g_i.
        """
        k = len(new) - 1
        self._append(new)
        undo = np.zeros(k + 1)
        if self.pending is None:
            self.best = k
        else:
            s = np.append(self.pending, 0.0)
            self._remember(s, _unit(k, k + 1) - _unit(self.best, k + 1))
            if self.norm > GROWTH * math.sqrt(self.products[self.best, self.best]):
                undo = -s
            else:
                self.best = k
        self.pending = -self._two_loops(_unit(self.best, k + 1))
        return self.pending + undo

    def turn(self) -> None:
        """Go on with a function whose gradients so far are of one much like it."""
        self.pending = None

    def _append(self, new: Vector) -> None:
        k = len(new) - 1
        grown = np.empty((k + 1, k + 1))
        grown[:k, :k] = self.products
        grown[k, :] = grown[:, k] = new
        self.products = grown

    def _dot(self, a: Vector, b: Vector) -> float:
        return float(np.pad(a, (0, len(self.products) - len(a))) @ self.products[:, : len(b)] @ b)

    def _remember(self, s: Vector, y: Vector) -> None:
        scale = math.sqrt(max(self._dot(s, s) * self._dot(y, y), 0.0))
        if self._dot(s, y) > FLAT * scale:
            self.pairs = [*self.pairs, (s, y)]

    def _two_loops(self, gradient: Vector) -> Vector:
        q = gradient.copy()
        alphas = []
        for s, y in reversed(self.pairs):
            alpha = self._dot(s, q) / self._dot(s, y)
            q[: len(y)] -= alpha * y
            alphas.append(alpha)
        if self.pairs:
            s, y = self.pairs[-1]
            q *= self._dot(s, y) / self._dot(y, y)
        for (s, y), alpha in zip(self.pairs, reversed(alphas), strict=True):
            q[: len(s)] += (alpha - self._dot(y, q) / self._dot(s, y)) * s
        return q


def _unit(i: int, size: int) -> Vector:
    e = np.zeros(size)
    e[i] = 1.0
    return e
