"""Joint logistic regression: the pooled coefficients, no row decrypted by anyone.

    repeat, one gradient
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

The parties form E(r_i) as `residuals` says; each sums x_ij r_i over its own columns under encryption
and learns its own gradient through the arbiter.  Steps are combinations of gradients (see `bfgs`).
A party is content when its step moves no coefficient by more than the tolerance (see `Rules`).  The first
gradients of many rows may be of a sample of them (see `sample`).  (DESIGN 6; the guest hands out step
coefficients instead of summed inner products, so hosts learn less.)

Each party tells the arbiter itself whether it will ask again.  Else a guest that tells the arbiter that it
is over, and a host that it is not, leaves the host to wait for an arbiter that did as it was told.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Quota
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.linear import residuals, sample
from vfl.linear.bfgs import Bfgs
from vfl.linear.columns import Columns
from vfl.linear.residuals import ALONE, MAX_LOGIT, Place, any_of
from vfl.steps import FORGOTTEN, Steps
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]
Labels = NDArray[np.int8]
Report = Callable[[int, int, float], None]
"""Told the gradient's number, the degree, and the part of the rows done."""

STEP = "fit"

MAX_PRODUCT = 1e100
"""Size of an inner product of gradients that no fit comes near."""

FIRST_ERROR = 1e-3
"""Error of the first gradient's sigmoid; later ones follow the gradient's norm down."""


LOOSER = 10.0
"""Times the tolerance at which a fit ends of which only the loss of held-out rows counts.

At the default tolerance losses are then off by 3e-6 of themselves on default_credit, by 1e-5 on german."""


SURE = 0.1
"""Part of a coefficient that a step may still move it by where its sign is sure."""


@dataclass(frozen=True, slots=True)
class GradientProducts(Message):
    """<g_k, g_i> of the host's whitened gradients.  Reveals: norms and angles of gradients."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step(Message):
    """c_i: the step is sum_i c_i g_i; of how many of the rows, from the first, the next gradient is.

    Reveals: a function of the joint norms and angles.
    """

    coefficients: NDArray[np.float64]
    rows: int


@dataclass(frozen=True, slots=True)
class Content(Message):
    """Whether the step moved no coefficient by more than the rules allow.  Reveals: whether one moved."""

    content: bool


@dataclass(frozen=True, slots=True)
class Verdict(Message):
    """Whether another gradient follows, as the sender has it.  Reveals: whether the fit goes on."""

    go_on: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """What the parties agreed on: the change of a coefficient that is small enough, and the limits.

    `sample`: of how many rows the first gradients are, 0 where all are of all rows.  `rough`: above 0 where
    signs alone count.  Then a coefficient may change by so much, but by no more than `SURE` of its size if
    that is more than the tolerance; the intercept, which has no penalty, may have either sign.
    """

    tolerance: float
    max_iter: int
    taylor: bool = False
    sample: int = 0
    rough: float = 0.0

    def are_met(self, change: Vector, w: Vector, penalty: Vector) -> bool:
        """Return whether a step that has changed coefficients to w may be the last."""
        limit = np.full(len(w), self.tolerance)
        if self.rough:
            sure = np.where(penalty > 0, SURE * np.abs(w), self.rough)
            limit = np.maximum(limit, np.minimum(sure, self.rough))
        return bool((np.abs(change) <= limit).all())


@dataclass(frozen=True, slots=True)
class Fit:
    """A party's half of the model, and how the fit went; `sampled`: gradients that are of a sample."""

    coefficients: Vector
    gradients: int
    converged: bool
    degrees: tuple[int, ...]
    sampled: int = 0


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
    weight: Vector | None = None,
    steps: Steps = FORGOTTEN,
) -> Fit:
    """Fit the guest's coefficients; `columns` begin at the fit of the guest alone.

    `weight`: what each row counts, of mean 1; without it each counts once.
    """

    async def gradient(number: int, error: float, rows: int) -> tuple[Vector, int]:
        r, degree = await residuals.guest(
            columns.logit[:rows],
            y[:rows],
            error,
            taylor=rules.taylor,
            key=key,
            rng=rng,
            hosts=hosts,
            report=partial(report, number),
            weight=None if weight is None else weight[:rows],
        )
        fraction, source = residuals.fraction(len(hosts)), any_of(hosts)
        return await columns.gradient(r, fraction, key=key, rng=rng, arbiter=arbiter, source=source), degree

    noise = sample.noise(rules.sample, columns.x, y)
    return await guest_descends(columns, rules, gradient, noise, hosts=hosts, others=(arbiter,), steps=steps)


async def host(
    columns: Columns,
    rules: Rules,
    *,
    key: PublicKey,
    rng: Randomness,
    guest: Peer,
    arbiter: Peer,
    place: Place = ALONE,
    steps: Steps = FORGOTTEN,
) -> Fit:
    """Fit a host's coefficients; `columns` begin at zero.  `place`: ours among the hosts."""

    async def gradient(rows: int) -> tuple[Vector, int]:
        r, degree = await residuals.host(columns.logit[:rows], key=key, rng=rng, guest=guest, place=place)
        fraction = residuals.fraction(place.hosts)
        return await columns.gradient(r, fraction, key=key, rng=rng, arbiter=arbiter, source=guest), degree

    return await host_descends(columns, rules, gradient, guest=guest, others=(arbiter,), steps=steps)


async def arbiter(
    private: PrivateKey,
    quotas: Sequence[Quota],
    *,
    guest: Peer,
    hosts: tuple[Peer, ...],
    steps: Steps = FORGOTTEN,
) -> None:
    """Decrypt each party's masked gradient until that party says it is over; quotas: guest, hosts."""
    asking = list(range(1 + len(hosts)))
    parties = (guest, *hosts)
    if (kept := steps.state(STEP)) is not None:
        asking = kept["asking"]
        for quota, left in zip(quotas, kept["left"], strict=True):
            quota.left = left
    while asking:
        for k in asking:
            await quotas[k].answer(private, party=parties[k])
        asking = [k for k in asking if (await parties[k].receive(Verdict)).go_on]
        steps.checkpoint(STEP, {"asking": asking, "left": [quota.left for quota in quotas]})


async def guest_descends(
    columns: Columns,
    rules: Rules,
    gradient: Callable[[int, float, int], Awaitable[tuple[Vector, int]]],
    noise: float,
    *,
    hosts: tuple[Peer, ...],
    others: tuple[Peer, ...],
    steps: Steps,
) -> Fit:
    """Take steps until all are content; `others`: who hears of the verdict beside the hosts.

    `gradient`: told its number, the error its sigmoid may have, and of how many rows it is, returns the
    products of the guest's newest gradient with all so far, and the degree.  `noise`: of a sample's.
    """
    optimiser, degrees, error = Bfgs(), list[int](), FIRST_ERROR
    n, content, go_on, sampled = len(columns.x), False, True, 0
    rows = rules.sample or n
    if (kept := steps.state(STEP)) is not None:
        optimiser, degrees, error = Bfgs.restored(kept["optimiser"]), kept["degrees"], kept["error"]
        content, go_on, rows, sampled = kept["content"], kept["go_on"], kept["rows"], kept["sampled"]
        columns.restore(kept["columns"])
    while go_on:
        products, degree = await gradient(len(degrees) + 1, error, rows)
        degrees.append(degree)
        for host in hosts:
            products = products + await _products(len(products), host)
        step = optimiser.step(products)
        expected, whole = optimiser.norm, rows == n
        sampled += not whole
        if not whole and (expected <= sample.SETTLED * noise or sampled >= sample.most(rules.max_iter)):
            expected, rows = noise, n
            optimiser.turn()
        for host in hosts:
            await host.send(Step(step, rows))
        content = _content(columns, step, rules, any_of(hosts))
        for host in hosts:
            content = (await host.receive(Content)).content and content
        go_on = not whole or (not content and len(degrees) < rules.max_iter)
        for peer in (*hosts, *others):
            await peer.send(Verdict(go_on))
        error = max(rules.tolerance / 3, 0.1 * expected / (2 * math.sqrt(n)))
        done = {"degrees": degrees, "content": content, "go_on": go_on, "columns": columns.as_state()}
        done |= {"rows": rows, "sampled": sampled}
        steps.checkpoint(STEP, done | {"optimiser": optimiser.as_state(), "error": error})
    return Fit(columns.w, len(degrees), content, tuple(degrees), sampled)


async def host_descends(
    columns: Columns,
    rules: Rules,
    gradient: Callable[[int], Awaitable[tuple[Vector, int]]],
    *,
    guest: Peer,
    others: tuple[Peer, ...],
    steps: Steps,
) -> Fit:
    """Take the guest's steps until it says that it is over; `gradient`, `others`: as the guest's."""
    n, degrees, content, go_on, sampled = len(columns.x), list[int](), False, True, 0
    rows = rules.sample or n
    if (kept := steps.state(STEP)) is not None:
        degrees, content, go_on = kept["degrees"], kept["content"], kept["go_on"]
        rows, sampled = kept["rows"], kept["sampled"]
        columns.restore(kept["columns"])
    while go_on:
        products, degree = await gradient(rows)
        degrees.append(degree)
        sampled += rows < n
        await guest.send(GradientProducts(products))
        told = await guest.receive(Step)
        step = told.coefficients
        if told.rows not in (rows, n):
            raise guest.blame("asked for a gradient of other rows than were agreed")
        rows = told.rows
        if step.shape != products.shape or not np.isfinite(step).all():
            raise guest.blame("sent a step of another length")
        content = _content(columns, step, rules, guest)
        await guest.send(Content(content))
        go_on = (await guest.receive(Verdict)).go_on
        if go_on and len(degrees) >= rules.max_iter:
            raise guest.blame(f"asked for more than the {rules.max_iter} gradients that were agreed")
        for peer in others:
            await peer.send(Verdict(go_on))
        done = {"degrees": degrees, "content": content, "go_on": go_on, "columns": columns.as_state()}
        steps.checkpoint(STEP, done | {"rows": rows, "sampled": sampled})
    return Fit(columns.w, len(degrees), content, tuple(degrees), sampled)


async def _products(count: int, host: Peer) -> Vector:
    theirs = (await host.receive(GradientProducts)).values
    # The last is the square of a length; beyond the limit, sums of products would overflow.
    if theirs.shape != (count,) or not (np.abs(theirs) < MAX_PRODUCT).all() or theirs[-1] < 0:
        raise host.blame("sent other gradient products than there are gradients")
    return theirs


def _content(columns: Columns, step: Vector, rules: Rules, peer: Peer) -> bool:
    """Take a step that a peer had a part in; return whether it may be the last."""
    with np.errstate(over="ignore", invalid="ignore"):
        change = columns.move(step)
        if not (np.abs(columns.logit) < MAX_LOGIT).all():
            raise peer.blame("made a step that leads to impossible logits")
    return rules.are_met(change, columns.w, columns.penalty)
