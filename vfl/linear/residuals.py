"""Encrypted residuals sigma(a_i + b_i) - y_i, where b_i is the sum of the hosts' logits.

    repeat, host by host
        host -> guest: LogitRange
    repeat, host by host
        guest -> host: Approximation
    repeat, in blocks of rows, each host a block behind the host before it
        maybe, for all hosts but the first
            guest -> host: PartialPowers
        maybe, until every block is on its way
            host -> guest: LogitPowers
        maybe, once all hosts have had a block
            guest -> host: EncryptedResiduals

The first host encrypts T_j(tau(b_1)).  Each further host turns E(T_j) of the sum so far into E(T_j) of
the sum with its own logit (see `relay`), and re-randomises.  The guest forms E(r_i) = E(sum_j c_j(a_i)
T_j(tau_i) - y_i), re-randomised.  Hosts meet ciphertexts under a key that none of them, nor the guest,
can decrypt with: of each other's logits they learn the total width of the ranges before theirs.

The map tau is bent where there is one host (see `sigmoid`); of a sum of several it is linear.

Where rows have weights w_i, the guest's c_j and y_i are multiplied by them: E(w_i r_i) is what all sum, and
no host meets w_i.  They are of mean 1, so sums stay as small as those of rows that count once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.fixed_point import FRACTION, encode, raised
from vfl.crypto.paillier import Ciphertexts, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.linear.relay import passed_on
from vfl.linear.sigmoid import (
    MAX_DEGREE,
    STRAIGHT,
    Curve,
    Interval,
    Polynomial,
    declared_range,
    sigmoid,
)
from vfl.wire.blocks import blocks, rows_of
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]
Labels = NDArray[np.int8]
Report = Callable[[int, float], None]
"""Told the degree, and the part of the rows done."""

First = Callable[[slice], NDArray[np.int64]]
WithOwn = Callable[[slice, Ciphertexts], Unrandomised]

BLOCK = 4096
"""Rows of one message."""


MAX_LOGIT = 1e3
"""Size of a logit beyond which a peer has led the fit astray: e^-1000 is no probability."""


@dataclass(frozen=True, slots=True)
class LogitRange(Message):
    """[lo, hi] around the host's logits, rounded outward.  Reveals: the range of these logits, to 0.5."""

    lo: float
    hi: float


@dataclass(frozen=True, slots=True)
class Approximation(Message):
    """Degree and map of the separable sigmoid, and the half widths of all ranges before the host's.

    Reveals: the range of the guest's logits and the size of the joint gradient, roughly; how wide the
    logits of the hosts before are in all.
    """

    degree: int
    centre: float
    spread: float
    before: float


@dataclass(frozen=True, slots=True)
class PartialPowers(Message):
    """E(T_j) of the hosts' sum so far, row-major, for a block of rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class LogitPowers(Message):
    """E(T_j) of the sum with the sender's logit, row-major, for a block of rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class EncryptedResiduals(Message):
    """E(r_i) for a block of rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host stands among the hosts: how many are before and after it."""

    before: int = 0
    after: int = 0

    @property
    def hosts(self) -> int:
        """The number of all hosts."""
        return self.before + 1 + self.after


ALONE = Place()


def any_of(peers: tuple[Peer, ...]) -> Peer:
    """Return who is to be named where what several peers made together is wrong."""
    return Peer(" or ".join(peer.name for peer in peers))


def fraction(hosts: int) -> int:
    """Return the fractional bits of residuals: each host's factor has some, and the guest's."""
    return FRACTION * (hosts + 1)


async def guest(
    a: Vector,
    y: Labels,
    error: float,
    *,
    taylor: bool,
    key: PublicKey,
    rng: Randomness,
    hosts: tuple[Peer, ...],
    report: Report,
    weight: Vector | None = None,
) -> tuple[Ciphertexts, int]:
    """Form E(r_i) with a sigmoid that errs by at most `error`, and let all hosts have it.

    `weight`: what each row counts, of mean 1.  Returns the degree besides.
    """
    polynomial = await agree(a, error, taylor, hosts)

    def residuals(rows: slice, powers: Ciphertexts) -> Unrandomised:
        counts = None if weight is None else weight[rows]
        return residuals_of(polynomial, a[rows], y[rows], powers, len(hosts), key, counts)

    def told(part: float) -> None:
        report(polynomial.degree, part)

    n, degree = len(y), polynomial.degree
    r = await gathered(n, degree, residuals, key=key, rng=rng, hosts=hosts, report=told)
    return r, degree


async def host(
    b: Vector, *, key: PublicKey, rng: Randomness, guest: Peer, place: Place
) -> tuple[Ciphertexts, int]:
    """Let our logits into the sum under encryption; return E(r_i), and the degree."""
    first, with_own, degree = await offered(b, key=key, guest=guest, place=place)
    r = await contributed(len(b), degree, first, with_own, key=key, rng=rng, guest=guest, place=place)
    return r, degree


async def offered(b: Vector, *, key: PublicKey, guest: Peer, place: Place) -> tuple[First, WithOwn, int]:
    """Declare the range of our logits; return what our powers of them are, and the degree."""
    polynomial, before = await accept(b, guest, place)

    def first(rows: slice) -> NDArray[np.int64]:
        return encode(polynomial.powers(b[rows])).reshape(-1)

    def with_own(rows: slice, partial: Ciphertexts) -> Unrandomised:
        return _with_own(partial, b[rows], polynomial, before, place, key)

    return first, with_own, polynomial.degree


async def gathered(
    n: int,
    degree: int,
    residuals: Callable[[slice, Ciphertexts], Unrandomised],
    *,
    key: PublicKey,
    rng: Randomness,
    hosts: tuple[Peer, ...],
    report: Callable[[float], None],
) -> Ciphertexts:
    """Form E(r_i) of n rows from the powers that hosts send, and let all hosts have it.

    `residuals`: E(r_i) of a block of rows and the last host's powers of them, `degree` a row.
    """
    done: list[Ciphertexts] = []

    async def answer(rows: slice, powers: Ciphertexts) -> None:
        done.append(key.rerandomise(residuals(rows, powers), rng))
        for peer in hosts:
            await peer.send(EncryptedResiduals(done[-1]))
        report(rows.stop / n)

    await collected(n, degree, answer, key=key, hosts=hosts)
    return Ciphertexts.joined(done)


async def collected(
    n: int,
    degree: int,
    take: Callable[[slice, Ciphertexts], Awaitable[None]],
    *,
    key: PublicKey,
    hosts: tuple[Peer, ...],
) -> None:
    """Pass powers of n rows, `degree` a row, from host to host; `take` each block of the last one's."""
    together, last = blocks_of(n), len(hosts) - 1
    for turn in range(len(together) + last):
        for j, host in enumerate(hosts):
            if not 0 <= turn - j < len(together):
                continue
            rows = together[turn - j]
            powers = (await host.receive(LogitPowers)).values
            key.check(powers, rows_of(rows) * degree, host.name)
            if j < last:
                await hosts[j + 1].send(PartialPowers(powers))
            else:
                await take(rows, powers)


async def contributed(
    n: int,
    degree: int,
    first: First,
    with_own: WithOwn,
    *,
    key: PublicKey,
    rng: Randomness,
    guest: Peer,
    place: Place,
) -> Ciphertexts:
    """Send our powers of n rows, `degree` a row, into the chain of hosts; return E(r_i).

    `first`: the powers of a block of rows, of the first host; `with_own`: those that came of the hosts
    before with ours among them.  Blocks are sent while the hosts after us, and the guest, still work on
    those before.
    """
    together, done, lag = blocks_of(n), list[Ciphertexts](), place.after + 1
    for turn in range(len(together) + lag):
        if turn < len(together):
            rows = together[turn]
            size = rows_of(rows) * degree
            await contribute(rows, size, first, with_own, key=key, rng=rng, guest=guest, place=place)
        if turn >= lag:
            r = (await guest.receive(EncryptedResiduals)).values
            key.check(r, rows_of(together[turn - lag]), guest.name)
            done.append(r)
    return Ciphertexts.joined(done)


async def contribute(
    rows: slice,
    size: int,
    first: First,
    with_own: WithOwn,
    *,
    key: PublicKey,
    rng: Randomness,
    guest: Peer,
    place: Place,
) -> None:
    """Send our powers of a block of rows, of which there are `size`; `first`, `with_own`: as above."""
    if place.before:
        partial = (await guest.receive(PartialPowers)).values
        key.check(partial, size, guest.name)
        powers = key.rerandomise(with_own(rows, partial), rng)
    else:
        powers = key.encrypt(first(rows), rng)
    await guest.send(LogitPowers(powers))


async def agree(
    a: Vector, error: float, taylor: bool, hosts: tuple[Peer, ...], of: Curve = sigmoid
) -> Polynomial:
    """Return the polynomial on which guest and hosts agree, for the guest's logits a; `of`: what it is of.

    Only the sigmoid of one host's logits has a bent map.
    """
    ranges = [await declared(host) for host in hosts]
    lo, hi = sum(r.lo for r in ranges), sum(r.hi for r in ranges)
    if taylor:
        polynomial = Polynomial.taylor(lo, hi)
    else:
        bent = len(hosts) == 1 and of is sigmoid
        polynomial = Polynomial.fitting(a, lo, hi, error, bent=bent, of=of)
    before = 0.0
    for host, own in zip(hosts, ranges, strict=True):
        at = polynomial.interval.centre if len(hosts) == 1 else 0.5 * (own.lo + own.hi)
        await host.send(Approximation(polynomial.degree, at, polynomial.interval.spread, before))
        before += 0.5 * (own.hi - own.lo)
    return polynomial


async def declared(host: Peer) -> LogitRange:
    """Return the range of logits that a host declares, if it is one."""
    declared = await host.receive(LogitRange)
    if not -MAX_LOGIT < declared.lo < declared.hi < MAX_LOGIT:
        raise host.blame("declared an impossible range of logits")
    return declared


async def accept(b: Vector, guest: Peer, place: Place) -> tuple[Polynomial, float]:
    """Return the map of our own logits, with its degree, and half the width of all ranges before."""
    lo, hi = declared_range(b)
    await guest.send(LogitRange(lo, hi))
    how = await guest.receive(Approximation)
    if not (1 <= how.degree <= MAX_DEGREE and 1 <= how.spread <= STRAIGHT and lo <= how.centre <= hi):
        raise guest.blame("asked for powers outside of the agreed limits")
    if place.hosts > 1 and how.spread != STRAIGHT:
        raise guest.blame("asked several hosts for powers of a bent map")
    if not (0.0 < how.before <= MAX_LOGIT * place.before if place.before else how.before == 0.0):
        raise guest.blame("told impossible ranges of the hosts before")
    return Polynomial(Interval(lo, hi, how.centre, how.spread), how.degree), how.before


def _with_own(
    partial: Ciphertexts, b: Vector, own: Polynomial, before: float, place: Place, key: PublicKey
) -> Unrandomised:
    half = 0.5 * (own.interval.hi - own.interval.lo)
    beta = own.interval.tau(b) * (half / (before + half))
    alpha = before / (before + half)
    return passed_on(partial, alpha, beta, own.degree, hosts_before=place.before, key=key)


def residuals_of(
    polynomial: Polynomial,
    a: Vector,
    y: Labels,
    powers: Ciphertexts,
    hosts: int,
    key: PublicKey,
    weight: Vector | None = None,
) -> Unrandomised:
    """Return E(w_i (sum_j c_j(a_i) T_j - y_i)) of the hosts' powers; without weights w_i is 1."""
    c = polynomial.coefficients(a)
    c[:, 0] -= y
    if weight is not None:
        c *= weight[:, None]
    known = raised(encode(c[:, 0], 2 * FRACTION), FRACTION * (hosts - 1))
    return key.add(key.row_products(powers, encode(c[:, 1:])), key.lift(known))


def blocks_of(n: int) -> list[slice]:
    """Return the rows that travel together."""
    return blocks(n, BLOCK)
