"""Joint logistic regression: the pooled coefficients, no row decrypted by anyone.

    repeat, one gradient
        host -> guest: LogitRange
        guest -> host: Approximation
        repeat, in blocks of rows
            host -> guest: LogitPowers
            guest -> host: EncryptedResiduals
        guest -> arbiter: MaskedSums
        arbiter -> guest: DecryptedSums
        host -> arbiter: MaskedSums
        arbiter -> host: DecryptedSums
        host -> guest: GradientProducts
        guest -> host: Step
        host -> guest: Content
        guest -> host, arbiter: Verdict

The guest forms E(r_i) = E(sum_j c_j(a_i) T_j(tau_i) - y_i), re-randomised; each party sums x_ij r_i
over its own columns under encryption and learns its own gradient through the arbiter.  Steps are
combinations of gradients (see `lbfgs`).  A party is content when its step moves no coefficient by
more than the tolerance.  (DESIGN 6; the guest hands out step coefficients instead of summed inner
products, so the host learns less.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Quota, learn
from vfl.crypto.fixed_point import FRACTION, bits_for, decode, encode
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.linear import whitening
from vfl.linear.lbfgs import Lbfgs
from vfl.linear.sigmoid import (
    MAX_DEGREE,
    Interval,
    approximation_for,
    chebyshev_powers,
    declared_range,
    separable_coefficients,
    taylor_coefficients,
)
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Report = Callable[[int, int, float], None]

BLOCK = 4096
MAX_RESIDUAL = 3.0
FEW_VALUES = 64


@dataclass(frozen=True, slots=True)
class LogitRange(Message):
    """[lo, hi] around the host's logits, rounded outward.  Reveals: the range to 0.5."""

    lo: float
    hi: float


@dataclass(frozen=True, slots=True)
class Approximation(Message):
    """Degree and map of the separable sigmoid.  Reveals: the range of the guest's logits, roughly."""

    degree: int
    centre: float
    spread: float


@dataclass(frozen=True, slots=True)
class LogitPowers(Message):
    """E(T_j(tau_i)), row-major, for a block of rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class EncryptedResiduals(Message):
    """E(r_i) for a block of rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class GradientProducts(Message):
    """<g_k, g_i> of the host's whitened gradients.  Reveals: their norms and angles."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step(Message):
    """c_i: the step is sum_i c_i g_i.  Reveals: a function of the joint norms and angles."""

    coefficients: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Content(Message):
    """Whether the step moved no coefficient by more than the tolerance.  Reveals: that bit."""

    content: bool


@dataclass(frozen=True, slots=True)
class Verdict(Message):
    """Whether another gradient follows.  Reveals: that bit."""

    go_on: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """A party's half of the model, and how the fit went."""

    coefficients: Vector
    gradients: int
    converged: bool
    degrees: tuple[int, ...]


class Columns:
    """A party's design matrix x (n, d), its penalties and start, and what a descent needs of them."""

    def __init__(self, x: Matrix, penalty: Vector, start: Vector) -> None:
        self.x, self.penalty, self.w = x, penalty, start.copy()
        self._lower = whitening.factor(x, penalty)
        self._seen: list[Vector] = []
        self._binned: list[tuple[int, NDArray[np.int64], NDArray[np.int64]]] = []
        numeric = []
        for j, column in enumerate(encode(x).T):
            values, codes = np.unique(column, return_inverse=True)
            if len(values) <= FEW_VALUES:
                self._binned.append((j, values, codes.astype(np.int64)))
            else:
                numeric.append(j)
        self._numeric = np.array(numeric, dtype=np.int64)

    @property
    def logit(self) -> Vector:
        """This party's part of each row's logit."""
        return np.asarray(self.x @ self.w, dtype=np.float64)

    async def gradient(self, r: Ciphertexts, *, key: PublicKey, rng: Randomness, arbiter: Peer) -> Vector:
        """Learn the gradient x^T r + penalty w through the arbiter; return its products (k + 1,)."""
        n, d = self.x.shape
        bound = n * max(1.0, float(np.abs(self.x).max())) * MAX_RESIDUAL
        fraction = 3 * FRACTION
        packing = Packing(d, bits_for(bound, fraction), key.n)
        parts = [key.lift([0])] * d
        if self._binned:
            codes = np.column_stack([c for _, _, c in self._binned])
            sums = key.sum_by_bin(r, codes, [len(v) for _, v, _ in self._binned])
            for (j, values, _), s in zip(self._binned, sums, strict=True):
                parts[j] = key.weighted_sums(s, values[:, None])
        if len(self._numeric):
            weighted = key.weighted_sums(r, encode(self.x[:, self._numeric]))
            for k, j in enumerate(self._numeric):
                parts[j] = weighted.take(np.array([k]))
        packed = key.pack(key.joined(parts), packing)
        sums_learnt = await learn(packed, packing, key=key, rng=rng, arbiter=arbiter)
        g = np.array([decode(v, fraction) for v in sums_learnt]) + self.penalty * self.w
        self._seen.append(whitening.to_white(self._lower, g))
        return np.array([float(g_i @ self._seen[-1]) for g_i in self._seen])

    def move(self, coefficients: Vector) -> float:
        """Take the step sum_i c_i g_i; return the largest change of a coefficient."""
        step = whitening.from_white(self._lower, coefficients @ np.array(self._seen))
        self.w = self.w + step
        return float(np.abs(step).max())


async def guest(
    columns: Columns,
    y: NDArray[np.int8],
    *,
    tolerance: float,
    max_iter: int,
    taylor: bool,
    key: PublicKey,
    rng: Randomness,
    host: Peer,
    arbiter: Peer,
    report: Report,
) -> Fit:
    """Fit the guest's coefficients; `columns` begin at the fit of the guest alone."""
    optimiser, degrees, n = Lbfgs(), [], len(y)
    error = 1e-3
    for k in range(max_iter):
        interval, degree = await _agree(columns.logit, error, taylor, host)
        degrees.append(degree)
        r = await _residuals(columns.logit, y, interval, degree, taylor, key, rng, host, report, k)
        products = await columns.gradient(r, key=key, rng=rng, arbiter=arbiter)
        theirs = (await host.receive(GradientProducts)).values
        if theirs.shape != products.shape or not np.isfinite(theirs).all():
            raise host.blame("sent other gradient products than there are gradients")
        coefficients = optimiser.step(products + theirs)
        await host.send(Step(coefficients))
        content = columns.move(coefficients) <= tolerance
        content = (await host.receive(Content)).content and content
        go_on = not content and k + 1 < max_iter
        for peer in (host, arbiter):
            await peer.send(Verdict(go_on))
        error = max(tolerance / 3, 0.1 * optimiser.norm / (2 * math.sqrt(n)))
        if not go_on:
            break
    return Fit(columns.w, len(degrees), content, tuple(degrees))


async def host(
    columns: Columns,
    *,
    tolerance: float,
    key: PublicKey,
    rng: Randomness,
    guest: Peer,
    arbiter: Peer,
) -> Fit:
    """Fit the host's coefficients; `columns` begin at zero."""
    degrees, go_on, content = [], True, False
    while go_on:
        b = columns.logit
        lo, hi = declared_range(b)
        await guest.send(LogitRange(lo, hi))
        how = await guest.receive(Approximation)
        if not (1 <= how.degree <= MAX_DEGREE and how.spread >= 1 and lo <= how.centre <= hi):
            raise guest.blame("asked for powers outside of the agreed limits")
        interval = Interval(lo, hi, how.centre, how.spread)
        degrees.append(how.degree)
        blocks = []
        for start in range(0, len(b), BLOCK):
            powers = encode(chebyshev_powers(b[start : start + BLOCK], interval, how.degree))
            await guest.send(LogitPowers(key.encrypt(powers.reshape(-1), rng)))
            r = (await guest.receive(EncryptedResiduals)).values
            key.check(r, len(powers))
            blocks.append(r.pairs)
        residuals = Ciphertexts(key.fingerprint, np.concatenate(blocks))
        products = await columns.gradient(residuals, key=key, rng=rng, arbiter=arbiter)
        await guest.send(GradientProducts(products))
        step = (await guest.receive(Step)).coefficients
        if step.shape != products.shape or not np.isfinite(step).all():
            raise guest.blame("sent a step of another length")
        content = columns.move(step) <= tolerance
        await guest.send(Content(content))
        go_on = (await guest.receive(Verdict)).go_on
    return Fit(columns.w, len(degrees), content, tuple(degrees))


async def arbiter(private: PrivateKey, quotas: tuple[Quota, Quota], *, guest: Peer, host: Peer) -> None:
    """Decrypt each party's masked gradient until the guest says it is over."""
    go_on = True
    while go_on:
        await quotas[0].answer(private, party=guest)
        await quotas[1].answer(private, party=host)
        go_on = (await guest.receive(Verdict)).go_on


async def _agree(a: Vector, error: float, taylor: bool, host: Peer) -> tuple[Interval, int]:
    declared = await host.receive(LogitRange)
    if not -1e3 < declared.lo < declared.hi < 1e3:
        raise host.blame("declared an impossible range of logits")
    if taylor:
        interval, degree = Interval(declared.lo, declared.hi, 0.5 * (declared.lo + declared.hi), 1e6), 1
    else:
        interval, degree = approximation_for(a, declared.lo, declared.hi, error)
    await host.send(Approximation(degree, interval.centre, interval.spread))
    return interval, degree


async def _residuals(
    a: Vector,
    y: NDArray[np.int8],
    interval: Interval,
    degree: int,
    taylor: bool,
    key: PublicKey,
    rng: Randomness,
    host: Peer,
    report: Report,
    k: int,
) -> Ciphertexts:
    blocks, n = [], len(y)
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        c = (
            taylor_coefficients(a[rows], interval)
            if taylor
            else separable_coefficients(a[rows], interval, degree)
        )
        powers = (await host.receive(LogitPowers)).values
        key.check(powers, len(c) * degree)
        plain = encode(c[:, 0] - y[rows], 2 * FRACTION)
        sums = key.add(key.row_products(powers, encode(c[:, 1:])), key.lift(plain.tolist()))
        r = key.randomise(sums, rng)
        await host.send(EncryptedResiduals(r))
        blocks.append(r.pairs)
        report(k, degree, min(1.0, (start + BLOCK) / n))
    return Ciphertexts(key.fingerprint, np.concatenate(blocks))
