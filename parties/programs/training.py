"""The guest's part of a training: from its table to both models and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import Common, align_guest, measured_rows
from parties.programs.disclosed import guest_coefficients, hosts_names
from parties.programs.errors import Errors, guest_errors
from parties.programs.evaluation import Measured
from parties.programs.features import HostsColumn, check_signs, guest_features, hosts_columns, without
from parties.programs.fitting import Keys, guest_fits, guest_keys, warn_unless_converged
from parties.programs.folds import guest_path, warn_of_bins
from parties.programs.limits import check_events, check_weights
from parties.programs.masking import hosts_logits
from parties.programs.model import Features, Half, columns_of, levels_in, unseen
from parties.programs.overlap import guest_without_overlap
from parties.programs.points import bands_facts
from parties.programs.precedents import check_counted, check_earlier
from parties.programs.reasons import averages_of
from parties.programs.run import Run
from parties.programs.signs import Fitted, Inputs, guest_fitted
from parties.programs.stability import held_out_stability, measured_moves, monthly, population_of
from parties.programs.trees_model import TreeHalf
from vfl.linear import logistic
from vfl.linear.alone import fitted_labels
from vfl.table.table import Table
from vfl.trees.model import GuestTrees

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Labels = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves at the guest: its half, what run.json says, and the report's curves."""

    half: Half | TreeHalf[GuestTrees]
    facts: dict[str, Any]
    curves: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Models:
    """Both models as the guest holds them: its columns with their matrix of all rows, and the fits.

    `alone`: the weights of the guest's own model, whose logits `alone_logit` are, the intercept first.
    """

    features: Features
    x: Matrix
    fitted: Fitted
    alone: dict[str, float]
    alone_logit: Vector
    errors: Errors

    @property
    def fit(self) -> logistic.Fit:
        """The joint fit."""
        return self.fitted.fit

    @property
    def logit(self) -> Vector:
        """The guest's part of each row's logit."""
        return np.asarray(self.fit.coefficients[0] + self.x @ self.fit.coefficients[1:], np.float64)

    @property
    def weights(self) -> dict[str, float]:
        """The guest's half of the joint model."""
        return dict(zip(self.fitted.inputs.names, self.fit.coefficients.tolist(), strict=True))

    @property
    def without_intercept(self) -> dict[str, float]:
        """The weights of the guest's columns."""
        return {name: weight for name, weight in self.weights.items() if name != "intercept"}

    @property
    def facts(self) -> dict[str, Any]:
        """What run.json says of the fit."""
        return {
            "iterations": self.fit.gradients,
            "converged": self.fit.converged,
            "degrees": list(self.fit.degrees),
            "sampled": self.fit.sampled,
            "coefficients": self.weights,
            "guest_only_coefficients": self.alone,
        } | ({"standard_errors": self.errors} if self.errors else {})


async def training(run: Run, table: Table) -> Trained:
    """Fit the guest's half, and measure what it is worth with the host's."""
    keys = await guest_keys(run)
    common = await align_guest(run, table)
    check_events(run.gates, common.training)
    check_weights(run.gates, "labels", common.training)
    features, facts = guest_features(run, common)
    await check_earlier(run, common)
    named = await hosts_names(run)
    theirs: list[HostsColumn] = []
    if run.job.features.kind == "woe":
        theirs = await hosts_columns(run, common, keys, named)
        facts["information_value"]["host"] = {column.label: column.value for column in theirs}
        features, theirs = await guest_without_overlap(run, common, keys.labels, features, theirs, facts)
    models = await _fit(run, common, features, keys, facts, theirs)
    features = models.features
    check_signs(run, table.source, models.without_intercept)
    levels = levels_in(common.training, features)
    run.warn(*unseen(levels, common.table))
    facts |= await guest_coefficients(run, table, features, models.weights)
    measured = await _measured(run, common, models)
    calibration = measured.calibration if run.fit_rules.taylor else None
    half = Half(
        run.id,
        features,
        models.weights,
        levels,
        calibration,
        population_of(common, features),
        absent=run.absent,
    )
    averages = averages_of(half, common.training, measured.usual)
    half = replace(half, averages=averages)
    facts |= held_out_stability(run, common, half)
    facts |= monthly(common.table, half.population, measured_moves(run, common, measured))
    facts |= common.facts | models.facts | _worth(run, measured)
    return Trained(half, facts, measured.curves())


async def _fit(
    run: Run,
    common: Common,
    features: Features,
    keys: Keys,
    facts: dict[str, Any],
    theirs: list[HostsColumn],
) -> Models:
    """Fit the guest's own model, and from there the joint one; note in `facts` what leaves it."""
    x = features.transform(columns_of(common.table))
    y, weight, cv = common.training.label, common.training.weight, run.job.logistic.cv
    assert y is not None
    if weight is not None:
        weight = weight / weight.mean()
    check_counted(run.gates, run.guest, common.training, x.shape[1])
    own, names = np.column_stack([np.ones(len(x)), x]), ("intercept", *features.names)
    strength = cv.Cs[0] if cv else run.job.logistic.C
    start = fitted_labels(x[common.train], y, strength, weight)
    penalty = np.concatenate([[0.0], np.full(x.shape[1], 1 / strength)])
    inputs = Inputs(names, own[common.train], penalty, start)
    fits = await guest_fits(run, common, inputs.columns(run.gradient_bits), keys)
    if cv:
        warn_of_bins(run, common, features)
        path = await guest_path(run, fits, common, inputs, y)
        facts["cross_validation"] = path.facts
        inputs = inputs.part(slice(None), path.chosen.C, path.chosen.start)
        start = fitted_labels(x[common.train], y, path.chosen.C)
    values = facts.get("information_value", {}).get("guest", {})
    fitted = await guest_fitted(run, fits, inputs, y, values, theirs, common.table.source, weight)
    warn_unless_converged(run, fitted.fit)
    selection = run.job.features.selection
    if selection.leaves_out or selection.drops:
        gone = [column.label for column in theirs if not column.kept]
        before = facts.get("left_out", {}).get("guest", {})
        facts["left_out"] = {"guest": before | fitted.left, "host": gone + fitted.partners}
    errors = await guest_errors(run, names, fitted.columns, fits.shapes[0].sums, keys.labels)
    features, x = without(features, x, fitted.left)
    return Models(features, x, fitted, dict(zip(names, start.tolist(), strict=True)), own @ start, errors)


async def _measured(run: Run, common: Common, models: Models) -> Measured:
    """Learn the hosts' logits of the rows that may be measured."""
    rows = measured_rows(run.job, common.train)
    theirs = await hosts_logits(run, int(rows.sum()))
    measured = Measured.of(common, rows, models.logit[rows], theirs, models.alone_logit[rows])
    return measured.calibrated() if run.fit_rules.taylor else measured


def _worth(run: Run, measured: Measured) -> dict[str, Any]:
    """Return what run.json says of the measured rows."""
    facts: dict[str, Any] = {"splits": measured.evaluated()} | bands_facts(run.job, measured)
    facts["validation"] = measured.validation(run.party.report.cutoff)
    if run.exact:
        facts["rounding"] = measured.rounding(run.scorecard)
    if run.fit_rules.taylor:
        calibration = measured.calibration
        facts["calibration"] = {
            "intercept": calibration.intercept,
            "slope": calibration.slope,
            "splits": measured.bias(),
        }
    return facts
