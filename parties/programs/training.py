"""The guest's part of a training: from its table to both models and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from parties.programs.alignment import Common, align_guest, measured_rows
from parties.programs.evaluation import Measured, calibrated
from parties.programs.limits import check_events, check_values
from parties.programs.model import Calibration, Features, Half, columns_of, levels_in, numbered, unseen
from parties.programs.run import Run, as_it_is
from parties.programs.trees_model import TreeHalf
from vfl.crypto.paillier import PublicKey
from vfl.features import names, woe
from vfl.linear import coefficients, logistic, scoring
from vfl.linear.columns import Columns
from vfl.stats.binned import Bins, WoeColumns
from vfl.stats.binning import Binning
from vfl.stats.standard import Standardiser
from vfl.stats.woe import bin_counts, contributions
from vfl.stats.woe import woe as woe_of
from vfl.table.read import check_columns
from vfl.table.table import Table
from vfl.trees.model import GuestTrees

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves at the guest: its half, what run.json says, and the report's curves."""

    half: Half | TreeHalf[GuestTrees]
    facts: dict[str, Any]
    curves: dict[str, dict[str, NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Models:
    """Both models as the guest holds them: weights, the intercept first, of its own columns."""

    names: tuple[str, ...]
    own: Matrix
    fit: logistic.Fit
    alone: Vector

    @property
    def weights(self) -> dict[str, float]:
        """The guest's half of the joint model."""
        return dict(zip(self.names, self.fit.coefficients.tolist(), strict=True))

    @property
    def facts(self) -> dict[str, Any]:
        """What run.json says of the fit."""
        return {
            "iterations": self.fit.gradients,
            "converged": self.fit.converged,
            "degrees": list(self.fit.degrees),
            "coefficients": self.weights,
            "guest_only_coefficients": dict(zip(self.names, self.alone.tolist(), strict=True)),
        }


async def training(run: Run, table: Table) -> Trained:
    """Fit the guest's half, and measure what it is worth with the host's."""
    key = await run.receive_key()
    run.progress.phase("finding common customers")
    common = await align_guest(run, table)
    check_columns(common.training)
    check_events(run, common.training)
    run.progress.phase("binning" if run.job.features.kind == "woe" else "standardising")
    features, facts = _features(run, common)
    named: tuple[str, ...] = ()
    if run.job.disclosure.host_columns == "named":
        named = await run.step("names", lambda: names.guest(host=run.host), list, tuple)
    if run.job.features.kind == "woe":
        facts["information_value"]["host"] = await _host_values(run, common, key, named)
    models = await _fit(run, common, features, key)
    levels = levels_in(common.training)
    for warning in unseen(levels, common.table):
        run.warn(warning)
    if run.job.disclosure.joined_coefficients:
        facts["joint_coefficients"] = await _show_coefficients(run, models, features, tuple(table.columns))
    measured = await _measured(run, common, models)
    calibration = measured.calibration if run.fit_rules.taylor else None
    half = Half(run.id, features, models.weights, levels, calibration)
    facts |= {"intersection": len(common.table), "rows": common.rows} | models.facts | _worth(run, measured)
    return Trained(half, facts, measured.curves())


def _features(run: Run, common: Common) -> tuple[Features, dict[str, Any]]:
    """Learn the features from the training rows; return them and, of bins, what run.json says."""
    columns = columns_of(common.table)
    if run.job.features.kind == "standard":
        standard = Standardiser.fit(columns, common.train)
        x = standard.transform(columns)[common.train]
        check_values(run, standard.names, numbered(standard.sources, tuple(columns)), x)
        return standard, {}
    bins = Bins.fit(columns, common.train, run.job.features.bins)
    y = common.training.label
    assert y is not None
    tables, shown = [], {}
    for (name, binning), slots in zip(bins.of.items(), bins.slots_of(columns), strict=True):
        table, shown[name] = _woe_table(binning, slots[common.train], y)
        tables.append(table)
    values = {name: sum(row["iv"] for row in rows) for name, rows in shown.items()}
    facts = {"information_value": {"guest": values, "host": {}}, "woe": {"guest": shown}}
    return WoeColumns(bins, tuple(tables)), facts


def _woe_table(
    binning: Binning, slots: NDArray[np.int64], y: NDArray[np.int8]
) -> tuple[Vector, list[dict[str, Any]]]:
    """Return the WOE of every slot, and the rows of the report's table: bins that hold anybody."""
    pos, neg = bin_counts(slots, y, binning.slots)
    events = int(y.sum())
    table = woe_of(pos, neg, events, len(y) - events)
    values = contributions(pos, neg, events, len(y) - events)
    labels = binning.labels()
    used = np.flatnonzero(pos + neg).tolist()
    return table, [
        {
            "bin": labels[k],
            "rows": int(pos[k] + neg[k]),
            "events": int(pos[k]),
            "woe": float(table[k]),
            "iv": float(values[k]),
        }
        for k in used
    ]


async def _host_values(run: Run, common: Common, key: PublicKey, named: tuple[str, ...]) -> dict[str, float]:
    """Return the information value of each of the host's columns, under its name or its number."""
    y = common.training.label
    assert y is not None
    told = run.job.disclosure.woe_to_host
    found = await run.step(
        "woe",
        lambda: woe.guest(
            y, told=told, key=key, rng=run.rng, gates=run.gates, host=run.host, arbiter=run.arbiter
        ),
        as_it_is,
        as_it_is,
    )
    if named and len(named) != len(found):
        raise run.host.blame(f"named {len(named)} columns and binned {len(found)}")
    labels = named or tuple(f"{run.host.name} column {j + 1}" for j in range(len(found)))
    return dict(zip(labels, found, strict=True))


async def _fit(run: Run, common: Common, features: Features, key: PublicKey) -> Models:
    """Fit the guest's own model, and from there the joint one."""
    x = features.transform(columns_of(common.table))
    y, strength = common.training.label, run.job.logistic.C
    assert y is not None
    alone = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-10, max_iter=500)
    alone.fit(x[common.train], y)
    start = np.concatenate([alone.intercept_, alone.coef_[0]])
    own = np.column_stack([np.ones(len(x)), x])
    penalty = np.concatenate([[0.0], np.full(x.shape[1], 1 / strength)])
    run.progress.phase("fitting", 1.0)
    fit = await logistic.guest(
        Columns(own[common.train], penalty, start),
        y,
        run.fit_rules,
        key=key,
        rng=run.rng,
        hosts=(run.host,),
        arbiter=run.arbiter,
        report=lambda k, degree, part: run.progress.advance(part, f"gradient {k}, degree {degree}"),
        steps=run.steps,
    )
    if not fit.converged:
        run.warn(f"the fit did not converge within model.max_iter: {fit.gradients} gradients")
    return Models(("intercept", *features.names), own, fit, start)


async def _show_coefficients(
    run: Run, models: Models, features: Features, columns: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Show the host the guest's weights, under the names that the host's go by; return both halves."""
    anonymous = run.job.disclosure.host_columns == "anonymous"
    said = numbered(features.sources, columns) if anonymous else features.names
    shown = dict(zip(("intercept", *said), models.weights.values(), strict=True))
    theirs = await coefficients.guest(shown, host=run.host)
    return {run.guest.name: models.weights, run.host.name: theirs}


async def _measured(run: Run, common: Common, models: Models) -> Measured:
    """Learn the host's logits of the rows that may be measured."""
    rows = measured_rows(run.job, common.train)
    theirs = np.empty(0)
    if rows.any():
        one_point = run.scorecard.one_point
        theirs = await scoring.guest(int(rows.sum()), one_point=one_point, exact=run.exact, hosts=(run.host,))
    assert common.table.label is not None
    y, train = common.table.label[rows], common.train[rows]
    own = models.own[rows] @ models.fit.coefficients
    calibration = Calibration()
    if run.fit_rules.taylor:
        calibration = calibrated((own + theirs)[train], y[train])
    return Measured(y, train, own, theirs, models.own[rows] @ models.alone, calibration)


def _worth(run: Run, measured: Measured) -> dict[str, Any]:
    """Return what run.json says of the measured rows."""
    facts: dict[str, Any] = {"splits": measured.evaluated()}
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
