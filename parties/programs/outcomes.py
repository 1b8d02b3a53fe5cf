"""The guest's part of a training of a linear, Poisson or gamma regression, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.inspection import known_of
from parties.programs.alignment import Common, Mask, align_guest, measured_rows
from parties.programs.disclosed import guest_coefficients, hosts_names
from parties.programs.features import guest_features
from parties.programs.fitting import Keys, guest_fits, guest_keys, told_units, warn_unless_converged
from parties.programs.limits import check_outcomes
from parties.programs.masking import hosts_logits
from parties.programs.model import Features, Half, columns_of, levels_in, unseen
from parties.programs.precedents import check_counted, check_earlier
from parties.programs.run import Run
from parties.programs.stability import held_out_stability, monthly, population_of
from parties.programs.training import Trained
from parties.programs.validation import MODELS
from vfl.linear.alone import fitted
from vfl.linear.columns import Columns
from vfl.linear.family import Family, Target
from vfl.linear.logistic import Fit
from vfl.linear.units import Units
from vfl.stats.outcomes import deviance_gain, evaluate_outcomes, prediction_tenths
from vfl.table.table import Table

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Both:
    """Both models as the guest holds them: weights of its own columns, the intercept first.

    `unit`: what hosts' parts are divided by.
    """

    names: tuple[str, ...]
    own: NDArray[np.float64]
    fit: Fit
    joint: Vector
    alone: Vector
    unit: float

    @property
    def weights(self) -> dict[str, float]:
        """The guest's half of the joint model."""
        return dict(zip(self.names, self.joint.tolist(), strict=True))

    @property
    def facts(self) -> dict[str, Any]:
        """What run.json says of the fit."""
        return {
            "iterations": self.fit.gradients,
            "converged": self.fit.converged,
            "coefficients": self.weights,
            "guest_only_coefficients": dict(zip(self.names, self.alone.tolist(), strict=True)),
        }


@dataclass(frozen=True, slots=True)
class Predicted:
    """The measured rows: what is known of them, which of them train, both models' linear predictors."""

    family: Family
    known: Target
    train: Mask
    predictors: dict[str, Vector]
    """Without offsets, of "joint" and "guest_only"."""

    @property
    def splits(self) -> dict[str, Mask]:
        """The measured rows of each split that has any that count."""
        found = {"train": self.train, "test": ~self.train}
        return {name: rows for name, rows in found.items() if self.known.weight[rows].any()}

    def evaluated(self) -> dict[str, dict[str, Any]]:
        """Return both models' measures by split."""
        return {split: self._measures(rows) for split, rows in self.splits.items()}

    def _measures(self, rows: Mask) -> dict[str, Any]:
        of, power = self.known.take(rows), self.family.power
        level = self.family.level(of)
        return {
            model: evaluate_outcomes(of.y, self.family.mean(u[rows] + of.offset), level, of.weight, power)
            for model, u in self.predictors.items()
        }

    def validation(self) -> dict[str, Any]:
        """Return the gain and tenths of predictions of the test rows, of the training rows without any."""
        if not self.splits:
            return {}
        split, rows = list(self.splits.items())[-1]
        of = self.known.take(rows)
        tenths = {
            model: prediction_tenths(of.y, self.family.mean(u[rows] + of.offset), u[rows], of.weight)
            for model, u in self.predictors.items()
        }
        joint, alone = (self.family.mean(self.predictors[m][rows] + of.offset) for m in MODELS)
        lower = deviance_gain(of.y, joint, alone, of.weight, self.family.power)
        return {"split": split, "deviance": lower, "tenths": tenths}


async def training(run: Run, table: Table) -> Trained:
    """Fit the guest's half, and measure what it is worth with the hosts'."""
    assert run.family
    keys = await guest_keys(run)
    common = await align_guest(run, table)
    known = known_of(common.table, common.train)
    check_outcomes(run.gates, table.source, run.family, known.take(common.train))
    features, facts = guest_features(run, common)
    await check_earlier(run, common)
    await hosts_names(run)
    both = await _fit(run, common, features, known.take(common.train), keys)
    levels = levels_in(common.training, features)
    run.warn(*unseen(levels, common.table))
    facts |= await guest_coefficients(run, table, features, both.weights)
    measured = await _measured(run, common, known, both)
    half = Half(
        run.id,
        features,
        both.weights,
        levels,
        population=population_of(common, features),
        absent=run.absent,
        kind=run.job.regression.kind,
        unit=both.unit,
    )
    facts |= held_out_stability(run, common, half) | monthly(common.table, half.population)
    facts |= common.facts | both.facts
    facts |= {"family": run.family.name, "splits": measured.evaluated(), "validation": measured.validation()}
    return Trained(half, facts, {})


async def _fit(run: Run, common: Common, features: Features, target: Target, keys: Keys) -> Both:
    """Fit the guest's own model, and from there the joint one."""
    assert run.family
    x, strength = features.transform(columns_of(common.table)), run.job.regression.C
    check_counted(run.gates, run.guest, common.training, x.shape[1])
    told = await told_units(run, Units.of(run.family, target))
    # Outcomes far from 0, such as years, would make an intercept that no logit has.
    centre = 0.0 if run.family.is_log else float((target.y - target.offset).mean())
    scaled = replace(target, y=target.y / told.scale, offset=(target.offset + centre) / told.scale)
    start = fitted(run.family, x[common.train], scaled, strength)
    own = np.column_stack([np.ones(len(x)), x])
    penalty = np.concatenate([[0.0], np.full(x.shape[1], 1 / strength)])
    columns = Columns(own[common.train], penalty, start, variance=told.mean_variance)
    fits = await guest_fits(run, common, columns, keys)
    fit = await fits.descend(columns, scaled, run.fit_rules, "fit 1")
    warn_unless_converged(run, fit)
    shift = np.zeros(own.shape[1])
    shift[0] = centre
    joint, alone = told.scale * fit.coefficients + shift, told.scale * start + shift
    return Both(("intercept", *features.names), own, fit, joint, alone, told.scale)


async def _measured(run: Run, common: Common, known: Target, both: Both) -> Predicted:
    """Learn the hosts' part of the rows that may be measured."""
    assert run.family
    rows = measured_rows(run.job, common.train)
    theirs = await hosts_logits(run, int(rows.sum()))
    joint = both.own[rows] @ both.joint + both.unit * theirs
    predictors = {"joint": joint, "guest_only": both.own[rows] @ both.alone}
    return Predicted(run.family, known.take(rows), common.train[rows], predictors)
