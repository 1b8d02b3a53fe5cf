"""The penalty of a regression by cross-validation: a joint fit for each fold and penalty, in one run.

A fit sees the training rows outside of its fold; of those inside the guest learns their mean log-loss, as
one sum (see `vfl.linear.heldout`), and of no row how it scores.  Cuts and weights of evidence are those of
all training rows, of which the fold's are some.  That makes losses too low: by 0.1 % on default_credit, alike
for every penalty, by up to 16 % on german with its 625 rows, where a weaker penalty comes out best than with
bins of each fold's own.  The guest is warned by the rows that its bins have.

Fits begin where their neighbours tell them to (see `vfl.stats.folds`), and end at a larger tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.config.models import FoldRules
from parties.inspection import clean_ids
from parties.programs.alignment import Common
from parties.programs.earlier import check_rank
from parties.programs.fitting import GuestFits, HostFits
from parties.programs.limits import check_spread
from parties.programs.model import Features
from parties.programs.run import Run, as_it_is
from parties.programs.signs import Inputs
from vfl.errors import DataError
from vfl.gates import FEW_EVENTS, RARE_ROWS
from vfl.linear import heldout
from vfl.linear.logistic import LOOSER, Rules
from vfl.stats.binned import WoeColumns
from vfl.stats.folds import choice, folds_of, name_of, standard_errors, start

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Labels = NDArray[np.int8]
Folds = NDArray[np.int64]


ROWS_PER_BIN = 50
"""Training rows for each of the guest's bins, on average, below which held-out losses say too little."""


@dataclass(frozen=True, slots=True)
class Outset:
    """How the final fit begins: at the penalty that was chosen, as C, in the middle of the folds' fits."""

    C: float
    start: Vector


@dataclass(frozen=True, slots=True)
class Path:
    """What cross-validation leaves at the guest: mean log-losses of shape (folds, penalties), and degrees."""

    chosen: Outset
    rules: FoldRules
    losses: Matrix
    degrees: list[int]

    @property
    def facts(self) -> dict[str, Any]:
        """Return what run.json says of it."""
        columns = zip(self.rules.Cs, standard_errors(self.losses).tolist(), self.losses.T, strict=True)
        path = [
            {"C": C, "mean": float(of.mean()), "standard_error": error, "folds": of.tolist()}
            for C, error, of in columns
        ]
        return {
            "folds": self.rules.folds,
            "rule": self.rules.rule,
            "C": self.chosen.C,
            "path": path,
            "gradients": len(self.degrees),
            "degrees": self.degrees,
        }


async def guest_path(run: Run, fits: GuestFits, common: Common, inputs: Inputs, y: Labels) -> Path:
    """Choose the guest's penalty; `inputs` begin where the first fit does."""
    rules, folds = _rules(run), folds_in(run, common)
    check_folds(run, folds, y)
    narrowest = min((y[folds == fold] for fold in range(rules.folds)), key=lambda of: len(of) * of.var())
    for host, shape in zip(run.hosts, fits.shapes, strict=True):
        check_spread(run.gates, narrowest, shape.sums)
        check_rank(run.gates, host, smallest(folds), shape.sums, f"{host.name} in a fold")
    w: dict[tuple[int, int], Vector] = {}
    losses, degrees = np.zeros((rules.folds, len(rules.Cs))), list[int]()
    for fold, number in np.ndindex(losses.shape):
        inside, name = folds == fold, name_of(fold, rules.Cs[number])
        begun = start(w, fold, number)
        part = inputs.part(~inside, rules.Cs[number], inputs.start if begun is None else begun)
        fit = await fits.descend(part.columns(None), y[~inside], loosened(run), name)
        if not fit.converged:
            run.warn(f"{name}: the fit did not converge within model.max_iter")
        w[fold, number] = fit.coefficients
        degrees += fit.degrees
        losses[fold, number] = await _loss(run, fits, inputs.x[inside] @ fit.coefficients, y[inside], name)
    best = choice(losses, rules.rule)
    await run.step("chosen", lambda: heldout.choose(best, hosts=run.hosts), as_it_is, as_it_is)
    return Path(_chosen(rules, w, best), rules, losses, degrees)


async def host_path(run: Run, fits: HostFits, common: Common, inputs: Inputs) -> Outset:
    """Take part in the guest's choice of a penalty."""
    rules, folds = _rules(run), folds_in(run, common)
    check_folds(run, folds)
    check_rank(run.gates, run.guest, smallest(folds), fits.guests.sums - 1, f"{run.guest.name} in a fold")
    w: dict[tuple[int, int], Vector] = {}
    for fold, number in np.ndindex(rules.folds, len(rules.Cs)):
        inside, name = folds == fold, name_of(fold, rules.Cs[number])
        begun = start(w, fold, number)
        part = inputs.part(~inside, rules.Cs[number], inputs.start if begun is None else begun)
        fit = await fits.descend(part.columns(None), loosened(run), name)
        w[fold, number] = fit.coefficients
        await _shown(run, fits, inputs.x[inside] @ fit.coefficients, name)
    count = len(rules.Cs)
    best = await run.step("chosen", lambda: heldout.chosen(count, guest=run.guest), as_it_is, as_it_is)
    return _chosen(rules, w, best)


async def _loss(run: Run, fits: GuestFits, a: Vector, y: Labels, name: str) -> float:
    return await run.step(
        f"loss of {name}",
        lambda: heldout.guest(a, y, key=fits.keys.labels, rng=run.rng, hosts=run.hosts, arbiter=run.arbiter),
        as_it_is,
        as_it_is,
    )


async def _shown(run: Run, fits: HostFits, b: Vector, name: str) -> None:
    await run.step(
        f"loss of {name}",
        lambda: heldout.host(b, key=fits.keys.labels, rng=run.rng, guest=run.guest, place=run.place),
        lambda _: None,
        lambda _: None,
    )


def folds_in(run: Run, common: Common) -> Folds:
    """Return each training row's fold."""
    return folds_of(map(str, clean_ids(run.job, common.training).ids), _rules(run).folds)


def warn_of_bins(run: Run, common: Common, features: Features) -> None:
    """Warn where weights of evidence of few rows each make held-out rows look familiar."""
    if isinstance(features, WoeColumns):
        bins, rows = sum(features.bins.sizes), common.rows["train"]
        if rows < ROWS_PER_BIN * bins:
            run.warn(
                f"{bins} bins have their weights of evidence from {rows} training rows, those of every fold "
                "too: log-losses are too low, and the penalty may be too weak; take fewer bins"
            )


def smallest(folds: Folds) -> int:
    """Return the rows of the smallest fold."""
    return int(np.bincount(folds).min())


def check_folds(run: Run, folds: Folds, y: Labels | None = None) -> None:
    """Ask the gates of the rows of one fold, by which fits differ; `y`: the labels, at the guest."""
    sizes = np.bincount(folds, minlength=_rules(run).folds)
    if not sizes.all():
        raise DataError("model.cv", "a fold has no training row", "fewer folds")
    if sizes.min() < RARE_ROWS:
        what = f"a fold of fewer than {RARE_ROWS} training rows"
        run.gates.refuse("nearly_same_rows", "model.cv", what, "fewer folds, or")
    if y is not None:
        bads = np.bincount(folds, weights=y)
        fewest = int(min(bads.min(), (sizes - bads).min()))
        if fewest < FEW_EVENTS:
            what = f"a fold of fewer than {FEW_EVENTS} training rows of a class"
            run.gates.refuse("few_events", "model.cv", what, f"there are {fewest}: fewer folds, or")


def loosened(run: Run) -> Rules:
    """Return the rules of a fold's fit."""
    rules = run.fit_rules
    return replace(rules, tolerance=LOOSER * rules.tolerance)


def _rules(run: Run) -> FoldRules:
    rules = run.job.logistic.cv
    assert rules is not None
    return rules


def _chosen(rules: FoldRules, w: dict[tuple[int, int], Vector], best: int) -> Outset:
    middle = np.mean([w[fold, best] for fold in range(rules.folds)], axis=0)
    return Outset(rules.Cs[best], np.asarray(middle, np.float64))
