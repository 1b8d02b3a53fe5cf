"""The joint fit of a regression: once, or again and again while columns of the wrong sign leave it.

Every fit after the first goes on from where the one before it stood, without the column that left.  Until
no coefficient is below 0 a fit ends once no sign is in doubt (see `vfl.linear.logistic.Rules`); then one to
the tolerance follows, whose signs count again.
All of them together take no more gradients than model.max_iter.

What a fit has learnt of the curvature is not carried on: pairs as they stand are of a model with the column
(33 gradients for 31 on default_credit).  Freed from it they would save five, but its holder would have to
tell how its coefficient moved, and all parties their products anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from parties.programs.features import HostsColumn
from parties.programs.fitting import GuestFits, HostFits
from parties.programs.limits import check_columns_count
from parties.programs.run import Run
from vfl.errors import DataError
from vfl.linear import signs
from vfl.linear.columns import Columns
from vfl.linear.logistic import Fit, Rules
from vfl.linear.signs import Leaver, Leaves
from vfl.linear.whitening import STEEPEST_SIGMOID

ROUGH = 1000.0
"""Times the tolerance by which a step may at most change a coefficient whose sign alone counts.

On default_credit, where six columns leave, all fits take 31 gradients for the 64 of fits to the tolerance.
Of 60 bootstraps of 4,000 rows of it, of 100 of german and of 25 of breast, whose columns were dealt to the
parties at random, all lost the same columns as the pooled table."""

MOST_ROUGH = 0.1

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Labels = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Inputs:
    """A party's columns in a fit: names, training rows (n, d), penalties (d,), and where weights begin.

    `variance`: an outcome's mean variance.
    """

    names: tuple[str, ...]
    x: Matrix
    penalty: Vector
    start: Vector
    variance: float = STEEPEST_SIGMOID

    def columns(self, told: int | None) -> Columns:
        """Return the columns as a descent takes them; `told`: bits of a gradient's numbers."""
        return Columns(self.x, self.penalty, self.start, told, self.variance)

    def at(self, w: Vector) -> Inputs:
        """Return the same columns, to begin at other weights."""
        return replace(self, start=w)

    def part(self, rows: NDArray[np.bool_] | slice, strength: float, start: Vector) -> Inputs:
        """Return some of the rows, at another C, to begin at other weights."""
        penalty = np.where(self.penalty > 0, 1 / strength, 0.0)
        return replace(self, x=self.x[rows], penalty=penalty, start=start)

    def without(self, name: str) -> Inputs:
        """Return the others, to begin where they stand."""
        stay = [j for j, other in enumerate(self.names) if other != name]
        names = tuple(self.names[j] for j in stay)
        return Inputs(names, self.x[:, stay], self.penalty[stay], self.start[stay], self.variance)

    def least_telling(self, values: Mapping[str, float]) -> str | None:
        """Return the column of the lowest information value whose weight is below 0, if there is one."""
        wrong = [name for name, w in zip(self.names, self.start, strict=True) if w < 0 and name in values]
        return min(wrong, key=values.__getitem__, default=None)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A party's columns where the last fit stands, how all fits went, and why columns have left.

    `partners`: what the guest calls columns of hosts that have left.
    """

    inputs: Inputs
    columns: Columns
    fit: Fit
    left: dict[str, str]
    partners: list[str]


async def guest_fitted(
    run: Run,
    fits: GuestFits,
    inputs: Inputs,
    y: Labels,
    values: Mapping[str, float],
    theirs: Sequence[HostsColumn],
    source: str,
    weight: Vector | None = None,
) -> Fitted:
    """Fit the guest's half; `values`: information values of its columns, `theirs`: hosts' columns.

    `weight`: what each row counts, of mean 1; without it each counts once.
    """
    degrees, left, partners, number, sampled = list[int](), dict[str, str](), list[str](), 0, 0
    drops = run.job.features.selection.drops
    rough = drops
    standing = [{c.number: c for c in theirs if c.host == host and c.kept} for host in run.hosts]
    while True:
        columns, number = inputs.columns(run.gradient_bits), number + 1
        rules = _rules(run, degrees, rough, fits.sample)
        fit = await fits.descend(columns, y, rules, f"fit {number}", weight)
        degrees += fit.degrees
        sampled += fit.sampled
        inputs = inputs.at(fit.coefficients)
        if not drops:
            break
        worst = inputs.least_telling(values)
        leaver = await _leaver(run, number, None if worst is None else values[worst], standing)
        if leaver is None and not rough:
            break
        if len(degrees) >= run.fit_rules.max_iter:
            what = f"{len(degrees)} gradients are spent before all signs are right to the tolerance"
            raise DataError(source, what, "change the job: model.max_iter, or features.selection")
        rough = leaver is not None
        if leaver is None:
            continue
        if leaver.party:
            partners.append(standing[leaver.party - 1].pop(leaver.column).label)
        else:
            assert worst is not None
            left[worst] = _why(inputs, worst)
            inputs = _others(inputs, worst, values, source)
    fit = replace(fit, gradients=len(degrees), degrees=tuple(degrees), sampled=sampled)
    return Fitted(inputs, columns, fit, left, partners)


async def host_fitted(
    run: Run, fits: HostFits, inputs: Inputs, values: Mapping[str, float], source: str
) -> Fitted:
    """Fit the host's half; `values`: information values of all columns that it has binned, in order."""
    degrees, left, number = list[int](), dict[str, str](), 0
    drops = run.job.features.selection.drops
    rough = drops
    while True:
        columns, number = inputs.columns(run.gradient_bits), number + 1
        rules = _rules(run, degrees, rough, fits.sample)
        fit = await fits.descend(columns, rules, f"fit {number}")
        degrees += fit.degrees
        inputs = inputs.at(fit.coefficients)
        if not drops:
            break
        worst = inputs.least_telling(values)
        told = await _told(run, number, signs.NONE if worst is None else list(values).index(worst))
        if not told.again and not rough:
            break
        rough = told.again
        if told.yours and worst is not None:
            left[worst] = _why(inputs, worst)
            inputs = _others(inputs, worst, values, source)
            check_columns_count(run, len(inputs.names))
    return Fitted(inputs, columns, replace(fit, gradients=len(degrees), degrees=tuple(degrees)), left, [])


def _rules(run: Run, degrees: list[int], rough: bool, sample: int) -> Rules:
    """Return the rules of the next fit: all share the gradients that were agreed, the first has a sample."""
    rules = run.fit_rules
    most = min(ROUGH * rules.tolerance, MOST_ROUGH) if rough else 0.0
    left = rules.max_iter - len(degrees)
    return replace(rules, rough=most, max_iter=left, sample=0 if degrees else sample)


async def _leaver(
    run: Run, number: int, own: float | None, standing: Sequence[Mapping[int, HostsColumn]]
) -> Leaver | None:
    theirs = [{k: column.value for k, column in columns.items()} for columns in standing]
    arbiter = run.arbiter if run.job.arbiter else None
    return await run.step(
        f"signs {number}",
        lambda: signs.guest(own, theirs, hosts=run.hosts, arbiter=arbiter),
        lambda leaver: leaver and [leaver.party, leaver.column],
        lambda kept: Leaver(*kept) if kept else None,
    )


async def _told(run: Run, number: int, worst: int) -> Leaves:
    arbiter = run.arbiter if run.job.arbiter else None
    return await run.step(
        f"signs {number}",
        lambda: signs.host(worst, guest=run.guest, arbiter=arbiter),
        lambda told: [told.yours, told.again],
        lambda kept: Leaves(*kept),
    )


def _why(inputs: Inputs, name: str) -> str:
    return f"its coefficient was {inputs.start[inputs.names.index(name)]:.4f}"


def _others(inputs: Inputs, name: str, values: Mapping[str, float], source: str) -> Inputs:
    others = inputs.without(name)
    if not values.keys() & set(others.names):
        hint = "change the job's features.selection.sign, or bring other columns"
        raise DataError(source, "every column's coefficient is below 0, also alone", hint)
    return others
