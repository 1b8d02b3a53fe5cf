"""A contract in plain words: what whoever signs it agrees to, and what each party will learn."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import Any

from parties.config.generalised import GeneralisedRules
from parties.config.job import Job
from parties.config.models import LogisticRules, TreeRules
from vfl.gates import GATES

WIDTH = 80

AWAY = (
    "it may stay away: a training then begins without it, as the guest says, and the guest learns the other "
    "hosts' parts of scores less mixed"
)

ERRORS = "weighted sums of products of two of its columns, and the covariance of its coefficients"


def in_words(job: Job) -> Iterator[str]:
    """Yield the lines that an operator reads before signing."""
    yield f"job {job.job}, contract {job.contract_hash()}"
    yield from _item("purpose", job.purpose)
    for name, party in job.parties.items():
        yield f"  {party.role}: {name}, certificate {party.certificate or 'not pinned'}"
        if party.optional:
            yield from _wrapped(f"    {AWAY}", "    ")
    if job.model_contract:
        yield f"  scores the model of contract {job.model_contract}, and trains none"
    for title, section in (("model", job.model), ("features", job.features), ("encryption", job.encryption)):
        if not (title == "features" and isinstance(job.model, TreeRules)):  # trees have bins of their own
            yield from _item(title, ", ".join(_keys(section.model_dump(mode="json"))))
    for title, learnt in learning(job).items():
        yield f"{title} will learn"
        for line in learnt:
            yield from _wrapped(f"  - {line}", "    ")
    yield "limits that are lifted" if job.gates.allow else "no limit is lifted"
    for gate in job.gates.allow:
        yield from _wrapped(f"  - {gate}: {GATES[gate]}", "    ")


def learning(job: Job) -> dict[str, list[str]]:
    """Return what each role learns under the contract, a sentence each."""
    learnt = {
        "the guest": list(_guest(job)),
        "a host" if len(job.hosts) > 1 else "the host": list(_host(job)),
    }
    if job.arbiter:
        quota = job.encryption.decryptions
        learnt["the arbiter"] = [
            f"no id, no label and no value: masked sums, {quota} ciphertexts of "
            "each party at most, and how many there are",
        ]
    return learnt


def _guest(job: Job) -> Iterator[str]:
    rules = job.disclosure
    yield f"which of its customers are common to all, if they are {job.alignment.min_intersection} or more"
    named = "under their names" if rules.host_columns == "named" else "by number, without their names"
    if isinstance(job.model, TreeRules):
        yield f"sums over the bins of hosts' columns, {named}: a coarse copy of those that the trees use"
        whose = "the training rows of its node" if job.model.node_rows == "shown" else "all training rows"
        yield f"for each split of a host's column, the side of {whose}"
    else:
        yield _gradient(job)
        if cv := job.cv:
            yield f"the mean log-loss of each of {cv.folds} folds at {len(cv.Cs)} penalties, and of no row"
        if job.features.kind == "woe":
            yield f"sizes and bad rates of bins, and the information value of hosts' columns, {named}"
            if job.features.selection.leaves_out or job.features.selection.drops:
                yield "which of the hosts' columns enter the model"
            if job.features.selection.max_joint_correlation is not None:
                yield "the correlation of each of its columns with each of the hosts', to 1/30"
        yield from _masked_by_the_other(job)
    point = "to one scorecard point"
    if isinstance(job.model, GeneralisedRules):
        size = math.log(2) / job.scorecard.pdo
        point = f"to {size:.2g} of its standard deviation" if job.model.kind == "linear" else f"to {size:.1%}"
    exactly = point if rules.scores == "point" else "exactly: often a host's whole row"
    rows = ", ".join([*(f"{split} rows" for split in rules.metrics), "customers scored later"])
    if isinstance(job.model, TreeRules):
        yield f"the sides of {rows} at hosts' splits, also of those that never come by"
    else:
        yield f"the hosts' part of the score of {rows}, {exactly}"
    if rules.joined_coefficients:
        yield "the hosts' half of the model"
    if rules.standard_errors:
        yield ERRORS
    if rules.online:
        yield (
            f"of {rules.online_per_day} ids a day at most that it asks for online: whether the host holds "
            "it, and its part of the score"
        )


def _host(job: Job) -> Iterator[str]:
    rules = job.disclosure
    yield f"which of its customers are common to all, if they are {job.alignment.min_intersection} or more"
    yield "which of them train and which test"
    if isinstance(job.model, TreeRules):
        yield from _nodes(job.model)
    else:
        yield _gradient(job)
        if isinstance(job.model, GeneralisedRules):
            yield "how large outcomes and their residuals are, to powers of two"
        if job.cv:
            yield "the penalty that the guest chooses"
        if job.features.kind == "woe" and rules.woe_to_host:
            yield "the bad rate of each of its bins"
            if job.features.selection.max_joint_correlation is not None:
                yield "of each column that leaves, that the guest has one like it that tells more"
        yield from _masked_by_the_other(job)
    if rules.joined_coefficients:
        yield "the guest's half of the model"
    if rules.standard_errors:
        yield ERRORS
    if rules.online:
        yield "which of its customers are scored online, and when"


def _masked_by_the_other(job: Job) -> Iterator[str]:
    if not job.arbiter:
        yield (
            f"no residual and no sum of the other's, though it decrypts them, {job.encryption.decryptions} "
            "ciphertexts of sums at most: they are masked"
        )


def _gradient(job: Job) -> str:
    bits = job.disclosure.gradient_bits
    exactly = "in full" if bits is None else f"{bits} bits of each of its numbers"
    rules, first = job.regression, ""
    if isinstance(rules, LogisticRules) and not rules.cv:
        first = f"; of {rules.sample_from:,} training rows or more the first ones over a tenth of them"
    return f"its own gradient, {job.gradients} times at most, {exactly}{first}"


def _nodes(model: TreeRules) -> Iterator[str]:
    yield "which of its columns split trees, and where"
    if model.node_rows == "shown":
        yield (
            "which rows share a node, whoever's columns divide them: in tests that ranked rows by label with "
            "an AUC of .71 where a host's own columns gave .50 (model.node_rows: hidden tells none of it)"
        )


def _keys(section: dict[str, Any]) -> Iterator[str]:
    """Yield the keys of a section with their values; of a section inside it those that say something."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from (f"{key}.{inner} {_shown(said)}" for inner, said in value.items() if said is not None)
        else:
            yield f"{key} {_shown(value)}"


def _item(title: str, text: str) -> Iterator[str]:
    yield from _wrapped(f"  {title}: {text}", "    ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
