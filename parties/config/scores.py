"""The section of a guest's file on what its scores say besides PD and points."""

from __future__ import annotations

from pydantic import Field

from parties.config.job import Job
from parties.config.schema import Section
from parties.config.yaml import Document


class ScoreRules(Section):
    """What the guest's scores say of each customer besides PD and points."""

    reasons: int = Field(
        default=0,
        ge=0,
        le=20,
        description="Reasons at most why a customer scores below the average training customer: reason_1, "
        "reason_2 name the columns that lose most points, lost_1, lost_2 say how many. The partners' columns "
        "count as one. For logistic regressions alone.",
    )


def check_scores(rules: ScoreRules, guest: bool, job: Job, document: Document) -> None:
    """Refuse reasons of who scores nobody, and of a model that has none."""
    if not rules.reasons:
        return
    if not guest:
        raise document.error(("scores", "reasons"), "only the guest learns scores", "remove the section")
    if job.model.kind != "logistic":
        have = "trees have" if job.model.kind == "trees" else f"kind {job.model.kind} has"
        what = f"{have} no points by column, and so no reasons"
        raise document.error(("scores", "reasons"), what, "remove the key, or fit a logistic regression")
