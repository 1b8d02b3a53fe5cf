"""How every party's columns become inputs of a regression: the job's `features`, a party's `data.bins`."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from parties.config.schema import Section
from vfl.stats.merging import Trend
from vfl.stats.standard import Imputation, Preparation

OPTIMAL = ("trend", "max_bins", "min_share")
"""Keys that say how bins are merged."""

STANDARD = ("impute", "impute_value", "blank_columns", "clip", "clip_share")
"""Keys that say what becomes of standardised columns."""


class SelectionRules(Section):
    """Which columns enter the model: each party leaves out its own, by its own training rows."""

    min_iv: float | None = Field(default=None, ge=0, description="Least information value of a column.")
    max_iv: float | None = Field(
        default=None, gt=0, description="Largest information value of a column: beyond 0.5 look for a leak."
    )
    max_correlation: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Largest correlation of two WOE columns of one party: of two beyond, the one with the "
        "lower information value is left out. For two parties' see max_joint_correlation.",
    )
    max_vif: float | None = Field(
        default=None,
        gt=1,
        description="Largest variance inflation of a WOE column by the party's others: the largest is left "
        "out until none is beyond.",
    )
    max_joint_correlation: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Largest correlation of a WOE column of the guest and one of a host: of two beyond, the "
        "one with the lower information value is left out. The guest learns all such correlations to 1/30. "
        "Columns of two hosts are not compared. It needs an arbiter, which rounds them.",
    )
    sign: Literal["any", "positive", "drop"] = Field(
        default="any",
        description="What becomes of a WOE column whose coefficient is below 0, as if more risk in it were "
        "less in the score. positive: the training is refused. drop: such columns leave the model one at a "
        "time, of all parties' the least telling first, and the fit goes on without until none is left; all "
        "fits share max_iter.",
    )

    @property
    def leaves_out(self) -> bool:
        """Whether columns may be left out before the fit."""
        limits = (self.min_iv, self.max_iv, self.max_correlation, self.max_vif, self.max_joint_correlation)
        return any(limits)

    @property
    def drops(self) -> bool:
        """Whether columns leave the model by their sign."""
        return self.sign == "drop"


class FeatureRules(Section):
    """How columns become model inputs, on every party alike."""

    kind: Literal["woe", "standard"] = Field(
        default="woe",
        description="woe: bins with their weight of evidence, as in a scorecard. "
        "standard: z-scores, with blanks imputed and categories one-hot.",
    )
    binning: Literal["quantile", "width", "optimal"] = Field(
        default="quantile",
        description="How numeric columns are cut. quantile: as many rows in each bin. width: bins of one "
        "width, small ones joined to a neighbour. optimal: quantiles that each party merges to the highest "
        "information value within trend, max_bins and min_share, from the events by bin that it knows; "
        "levels merge as well. It needs disclosure.woe_to_host. A party's data.bins can say otherwise of a "
        "column.",
    )
    bins: int = Field(
        default=10,
        ge=2,
        le=64,
        description="Bins per numeric column. With optimal, the fine ones that are merged: the host learns "
        "the bad rate of each.",
    )
    trend: Trend = Field(
        default="auto",
        description="optimal: how bad rates run over a numeric column's bins, blanks and special codes "
        "apart. auto: up or down, whichever tells more.",
    )
    max_bins: int = Field(
        default=6,
        ge=1,
        le=64,
        description="optimal: merged bins per column at most, blanks and special codes apart.",
    )
    min_share: float = Field(
        default=0.05,
        ge=0,
        le=0.5,
        description="optimal: share of the training rows that a merged bin holds at least.",
    )

    impute: Imputation = Field(
        default="median",
        description="standard: what stands for a blank among numbers: the training rows' median or mean, or "
        "constant: impute_value.",
    )
    impute_value: float = Field(
        default=0.0, description="impute: constant: the number that stands for a blank."
    )
    blank_columns: bool = Field(
        default=True,
        description="standard: whether a column with blanks in the training rows has a second one beside "
        "it, COLUMN__na, which is 1 where it is blank.",
    )
    clip: float | None = Field(
        default=None,
        gt=0,
        le=8,
        description="standard: standard deviations from the training rows' mean beyond which a number "
        "counts as one that is just so far. From 8 on gates.large_values refuses.",
    )
    clip_share: float | None = Field(
        default=None,
        gt=0,
        lt=0.5,
        description="standard: share of the training rows at either end whose numbers count as those where "
        "that share begins, before means and deviations are taken; in place of clip.",
    )

    selection: SelectionRules = Field(
        default=SelectionRules(),
        description="Which columns enter the model; needs disclosure.woe_to_host. The guest learns which of "
        "the hosts' do.",
    )

    @field_validator("selection")
    @classmethod
    def _has_values(cls, selection: SelectionRules, info: ValidationInfo) -> SelectionRules:
        if selection != SelectionRules() and info.data.get("kind") == "standard":
            raise ValueError("kind: standard has no information values and no weights of evidence")
        return selection

    @field_validator("binning")
    @classmethod
    def _has_bins(cls, binning: str, info: ValidationInfo) -> str:
        if binning != "quantile" and info.data.get("kind") == "standard":
            raise ValueError("kind: standard has no bins")
        return binning

    @field_validator(*OPTIMAL)
    @classmethod
    def _is_of_use(cls, value: Any, info: ValidationInfo) -> Any:
        default = cls.model_fields[str(info.field_name)].default
        if value != default and info.data.get("binning") != "optimal":
            raise ValueError("only binning: optimal merges bins")
        return value

    @field_validator(*STANDARD)
    @classmethod
    def _is_for_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if value == cls.model_fields[name].default:
            return value
        if info.data.get("kind") == "woe":
            raise ValueError("is for kind: standard; bins have a place for blanks and for large values")
        if name == "impute_value" and info.data.get("impute") != "constant":
            raise ValueError("is for impute: constant")
        if name == "clip_share" and info.data.get("clip") is not None:
            raise ValueError("numbers are clipped either at clip deviations or at clip_share of the rows")
        return value

    @property
    def preparation(self) -> Preparation:
        """What becomes of numbers before they are z-scores."""
        return Preparation(self.impute, self.impute_value, self.blank_columns, self.clip, self.clip_share)

    @property
    def need_events(self) -> str:
        """The first thing asked for that a host cannot do without the events in its bins, or nothing."""
        if self.binning == "optimal":
            return "binning: optimal"
        return "selection" if self.selection != SelectionRules() else ""

    @property
    def host_selects(self) -> bool:
        """Whether hosts merge bins or leave columns out, and tell the guest what came of it."""
        return self.binning == "optimal" or self.selection.leaves_out


class ColumnBins(Section):
    """What the party says of one column's bins: no other party sees it."""

    cuts: tuple[float, ...] | None = Field(
        default=None,
        strict=False,
        description="The column's cuts, in place of fitted ones; bins reach up to each cut and include it, "
        "and are never merged.",
    )
    special: tuple[int | float | str, ...] = Field(
        default=(),
        strict=False,
        description="Codes that mean something else than their value, such as -1 or 999: each is a bin of "
        "its own, outside of any trend. With features.kind standard they count as blanks.",
    )
    trend: Trend | None = Field(
        default=None,
        description="How bad rates run over the column's bins, in place of the job's features.trend.",
    )

    @field_validator("cuts")
    @classmethod
    def _increasing(cls, cuts: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if cuts is not None and not all(a < b for a, b in pairwise(cuts)):
            raise ValueError("cuts must increase")
        return cuts

    @field_validator("special")
    @classmethod
    def _distinct(cls, special: tuple[int | float | str, ...]) -> tuple[int | float | str, ...]:
        if len(set(map(str, special))) < len(special):
            raise ValueError("a special code is named twice")
        return special
