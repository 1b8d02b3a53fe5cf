"""The joint descent as a job has it: with an arbiter that decrypts, or two parties that do for each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import Common
from parties.programs.keys import new_key, quota_of
from parties.programs.precedents import check_guests_shape, check_hosts_shape, mark_of
from parties.programs.run import Run
from vfl.arbitration import Shape
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.linear import allowance, crossed, logistic
from vfl.linear.columns import Columns
from vfl.linear.logistic import Fit

Labels = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Pair:
    """Without an arbiter: a party's own key pair, and the public key of the other party."""

    own: PrivateKey
    other: PublicKey


@dataclass(frozen=True, slots=True)
class Keys:
    """The key of a regression's labels, the arbiter's or the guest's; and both where there is no arbiter."""

    labels: PublicKey
    pair: Pair | None = None


async def guest_keys(run: Run) -> Keys:
    """Return the arbiter's key; without an arbiter one made here, and the host's."""
    if run.job.arbiter:
        return Keys(await run.receive_key())
    own = await new_key(run, run.hosts)
    other = await run.receive_key("host's key", run.host)
    return Keys(run.public_key(own.public.n, run.guest), Pair(own, other))


async def host_keys(run: Run) -> Keys:
    """Return the arbiter's key; without an arbiter the guest's, and one made here."""
    labels = await run.receive_key()
    if run.job.arbiter:
        return Keys(labels)
    return Keys(labels, Pair(await new_key(run, (run.guest,), "host's key"), labels))


async def guest_fit(run: Run, common: Common, columns: Columns, y: Labels, keys: Keys) -> tuple[Fit, int]:
    """Fit the guest's coefficients, once all gradients' shapes are agreed.

    Returns the number of the first host's model columns besides.
    """
    key = keys.pair.other if keys.pair else keys.labels
    check, shape = partial(check_hosts_shape, run, common), columns.shape(key, run.fraction)
    arbiter = run.arbiter if run.job.arbiter else None
    shapes = await run.step(
        "allowance",
        lambda: allowance.guest(shape, check, hosts=run.hosts, arbiter=arbiter),
        lambda shapes: [[s.sums, s.bits] for s in shapes],
        lambda kept: [Shape(*pair) for pair in kept],
    )
    run.progress.phase("fitting", 1.0)

    def report(k: int, degree: int, part: float) -> None:
        run.progress.advance(part, f"gradient {k}, degree {degree}")

    rules, rng, steps = run.fit_rules, run.rng, run.steps
    if keys.pair is None:
        fit = await logistic.guest(
            columns,
            y,
            rules,
            key=key,
            rng=rng,
            hosts=run.hosts,
            arbiter=run.arbiter,
            report=report,
            steps=steps,
        )
        return fit, shapes[0].sums
    own, quota = keys.pair.own, quota_of(run, shapes[0], keys.labels.n)
    fit = await crossed.guest(
        columns,
        y,
        rules,
        own=own,
        key=key,
        quota=quota,
        rng=rng,
        host=run.host,
        report=report,
        steps=steps,
    )
    return fit, shapes[0].sums


async def host_fit(run: Run, common: Common, columns: Columns, keys: Keys) -> tuple[Fit, int]:
    """Fit a host's coefficients, once all gradients' shapes are agreed.

    Returns the number of the guest's model columns besides.
    """
    fraction = crossed.SHARE_FRACTION if keys.pair else run.fraction
    shape, mark = columns.shape(keys.labels, fraction), mark_of(run, common, columns.x)
    check = partial(check_guests_shape, run, common)
    arbiter = run.arbiter if run.job.arbiter else None
    guests = await run.step(
        "allowance",
        lambda: allowance.host(shape, mark, check, guest=run.guest, arbiter=arbiter),
        lambda s: [s.sums, s.bits],
        lambda kept: Shape(*kept),
    )
    rules, rng, steps = run.fit_rules, run.rng, run.steps
    if keys.pair is None:
        fit = await logistic.host(
            columns,
            rules,
            key=keys.labels,
            rng=rng,
            guest=run.guest,
            arbiter=run.arbiter,
            place=run.place,
            steps=steps,
        )
        return fit, guests.sums
    own, quota = keys.pair.own, quota_of(run, guests, keys.pair.own.public.n)
    fit = await crossed.host(
        columns, rules, own=own, key=keys.labels, quota=quota, rng=rng, guest=run.guest, steps=steps
    )
    return fit, guests.sums
