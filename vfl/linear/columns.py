"""A party's columns in a joint descent: their encrypted gradient, and the steps along it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Hide, Shape, learn_masked
from vfl.crypto.fixed_point import FRACTION, bits_for, decode, encode
from vfl.crypto.masking import Masking, Rounded, Whole
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, Encrypted, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.linear import whitening
from vfl.steps import State
from vfl.wire.flow import Peer

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MAX_RESIDUAL = 3.0
"""|r_i| by construction: a sigmoid's interpolant less a label.  Of rows with weights, of mean 1, that is
their mean's bound: enough for a sum of n x_ij r_i, not for single rows."""

FEW_VALUES = 64
"""A column of no more distinct values is summed by value first."""


class Columns:
    """A party's design matrix x (n, d), its penalties and start, and the gradients met so far.

    `variance`: an outcome's mean variance, for whitening.  `told`: bits of each number of a gradient that
    the party learns, all where it is None.  The numbers are then those of L^-1 x^T r, whitened under
    encryption, so that what rounding does to coefficients does not depend on how much alike columns are.
    """

    def __init__(
        self,
        x: Matrix,
        penalty: Vector,
        start: Vector,
        told: int | None = None,
        variance: float = whitening.STEEPEST_SIGMOID,
    ) -> None:
        self.x, self.penalty, self.w, self._told = x, penalty, start.copy(), told
        self._lower = whitening.factor(x, penalty, variance)
        self._white, self._finer = whitening.as_integers(self._lower)
        self._gradients: list[Vector] = []
        self._binned: dict[int, NDArray[np.int64]] = {}
        self._codes: list[NDArray[np.int64]] = []
        self._encoded = encode(x)
        for j, column in enumerate(self._encoded.T):
            values, codes = np.unique(column, return_inverse=True)
            if len(values) <= FEW_VALUES:
                self._binned[j] = values
                self._codes.append(codes.astype(np.int64))

    def as_state(self) -> State:
        """Return what `restore` takes: the coefficients and the gradients so far."""
        return {"w": self.w, "gradients": list(self._gradients)}

    def restore(self, state: State) -> None:
        """Stand where the same columns stood."""
        self.w, self._gradients = state["w"], list(state["gradients"])

    @property
    def logit(self) -> Vector:
        """This party's part of each row's logit."""
        return np.asarray(self.x @ self.w, dtype=np.float64)

    async def gradient(
        self,
        r: Ciphertexts,
        fraction: int,
        *,
        key: PublicKey,
        rng: Randomness,
        arbiter: Peer,
        source: Peer,
    ) -> Vector:
        """Learn x^T r + penalty w through the arbiter; return its products with all so far: (k + 1,).

        r: of all rows, or of the first of them (see `sample`).
        `fraction`: the fractional bits of r.  `source`: from whose ciphertexts the residuals were made.
        """
        sums = await self.sums(r, fraction, key=key, rng=rng, arbiter=arbiter, source=source)
        return self.met(sums, fraction, len(r))

    async def sums(
        self,
        r: Encrypted,
        fraction: int,
        *,
        key: PublicKey,
        rng: Randomness,
        arbiter: Peer,
        source: Peer,
        hide: Hide | None = None,
    ) -> list[int]:
        """Learn x^T r as integers; `hide`: how what is asked is randomised, `key.randomise` by default."""
        masking, encrypted = self.masking(key, fraction), self._encrypted_sums(r, key)
        if self._told is not None:
            encrypted = key.weighted_sums(encrypted, self._white.T)
        packed = key.pack(encrypted, masking.packing)
        return await learn_masked(
            packed, masking, key=key, rng=rng, arbiter=arbiter, source=source, hide=hide
        )

    def met(self, sums: list[int], fraction: int, rows: int) -> Vector:
        """Take x^T r of so many rows as the newest gradient; return its products with all so far."""
        white = self._whitened(sums, fraction + FRACTION) * (len(self.x) / rows)
        self._gradients.append(white + whitening.to_white(self._lower, self.penalty * self.w))
        return np.array(self._gradients) @ self._gradients[-1]

    def shape(self, key: PublicKey, fraction: int) -> Shape:
        """Return what a gradient, of residuals of so many fractional bits, asks of the arbiter."""
        masking = self.masking(key, fraction)
        return Shape(masking.packing.count, masking.bits)

    def masking(self, key: PublicKey, fraction: int) -> Masking:
        """Return how a gradient's sums, of residuals of so many fractional bits, are packed and masked."""
        n, d = self.x.shape
        fraction += FRACTION
        if self._told is None:
            bound = n * max(1.0, float(np.abs(self.x).max())) * MAX_RESIDUAL
            return Whole(Packing(d, bits_for(bound, fraction), key.n))
        white = np.ldexp(self.x @ self._white.T, -self._finer)
        bound = float(np.abs(white).sum(axis=0).max()) * MAX_RESIDUAL
        return Rounded(d, bits_for(bound, fraction + self._finer), self._told, key.n)

    def _whitened(self, sums: list[int], fraction: int) -> Vector:
        """Return L^-1 x^T r from the sums that were learnt, of so many fractional bits."""
        if self._told is None:
            return whitening.to_white(self._lower, np.array([decode(v, fraction) for v in sums]))
        return np.array([decode(v, fraction + self._finer) for v in sums])

    def plain_sums(self, shares: list[int]) -> list[int]:
        """Return x^T s of integers of any size, with FRACTION more fractional bits."""
        encoded = self._encoded[: len(shares)].astype(object)
        total: list[int] = (np.array(shares, object) @ encoded).tolist()
        return total

    def move(self, coefficients: Vector) -> Vector:
        """Take the step sum_i c_i g_i; return the change of each coefficient."""
        step = whitening.from_white(self._lower, coefficients @ np.array(self._gradients))
        self.w = self.w + step
        return step

    def _encrypted_sums(self, r: Encrypted, key: PublicKey) -> Unrandomised:
        """E(sum_i x_ij r_i) for each column j: by value where values are few, else by buckets."""
        parts: dict[int, Unrandomised] = {}
        if self._binned:
            sizes = [len(values) for values in self._binned.values()]
            sums = key.sum_by_bin(r, np.column_stack([codes[: len(r)] for codes in self._codes]), sizes)
            for (j, values), s in zip(self._binned.items(), sums, strict=True):
                parts[j] = key.weighted_sums(s, values[:, None])
        many = [j for j in range(self.x.shape[1]) if j not in self._binned]
        if many:
            weighted = key.weighted_sums(r, self._encoded[: len(r), many])
            parts |= {j: weighted.take(np.array([k])) for k, j in enumerate(many)}
        return key.joined([parts[j] for j in sorted(parts)])
