"""A job's cost as far as one party can know it: its own table, the contract, and what is assumed.

Assumed where nobody can know it before the run: that the partners' lists are as long and their columns
as many as the own ones, which part of the ids is common, how many gradients a fit takes and of which degree
(see `descent`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from parties.config.generalised import GeneralisedRules
from parties.config.job import Job
from parties.config.models import LogisticRules, TreeRules
from parties.cost.descent import EVEN_RATE, USUAL_RATE, USUAL_STRENGTH, Outlook
from parties.cost.disk import kept
from parties.cost.phase import Link, Phase
from parties.cost.phases import OF_GRADIENTS, phases
from parties.cost.shape import Columns, CrossValidation, Forest, Regression, Shape
from parties.cost.work import Rates
from vfl.linear import heldout, sample
from vfl.linear.columns import FEW_VALUES
from vfl.linear.logistic import LOOSER


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

    def between(self, seconds: Callable[[Phase], float]) -> tuple[float, float]:
        """Return the seconds of all phases with fewer and with more gradients than were guessed."""
        guessed = sum(seconds(phase) for phase in self.phases if phase.name in OF_GRADIENTS)
        known = sum(map(seconds, self.phases)) - guessed
        least, most = self.shape.model.reach if isinstance(self.shape.model, Regression) else (1.0, 1.0)
        return known + least * guessed, known + most * guessed

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
            "journal": kept(self.shape).with_log(),
            "guess": self._guess(),
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

    def _guess(self) -> dict[str, Any] | None:
        """Return what of a regression nobody knows before, as plain values."""
        if not isinstance(model := self.shape.model, Regression):
            return None
        return {
            "gradients": len(model.degrees),
            "of_a_sample": model.sampled,
            "degrees": sum(model.degrees),
            "between": model.reach,
            "shared": model.shared,
            "seconds_on_this_machine": self.between(lambda phase: phase.together(self.rates)),
            "seconds_apart": self.between(lambda phase: phase.apart(self.rates, self.link)),
        }


def cost(shape: Shape, rates: Rates, link: Link | None = None) -> Cost:
    """Return what a training of this shape takes."""
    return Cost(shape, tuple(phases(shape)), rates, link or Link())


def model_of(job: Job, outlook: Outlook, rows: int) -> Regression | Forest:
    """Return the model in numbers: of a regression, with the gradients that fits of so many rows take."""
    if isinstance(job.model, TreeRules):
        rules = job.model
        grown = rules.n_estimators - (rules.first_tree == "guest" and not rules.warm_start)
        share = rules.subsample if rules.top_rate is None else rules.top_rate + (rules.other_rate or 0.0)
        share *= 1 - rules.validation_share
        return Forest(grown, rules.max_depth, share, job.arbiter is None, rules.node_rows == "hidden")
    if isinstance(job.model, GeneralisedRules):
        gradients = replace(outlook, rate=EVEN_RATE).gradients(job.model.tolerance)
        return Regression((1,) * gradients, woe=False, spread=outlook.spread)
    sampled, degrees = _descent(job.model, outlook, rows)
    return Regression(
        degrees,
        job.features.kind == "woe",
        job.disclosure.standard_errors,
        job.features.selection.max_joint_correlation is not None,
        job.arbiter is None,
        _cross_validation(job.model, outlook),
        sampled,
        outlook.spread,
        job.model.max_iter if job.features.selection.drops else 0,
    )


def _descent(rules: LogisticRules, outlook: Outlook, rows: int) -> tuple[int, tuple[int, ...]]:
    """Return how many gradients are of a sample of so many rows, and the degrees of all."""
    if rows < rules.sample_from:
        sampled, degrees = 0, outlook.degrees(rules.tolerance, outlook.gradients(rules.tolerance))
    else:
        first, others = outlook.sampled_degrees(rules.tolerance)
        sampled = min(len(first), sample.most(rules.max_iter))
        degrees = (*first[:sampled], *others)
    degrees = degrees[: rules.max_iter]
    return sampled, (1,) * len(degrees) if rules.sigmoid == "taylor" else degrees


def _cross_validation(rules: LogisticRules, outlook: Outlook) -> CrossValidation | None:
    """Return what model.cv takes: of every fit as many gradients as a fit of its tolerance, less a fifth.

    So much do starts save that neighbours foretell, on default_credit (see `parties.programs.folds`).
    """
    if not (cv := rules.cv):
        return None
    looser = min(LOOSER * rules.tolerance, 0.1)
    gradients = min(max(round(0.8 * outlook.gradients(looser)), 2), rules.max_iter)
    # All but the first fit begin where the hosts' logits are no longer 0.
    first, *others = outlook.degrees(looser, gradients)
    each = (max(first, *others[:1]), *others)
    loss = outlook.degree(heldout.ERROR, heldout.softplus)
    return CrossValidation(cv.folds, each * cv.fits, (loss,) * cv.fits)


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
    split = sides.get(job.guest, {}).get("splits", {}).get("train", {})
    trained = split.get("rows", ids)
    known = {name: columns_of(side["columns"], job) for name, side in sides.items()}
    usual = next(iter(known.values()))
    train = rows or min(trained, *(side["customers"] for side in sides.values()))
    hosts = tuple(known.get(name, usual) for name in job.hosts)
    common = max(train, min(side["customers"] for side in sides.values()))
    guest = known.get(job.guest, usual)
    theirs = sum(columns.count for columns in hosts)
    strength = sides.get(job.guest, {}).get("strength") or USUAL_STRENGTH
    rate = split["events"] / split["rows"] if "events" in split else USUAL_RATE
    outlook = Outlook(guest.count + theirs, theirs, len(hosts), rate, strength, job.features.kind)
    model = model_of(job, outlook, train)
    return Shape(max(ids, common), common, train, guest, hosts, model, job.encryption.bits)
