"""A party's own limits, in its own file: a job that goes beyond one is refused, whatever was signed."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from parties.config.schema import Section
from vfl.gates import GateName

ModelKind = Literal["logistic", "trees", "linear", "poisson", "gamma"]


class DisclosurePolicy(Section):
    """The most that a job's `disclosure` may say."""

    woe_to_host: bool = Field(
        default=True, description="Whether a job may let the host learn the bad rate of its bins."
    )
    scores: Literal["point", "exact"] = Field(
        default="exact", description="How exactly a job may let the guest learn the host's part of a score."
    )
    host_columns: Literal["anonymous", "named"] = Field(
        default="named", description="Whether a job may show the guest the names of the host's columns."
    )
    gradient_bits: int | None = Field(
        default=None,
        ge=16,
        description="The most that a regression's disclosure.gradient_bits may be; empty allows any.",
    )
    joined_coefficients: bool = Field(
        default=True, description="Whether a job may show the parties each other's coefficients."
    )
    standard_errors: bool = Field(
        default=True, description="Whether a job may let parties learn standard errors of their coefficients."
    )
    online: bool = Field(
        default=True, description="Whether a job may let the guest score customers one at a time."
    )


class GatePolicy(Section):
    """Limits that no job may lift."""

    refuse: tuple[GateName, ...] = Field(
        default=(), strict=False, description="Gates that a job's `gates.allow` may not name."
    )


class PolicyRules(Section):
    """What this party takes part in at all."""

    purposes: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        description="Purposes that a job may state, word for word; empty allows any.",
    )
    models: tuple[ModelKind, ...] = Field(
        default=get_args(ModelKind), strict=False, description="Kinds of models that a job may fit."
    )
    min_intersection: int = Field(
        default=1, ge=1, description="The least that a job's alignment.min_intersection may be."
    )
    min_key_bits: int = Field(default=2048, ge=2048, description="The least that encryption.bits may be.")
    max_iter: int = Field(
        default=1000, ge=1, description="The most that a regression's model.max_iter may be."
    )
    max_disclosure: DisclosurePolicy = Field(
        default=DisclosurePolicy(), description="The most that a job's disclosure may say."
    )
    gates: GatePolicy = Field(default=GatePolicy(), description="Limits that no job may lift.")
