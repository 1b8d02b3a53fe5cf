"""Joint linear, Poisson and gamma regression: the pooled coefficients, no row decrypted by anyone.

    repeat, one gradient
        repeat, host by host
            host -> guest: LogitRange
        repeat, host by host
            guest -> host: ResidualScale
        repeat, in blocks of rows, each host a block behind the host before it
            maybe, for all hosts but the first
                guest -> host: PartialPowers
            maybe, until every block is on its way
                host -> guest: LogitPowers
            maybe, once all hosts have had a block
                guest -> host: EncryptedResiduals
        guest -> arbiter: MaskedSums
        arbiter -> guest: DecryptedSums
        repeat, host by host
            host -> arbiter: MaskedSums
            arbiter -> host: DecryptedSums
        repeat, host by host
            host -> guest: GradientProducts
        repeat, host by host
            guest -> host: Step
        repeat, host by host
            host -> guest: Content
        repeat, host by host
            guest -> host: Verdict
        guest -> arbiter: Verdict
        repeat, host by host
            host -> arbiter: Verdict

As `logistic`, of which this has descent and arbiter, but for the residual: r_i = c_0 + c_1 v_i (see
`family`), so hosts send one number a row, E(v_i), whatever the accuracy.  A further host turns E(v) of the
sum so far into E(v) of the sum with its own part by one row-wise product, and re-randomises.

Weights, offsets and exposures are in c_0 and c_1 alone: no host meets them.  Residuals have no bound of
their own, so the guest divides them by a power of two that leaves |c_0| + |c_1| <= 2; hosts multiply the
gradient that they learn with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.fixed_point import encode, raised
from vfl.crypto.paillier import Ciphertexts, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.linear.columns import Columns
from vfl.linear.family import Family, Target
from vfl.linear.logistic import Fit, Report, Rules, guest_descends, host_descends
from vfl.linear.residuals import (
    ALONE,
    MAX_LOGIT,
    LogitRange,
    Place,
    any_of,
    contributed,
    declared,
    gathered,
)
from vfl.linear.sigmoid import declared_range
from vfl.steps import FORGOTTEN, Steps
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]

FACTOR_FRACTION = 30
"""Fractional bits of v and c_1: a residual may be a thousandth of the largest and count."""

LARGEST = 500
"""Size of the exponent of a scale that no residual needs."""


@dataclass(frozen=True, slots=True)
class ResidualScale(Message):
    """2^exponent, which residuals are divided by, and the half widths of all ranges before the host's.

    Reveals: the largest term of a residual, to a power of two; how wide the linear predictors of the hosts
    before are in all, where that is needed (linear).
    """

    exponent: int
    before: float


def fraction(hosts: int) -> int:
    """Return the fractional bits of residuals: each host's factor has some, and the guest's."""
    return FACTOR_FRACTION * (hosts + 1)


async def guest(
    columns: Columns,
    target: Target,
    rules: Rules,
    *,
    family: Family,
    key: PublicKey,
    rng: Randomness,
    hosts: tuple[Peer, ...],
    arbiter: Peer,
    report: Report,
    steps: Steps = FORGOTTEN,
) -> Fit:
    """Fit the guest's coefficients; `columns` begin at the fit of the guest alone."""

    async def gradient(number: int, _error: float, _rows: int) -> tuple[Vector, int]:
        c, exponent = await _agree(columns.logit, target, family, hosts)

        def residuals(rows: slice, powers: Ciphertexts) -> Unrandomised:
            return _residuals(c[rows], powers, len(hosts), key)

        told = partial(report, number, 1)
        r = await gathered(len(c), 1, residuals, key=key, rng=rng, hosts=hosts, report=told)
        bits = fraction(len(hosts))
        sums = await columns.sums(r, bits, key=key, rng=rng, arbiter=arbiter, source=any_of(hosts))
        return columns.met(sums, bits - exponent, len(r)), 1

    return await guest_descends(columns, rules, gradient, 0.0, hosts=hosts, others=(arbiter,), steps=steps)


async def host(
    columns: Columns,
    rules: Rules,
    *,
    family: Family,
    key: PublicKey,
    rng: Randomness,
    guest: Peer,
    arbiter: Peer,
    place: Place = ALONE,
    steps: Steps = FORGOTTEN,
) -> Fit:
    """Fit a host's coefficients; `columns` begin at zero.  `place`: ours among the hosts."""

    async def gradient(_rows: int) -> tuple[Vector, int]:
        b = columns.logit
        lo, hi = declared_range(b)
        scale = await _accept(lo, hi, family, guest, place)
        v, half = family.factor(b, lo, hi), 0.5 * (hi - lo)

        def first(rows: slice) -> NDArray[np.int64]:
            return encode(v[rows], FACTOR_FRACTION)

        def with_own(rows: slice, powers: Ciphertexts) -> Unrandomised:
            if family.is_log:
                return key.row_products(powers, encode(v[rows, None], FACTOR_FRACTION))
            share = half / (scale.before + half)
            others = np.full((len(powers), 1), 1.0 - share)
            own = raised(encode(share * v[rows], FACTOR_FRACTION), FACTOR_FRACTION * place.before)
            return key.add(key.row_products(powers, encode(others, FACTOR_FRACTION)), key.lift(own))

        r = await contributed(len(b), 1, first, with_own, key=key, rng=rng, guest=guest, place=place)
        bits = fraction(place.hosts)
        sums = await columns.sums(r, bits, key=key, rng=rng, arbiter=arbiter, source=guest)
        return columns.met(sums, bits - scale.exponent, len(r)), 1

    return await host_descends(columns, rules, gradient, guest=guest, others=(arbiter,), steps=steps)


async def _agree(
    own: Vector, target: Target, family: Family, hosts: tuple[Peer, ...]
) -> tuple[NDArray[np.float64], int]:
    """Return c_0 and c_1, shape (n, 2), divided by 2 to the exponent that is returned besides."""
    ranges = [await declared(host) for host in hosts]
    lo, hi = sum(r.lo for r in ranges), sum(r.hi for r in ranges)
    with np.errstate(over="ignore", invalid="ignore"):
        terms = family.terms(own + target.offset, target.y, lo, hi)
        c = np.column_stack(terms) * target.weight[:, None]
        largest = float(np.abs(c).sum(axis=1).max())
    if not 0.0 < largest < 2.0**LARGEST:
        raise any_of(hosts).blame("declared a range in which no outcome can lie")
    exponent, before = math.ceil(math.log2(largest)) - 1, 0.0
    for host, range in zip(hosts, ranges, strict=True):
        await host.send(ResidualScale(exponent, before))
        before += 0.0 if family.is_log else 0.5 * (range.hi - range.lo)
    return np.ldexp(c, -exponent), exponent


async def _accept(lo: float, hi: float, family: Family, guest: Peer, place: Place) -> ResidualScale:
    await guest.send(LogitRange(lo, hi))
    scale = await guest.receive(ResidualScale)
    if abs(scale.exponent) > LARGEST:
        raise guest.blame("told a scale that no residual has")
    first = family.is_log or not place.before
    if not (scale.before == 0.0 if first else 0.0 < scale.before <= MAX_LOGIT * place.before):
        raise guest.blame("told impossible ranges of the hosts before")
    return scale


def _residuals(c: NDArray[np.float64], powers: Ciphertexts, hosts: int, key: PublicKey) -> Unrandomised:
    known = raised(encode(c[:, 0], 2 * FACTOR_FRACTION), FACTOR_FRACTION * (hosts - 1))
    return key.add(key.row_products(powers, encode(c[:, 1:], FACTOR_FRACTION)), key.lift(known))
