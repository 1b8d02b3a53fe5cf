"""Joint logistic regression: the pooled coefficients, no row decrypted by anyone.

    repeat, one gradient
        host -> guest: LogitRange
        guest -> host: Approximation
        host -> guest: LogitPowers
        repeat, in blocks of rows
            maybe, one block ahead
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Quota
from vfl.crypto.fixed_point import FRACTION, encode
from vfl.crypto.paillier import Ciphertexts, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.linear.columns import Columns
from vfl.linear.lbfgs import Lbfgs
from vfl.linear.sigmoid import MAX_DEGREE, STRAIGHT, Interval, Polynomial, declared_range
from vfl.steps import FORGOTTEN, Steps
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]
Labels = NDArray[np.int8]
Report = Callable[[int, int, float], None]
"""Told the gradient's number, the degree, and the part of the rows done."""

BLOCK = 4096
STEP = "fit"

MAX_LOGIT = 1e3
"""Size of a logit beyond which a peer has led the fit astray: e^-1000 is no probability."""

MAX_PRODUCT = 1e100
"""Size of an inner product of gradients that no fit comes near."""

FIRST_ERROR = 1e-3
"""Error of the first gradient's sigmoid; later ones follow the gradient's norm down."""


@dataclass(frozen=True, slots=True)
class LogitRange(Message):
    """[lo, hi] around the host's logits, rounded outward.  Reveals: the range to 0.5."""

    lo: float
    hi: float


@dataclass(frozen=True, slots=True)
class Approximation(Message):
    """Degree and map of the separable sigmoid.

    Reveals: the range of the guest's logits and the size of the joint gradient, roughly.
    """

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
class Rules:
    """What the parties agreed on: the change of a coefficient that is small enough, and the limits."""

    tolerance: float
    max_iter: int
    taylor: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """A party's half of the model, and how the fit went."""

    coefficients: Vector
    gradients: int
    converged: bool
    degrees: tuple[int, ...]


async def guest(
    columns: Columns,
    y: Labels,
    rules: Rules,
    *,
    key: PublicKey,
    rng: Randomness,
    hosts: tuple[Peer, ...],
    arbiter: Peer,
    report: Report,
    steps: Steps = FORGOTTEN,
) -> Fit:
    """Fit the guest's coefficients; `columns` begin at the fit of the guest alone; one host so far."""
    (host,) = hosts
    optimiser, degrees, error = Lbfgs(), list[int](), FIRST_ERROR
    content, go_on = False, True
    if (kept := steps.state(STEP)) is not None:
        optimiser, degrees, error = Lbfgs.restored(kept["optimiser"]), kept["degrees"], kept["error"]
        content, go_on = kept["content"], kept["go_on"]
        columns.restore(kept["columns"])
    while go_on:
        polynomial = await _agree(columns.logit, error, rules, host)
        degrees.append(polynomial.degree)
        r = await _make_residuals(
            columns.logit, y, polynomial, key=key, rng=rng, host=host, report=report, gradient=len(degrees)
        )
        products = await columns.gradient(r, key=key, rng=rng, arbiter=arbiter, source=host)
        products += await _products(len(products), host)
        step = optimiser.step(products)
        await host.send(Step(step))
        content = _moved(columns, step, host) <= rules.tolerance
        content = (await host.receive(Content)).content and content
        go_on = not content and len(degrees) < rules.max_iter
        for peer in (host, arbiter):
            await peer.send(Verdict(go_on))
        error = max(rules.tolerance / 3, 0.1 * optimiser.norm / (2 * math.sqrt(len(y))))
        done = {"degrees": degrees, "content": content, "go_on": go_on, "columns": columns.as_state()}
        steps.checkpoint(STEP, done | {"optimiser": optimiser.as_state(), "error": error})
    return Fit(columns.w, len(degrees), content, tuple(degrees))


async def host(
    columns: Columns,
    rules: Rules,
    *,
    key: PublicKey,
    rng: Randomness,
    guest: Peer,
    arbiter: Peer,
    steps: Steps = FORGOTTEN,
) -> Fit:
    """Fit the host's coefficients; `columns` begin at zero."""
    degrees, content, go_on = list[int](), False, True
    if (kept := steps.state(STEP)) is not None:
        degrees, content, go_on = kept["degrees"], kept["content"], kept["go_on"]
        columns.restore(kept["columns"])
    while go_on:
        polynomial = await _accept(columns.logit, guest)
        degrees.append(polynomial.degree)
        r = await _fetch_residuals(columns.logit, polynomial, key=key, rng=rng, guest=guest)
        products = await columns.gradient(r, key=key, rng=rng, arbiter=arbiter, source=guest)
        await guest.send(GradientProducts(products))
        step = (await guest.receive(Step)).coefficients
        if step.shape != products.shape or not np.isfinite(step).all():
            raise guest.blame("sent a step of another length")
        content = _moved(columns, step, guest) <= rules.tolerance
        await guest.send(Content(content))
        go_on = (await guest.receive(Verdict)).go_on
        if go_on and len(degrees) >= rules.max_iter:
            raise guest.blame(f"asked for more than the {rules.max_iter} gradients that were agreed")
        done = {"degrees": degrees, "content": content, "go_on": go_on, "columns": columns.as_state()}
        steps.checkpoint(STEP, done)
    return Fit(columns.w, len(degrees), content, tuple(degrees))


async def arbiter(
    private: PrivateKey,
    quotas: Sequence[Quota],
    *,
    guest: Peer,
    hosts: tuple[Peer, ...],
    steps: Steps = FORGOTTEN,
) -> None:
    """Decrypt each party's masked gradient until the guest says it is over; quotas: guest, hosts."""
    go_on = True
    if (kept := steps.state(STEP)) is not None:
        go_on = kept["go_on"]
        for quota, left in zip(quotas, kept["left"], strict=True):
            quota.left = left
    while go_on:
        for party, quota in zip((guest, *hosts), quotas, strict=True):
            await quota.answer(private, party=party)
        go_on = (await guest.receive(Verdict)).go_on
        steps.checkpoint(STEP, {"go_on": go_on, "left": [quota.left for quota in quotas]})


async def _agree(a: Vector, error: float, rules: Rules, host: Peer) -> Polynomial:
    declared = await host.receive(LogitRange)
    if not -MAX_LOGIT < declared.lo < declared.hi < MAX_LOGIT:
        raise host.blame("declared an impossible range of logits")
    if rules.taylor:
        polynomial = Polynomial.taylor(declared.lo, declared.hi)
    else:
        polynomial = Polynomial.fitting(a, declared.lo, declared.hi, error)
    interval = polynomial.interval
    await host.send(Approximation(polynomial.degree, interval.centre, interval.spread))
    return polynomial


async def _accept(b: Vector, guest: Peer) -> Polynomial:
    lo, hi = declared_range(b)
    await guest.send(LogitRange(lo, hi))
    how = await guest.receive(Approximation)
    if not (1 <= how.degree <= MAX_DEGREE and 1 <= how.spread <= STRAIGHT and lo <= how.centre <= hi):
        raise guest.blame("asked for powers outside of the agreed limits")
    return Polynomial(Interval(lo, hi, how.centre, how.spread), how.degree)


async def _make_residuals(
    a: Vector,
    y: Labels,
    polynomial: Polynomial,
    *,
    key: PublicKey,
    rng: Randomness,
    host: Peer,
    report: Report,
    gradient: int,
) -> Ciphertexts:
    """Form E(sigma(a_i + b_i) - y_i) from the host's powers, and let the host have it too."""
    done = []
    for rows in _blocks(len(y)):
        c = polynomial.coefficients(a[rows])
        powers = (await host.receive(LogitPowers)).values
        key.check(powers, len(c) * polynomial.degree, host.name)
        known = encode(c[:, 0] - y[rows], 2 * FRACTION)
        sums = key.add(key.row_products(powers, encode(c[:, 1:])), key.lift(known))
        done.append(key.rerandomise(sums, rng))
        await host.send(EncryptedResiduals(done[-1]))
        report(gradient, polynomial.degree, min(1.0, rows.stop / len(y)))
    return Ciphertexts.joined(done)


async def _fetch_residuals(
    b: Vector, polynomial: Polynomial, *, key: PublicKey, rng: Randomness, guest: Peer
) -> Ciphertexts:
    """Send the powers of each block while the guest still works on the one before."""
    done = []
    blocks = _blocks(len(b))
    for k in range(len(blocks) + 1):
        if k < len(blocks):
            powers = encode(polynomial.powers(b[blocks[k]]))
            await guest.send(LogitPowers(key.encrypt(powers.reshape(-1), rng)))
        if k > 0:
            r = (await guest.receive(EncryptedResiduals)).values
            key.check(r, len(b[blocks[k - 1]]), guest.name)
            done.append(r)
    return Ciphertexts.joined(done)


async def _products(count: int, host: Peer) -> Vector:
    theirs = (await host.receive(GradientProducts)).values
    # The last is the square of a length; beyond the limit, sums of products would overflow.
    if theirs.shape != (count,) or not (np.abs(theirs) < MAX_PRODUCT).all() or theirs[-1] < 0:
        raise host.blame("sent other gradient products than there are gradients")
    return theirs


def _moved(columns: Columns, step: Vector, peer: Peer) -> float:
    """Take a step that a peer had a part in; return the largest change of a coefficient."""
    with np.errstate(over="ignore", invalid="ignore"):
        change = columns.move(step)
        if not (np.abs(columns.logit) < MAX_LOGIT).all():
            raise peer.blame("made a step that leads to impossible logits")
    return change


def _blocks(n: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
