"""What a party would tell under a job: the messages of its training, by what they reveal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType

import psi.ecdh
import psi.several
import vfl.arbitration
import vfl.features.correlation
import vfl.features.kept
import vfl.features.names
import vfl.features.selected
import vfl.features.split
import vfl.features.woe
import vfl.linear.allowance
import vfl.linear.coefficients
import vfl.linear.generalised
import vfl.linear.heldout
import vfl.linear.inference
import vfl.linear.logistic
import vfl.linear.residuals
import vfl.linear.scoring
import vfl.linear.signs
import vfl.linear.units
import vfl.trees.boosting
import vfl.trees.hidden
import vfl.trees.scoring
import vfl.trees.shown
from parties.config.job import Job
from vfl.wire.message import Message, formula, reveals

_ARROW = re.compile(r"^\s*(\w+) -> (\w+(?:, \w+)*): (\w+)$", re.MULTILINE)


def sent_by(job: Job, role: str) -> list[dict[str, str]]:
    """Return the messages of a role in a training that reveal something: to whom, and what."""
    left_out, protocols = set(_left_out(job)), tuple(_protocols(job))
    kinds: dict[str, type[Message]] = {
        name: kind
        for protocol in (*protocols, vfl.arbitration, vfl.linear.residuals, vfl.linear.logistic)
        for name, kind in vars(protocol).items()
        if isinstance(kind, type) and issubclass(kind, Message)
    }
    arrows = [arrow for protocol in protocols for arrow in _ARROW.findall(protocol.__doc__ or "")]
    return [
        {"message": name, "to": to, "formula": formula(kinds[name]), "reveals": reveals(kinds[name])}
        for sender, to, name in dict.fromkeys(arrows)
        if sender == role and name not in left_out and not reveals(kinds[name]).startswith("nothing")
    ]


def _protocols(job: Job) -> Iterator[ModuleType]:
    rules = job.disclosure
    yield psi.several if len(job.hosts) > 1 else psi.ecdh
    yield vfl.features.split
    if rules.host_columns == "named":
        yield vfl.features.names
    if job.model.kind == "trees":
        yield vfl.trees.boosting
        yield vfl.trees.hidden if job.trees.node_rows == "hidden" else vfl.trees.shown
        yield vfl.trees.scoring
        return
    if job.features.kind == "woe":
        yield vfl.features.woe
    if job.features.host_selects:
        yield vfl.features.selected
    if job.features.selection.max_joint_correlation is not None:
        yield from (vfl.features.correlation, vfl.features.kept)
    yield vfl.linear.allowance
    if job.model.kind == "logistic":
        yield from (vfl.linear.residuals, vfl.linear.logistic)
    else:
        yield from (vfl.linear.units, vfl.linear.generalised)
    if job.cv:
        yield vfl.linear.heldout
    if job.features.selection.drops:
        yield vfl.linear.signs
    if rules.standard_errors:
        yield vfl.linear.inference
    if rules.joined_coefficients:
        yield vfl.linear.coefficients
    if rules.metrics:
        yield vfl.linear.scoring


def _left_out(job: Job) -> Iterator[str]:
    """Yield the messages of these protocols that this job does without."""
    if len(job.hosts) > 1:
        yield from ("LogitPoints", "ExactLogits")
    else:
        yield from ("MaskedLogits", "LogitPoints" if job.disclosure.scores == "exact" else "ExactLogits")
    if not job.disclosure.woe_to_host:
        yield "BinEvents"
    if job.model.kind == "trees" and job.trees.subsample == 1 and job.trees.top_rate is None:
        yield "Sampled"
