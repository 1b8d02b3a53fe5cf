"""A job's cost as far as one party can know it: its own table, the contract, and what is assumed.

Assumed where nobody can know it before the run: that the partners' lists are as long and their columns
as many as the own ones, which part of the ids is common, how many gradients a fit takes and of which degree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parties.config.generalised import GeneralisedRules
from parties.config.job import Job
from parties.cost.phase import Link, Phase
from parties.cost.phases import phases
from parties.cost.shape import Columns, CrossValidation, Forest, Regression, Shape
from parties.cost.work import Rates
from vfl.linear import heldout
from vfl.linear.columns import FEW_VALUES
from vfl.linear.logistic import LOOSER
from vfl.linear.sigmoid import Polynomial, approximation_for

HOST_RANGE = -2.0, 2.0
"""Logits of one host's columns: what WOE columns of credit data span; those of several hosts add up.

A guess: of two hosts four trainings took 0.6 to 1.5 times the sum of degrees that it leads to.
"""

GUEST_RANGE = -5.0, 1.0
"""Logits of the guest's, the intercept among them."""

EARLY_ERROR = 1e-2
"""Error of the sigmoid in the second gradient, from which it falls by three fifths a gradient."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a training takes: seconds with all parties here or each on a machine like this, and traffic."""

    shape: Shape
    phases: tuple[Phase, ...]
    rates: Rates
    link: Link

    @property
    def together(self) -> float:
        """Seconds with all parties on this machine."""
        return sum(phase.together(self.rates) for phase in self.phases)

    @property
    def apart(self) -> float:
        """Seconds with a machine like this for every party."""
        return sum(phase.apart(self.rates, self.link) for phase in self.phases)

    @property
    def sent(self) -> float:
        """Bytes that travel."""
        return sum(phase.sent for phase in self.phases)

    @property
    def ciphertexts(self) -> float:
        """Ciphertexts that travel."""
        return sum(phase.ciphertexts for phase in self.phases)

    @property
    def trips(self) -> float:
        """Times that somebody waits for an answer over the link."""
        return sum(phase.trips + phase.waits for phase in self.phases)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "rows": self.shape.rows,
            "ids": self.shape.ids,
            "seconds_on_this_machine": self.together,
            "seconds_apart": self.apart,
            "bytes": self.sent,
            "ciphertexts": self.ciphertexts,
            "round_trips": self.trips,
            "phases": {
                phase.name: {
                    "seconds_on_this_machine": phase.together(self.rates),
                    "seconds_apart": phase.apart(self.rates, self.link),
                    "bytes": phase.sent,
                    "ciphertexts": phase.ciphertexts,
                    "round_trips": phase.trips + phase.waits,
                }
                for phase in self.phases
            },
        }


def cost(shape: Shape, rates: Rates, link: Link | None = None) -> Cost:
    """Return what a training of this shape takes."""
    return Cost(shape, tuple(phases(shape)), rates, link or Link())


def model_of(job: Job) -> Regression | Forest:
    """Return the model in numbers: of a regression, with the gradients that such fits take."""
    if job.model.kind == "trees":
        rules = job.trees
        grown = rules.n_estimators - (rules.first_tree == "guest" and not rules.warm_start)
        share = rules.subsample if rules.top_rate is None else rules.top_rate + (rules.other_rate or 0.0)
        share *= 1 - rules.validation_share
        return Forest(grown, rules.max_depth, share, job.arbiter is None, rules.node_rows == "hidden")
    if isinstance(job.model, GeneralisedRules):
        return Regression((1,) * expected_gradients(job.model.tolerance), woe=False)
    woe, errors = job.features.kind == "woe", job.disclosure.standard_errors
    joint = job.features.selection.max_joint_correlation is not None
    tolerance = job.logistic.tolerance
    gradients = min(expected_gradients(tolerance), job.logistic.max_iter)
    taylor = job.logistic.sigmoid == "taylor"
    degrees = (1,) * gradients if taylor else expected_degrees(tolerance, gradients, len(job.hosts))
    return Regression(degrees, woe, errors, joint, job.arbiter is None, _cross_validation(job))


def _cross_validation(job: Job) -> CrossValidation | None:
    """Return what model.cv takes: of every fit as many gradients as a fit of its tolerance, less a fifth.

    So much do starts save that neighbours foretell, on default_credit (see `parties.programs.folds`).
    """
    rules, cv = job.logistic, job.logistic.cv
    if not cv:
        return None
    looser, hosts = min(LOOSER * rules.tolerance, 0.1), len(job.hosts)
    gradients = min(max(round(0.8 * expected_gradients(looser)), 2), rules.max_iter)
    # All but the first fit begin where the hosts' logits are no longer 0.
    first, *others = expected_degrees(looser, gradients, hosts)
    each = (max(first, *others[:1]), *others)
    low, high = (hosts * end for end in HOST_RANGE)
    guest = np.linspace(*GUEST_RANGE, 25)
    loss = approximation_for(guest, low, high, heldout.ERROR, bent=False, of=heldout.softplus)[1]
    return CrossValidation(cv.folds, each * cv.fits, (loss,) * cv.fits)


def expected_gradients(tolerance: float) -> int:
    """Return how many gradients a fit takes: 7 for 0.01, 11 for 3e-5, as credit data with WOE columns."""
    return round(3 + 1.8 * math.log10(1 / tolerance))


def expected_degrees(tolerance: float, gradients: int, hosts: int = 1) -> tuple[int, ...]:
    """Return the degree of each gradient, whose error falls to a third of the tolerance."""
    low, high = (hosts * end for end in HOST_RANGE)
    guest = np.linspace(*GUEST_RANGE, 25)
    errors = [max(tolerance / 3, EARLY_ERROR * 0.4 ** (k - 1)) for k in range(gradients)]
    found = {error: Polynomial.fitting(guest, low, high, error).degree for error in set(errors)}
    return (1 + hosts, *(found[error] for error in errors[1:]))  # hosts' logits are 0 at the start


def columns_of(described: Sequence[Mapping[str, Any]], job: Job) -> Columns:
    """Return a party's columns as the model will have them, from what `inspection` tells of each."""
    if job.model.kind == "trees" or job.features.kind == "woe":
        most = job.trees.max_bin if job.model.kind == "trees" else job.features.bins
        bins = [min(max(column["distinct"], 1), most) for column in described]
        return Columns(len(bins), round(sum(bins) / max(len(bins), 1)))
    numeric = [column["distinct"] for column in described if column["kind"] == "numeric"]
    levels = sum(column["distinct"] - 1 for column in described if column["kind"] == "categorical")
    many = sum(distinct > FEW_VALUES for distinct in numeric)
    return Columns(levels + len(numeric) - many, 2, many)


def shape_of(job: Job, found: Sequence[Mapping[str, Any]], rows: int | None) -> Shape | None:
    """Return the job's shape as far as the parties in `found` know it, None if none has a table.

    `rows`: how many common customers train; without it all that somebody has of them.
    """
    sides = {party["party"]: party["train"] for party in found if "train" in party}
    if not sides:
        return None
    ids = max(side["customers"] for side in sides.values())
    trained = sides.get(job.guest, {}).get("splits", {}).get("train", {}).get("rows", ids)
    known = {name: columns_of(side["columns"], job) for name, side in sides.items()}
    usual = next(iter(known.values()))
    train = rows or min(trained, *(side["customers"] for side in sides.values()))
    hosts = tuple(known.get(name, usual) for name in job.hosts)
    common = max(train, min(side["customers"] for side in sides.values()))
    guest = known.get(job.guest, usual)
    return Shape(max(ids, common), common, train, guest, hosts, model_of(job), job.encryption.bits)
