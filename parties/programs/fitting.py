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
from parties.programs.sampling import guest_sample, host_sample
from vfl.arbitration import Quota, Shape
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.linear import allowance, crossed, generalised, logistic, units
from vfl.linear.columns import Columns
from vfl.linear.family import Target
from vfl.linear.logistic import Fit, Rules
from vfl.linear.units import Units
from vfl.steps import Part

Labels = NDArray[np.int8]
Vector = NDArray[np.float64]


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


async def told_units(run: Run, own: Units | None = None) -> Units:
    """Return the units of a fit, once hosts know them; `own`: the guest's, who tells them."""
    if not run.family:
        return units.LABELS

    async def exchange() -> Units:
        if own is None:
            return await units.host(guest=run.guest)
        await units.guest(own, hosts=run.hosts)
        return own

    return await run.step("units", exchange, lambda u: [u.unit, u.variance], lambda kept: Units(*kept))


@dataclass(frozen=True, slots=True)
class GuestFits:
    """The guest's descents, once all gradients' shapes are agreed; `sample`: rows of the first ones."""

    run: Run
    keys: Keys
    shapes: list[Shape]
    quota: Quota | None
    sample: int

    async def descend(
        self, columns: Columns, y: Labels | Target, rules: Rules, name: str, weight: Vector | None = None
    ) -> Fit:
        """Fit the guest's coefficients; `name`: the descent's, of which no other in the run has the same.

        `weight`: what rows with labels count, of mean 1; with an arbiter alone.
        """
        run, steps = self.run, Part(self.run.steps, name)
        run.progress.phase("fitting")  # of how many gradients, nobody knows

        def report(k: int, degree: int, part: float) -> None:
            at = f"gradient {k} ({part:.0%})"
            run.progress.advance(part, at if run.family else f"{at}, degree {degree}")

        if isinstance(y, Target):
            assert run.family
            return await generalised.guest(
                columns,
                y,
                rules,
                family=run.family,
                key=self.keys.labels,
                rng=run.rng,
                hosts=run.hosts,
                arbiter=run.arbiter,
                report=report,
                steps=steps,
            )
        if self.keys.pair is None:
            return await logistic.guest(
                columns,
                y,
                rules,
                key=self.keys.labels,
                rng=run.rng,
                hosts=run.hosts,
                arbiter=run.arbiter,
                report=report,
                weight=weight,
                steps=steps,
            )
        assert self.quota is not None and weight is None
        return await crossed.guest(
            columns,
            y,
            rules,
            own=self.keys.pair.own,
            key=self.keys.pair.other,
            quota=self.quota,
            rng=run.rng,
            host=run.host,
            report=report,
            steps=steps,
        )


@dataclass(frozen=True, slots=True)
class HostFits:
    """A host's descents, once all gradients' shapes are agreed; `guests`: the guest's; `sample`: as there."""

    run: Run
    keys: Keys
    guests: Shape
    quota: Quota | None
    sample: int

    async def descend(self, columns: Columns, rules: Rules, name: str) -> Fit:
        """Fit the host's coefficients; `name`: as the guest's."""
        run, steps = self.run, Part(self.run.steps, name)
        if run.family:
            return await generalised.host(
                columns,
                rules,
                family=run.family,
                key=self.keys.labels,
                rng=run.rng,
                guest=run.guest,
                arbiter=run.arbiter,
                place=run.place,
                steps=steps,
            )
        if self.keys.pair is None:
            return await logistic.host(
                columns,
                rules,
                key=self.keys.labels,
                rng=run.rng,
                guest=run.guest,
                arbiter=run.arbiter,
                place=run.place,
                steps=steps,
            )
        assert self.quota is not None
        return await crossed.host(
            columns,
            rules,
            own=self.keys.pair.own,
            key=self.keys.labels,
            quota=self.quota,
            rng=run.rng,
            guest=run.guest,
            steps=steps,
        )


async def guest_fits(run: Run, common: Common, columns: Columns, keys: Keys) -> GuestFits:
    """Agree on what a gradient of these columns takes: those of every descent are no more."""
    key = keys.pair.other if keys.pair else keys.labels
    check, shape = partial(check_hosts_shape, run, common), columns.shape(key, run.fraction)
    arbiter = run.arbiter if run.job.arbiter else None
    shapes = await run.step(
        "allowance",
        lambda: allowance.guest(shape, check, hosts=run.hosts, arbiter=arbiter),
        lambda shapes: [[s.sums, s.bits] for s in shapes],
        lambda kept: [Shape(*pair) for pair in kept],
    )
    quota = quota_of(run, shapes[0], keys.labels.n) if keys.pair else None
    return GuestFits(run, keys, shapes, quota, await guest_sample(run, common, columns.x, shapes))


async def host_fits(run: Run, common: Common, columns: Columns, keys: Keys) -> HostFits:
    """Agree on what a gradient of these columns takes, as `guest_fits` does."""
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
    quota = quota_of(run, guests, keys.pair.own.public.n) if keys.pair else None
    return HostFits(run, keys, guests, quota, await host_sample(run, common, columns.x, guests))


def warn_unless_converged(run: Run, fit: Fit) -> None:
    """Warn of a model whose descent ended at its most gradients."""
    if not fit.converged:
        run.warn(f"the fit did not converge within model.max_iter: {fit.gradients} gradients")
