"""The sections of a job but for its model and columns: each a subject on which the parties agree."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator

from parties.config.schema import Section
from vfl.gates import GATES, GateName


class AlignmentRules(Section):
    """How ids are made comparable before customers are matched."""

    strip: bool = Field(default=True, description="Drop blanks at both ends of an id.")
    case: Literal["keep", "lower", "upper"] = Field(default="keep", description="Letter case of ids.")
    nfkc: bool = Field(
        default=True, description="Unicode-normalise ids (NFKC), so that look-alike forms match."
    )
    blanks: Literal["refuse", "drop"] = Field(
        default="refuse",
        description="What to do with rows that have no id: refuse the table, or drop the rows.",
    )
    duplicates: Literal["refuse", "drop"] = Field(
        default="refuse",
        description="What to do with an id that occurs twice: refuse the table, or keep its first row.",
    )
    min_intersection: int = Field(
        default=100,
        ge=1,
        description="Common customers below which nobody learns who they are, and the run ends.",
    )
    max_ids: int = Field(
        default=1 << 25,
        ge=1,
        le=1 << 25,
        description="Ids in the longest list that a party may bring: each may be a guess at a customer of "
        "another's. Agree on little more than the longest table.",
    )


class ScorecardRules(Section):
    """The scale of the points."""

    base_score: float = Field(default=600.0, description="Points at the base odds.")
    base_odds: float = Field(default=50.0, gt=0, description="Good : bad odds that earn the base score.")
    pdo: float = Field(default=20.0, gt=0, description="Points that double the odds.")
    bands: tuple[float, ...] = Field(
        default=(),
        strict=False,
        max_length=25,
        description="Falling points at which bands of scores begin: [640, 600, 560] makes A from 640, B from "
        "600, C from 560, and D. They stand in scores and, with bad rates, in the report.",
    )

    @property
    def scale(self) -> dict[str, float]:
        """What makes points of logits, without the bands."""
        return {"base_score": self.base_score, "base_odds": self.base_odds, "pdo": self.pdo}

    @field_validator("bands")
    @classmethod
    def _falling(cls, cuts: tuple[float, ...]) -> tuple[float, ...]:
        if any(below >= above for above, below in pairwise(cuts)):
            raise ValueError("must fall: the best band comes first")
        return cuts


class EncryptionRules(Section):
    """The Paillier encryption under which sums travel."""

    bits: int = Field(
        default=2048,
        ge=2048,
        le=8192,
        multiple_of=256,
        description="Key length in bits: 2048, or 3072 for the long run.",
    )
    randomiser_bits: Literal["half", 448, 320] = Field(
        default="half",
        description="Length of encryption exponents. half: half the key, which rests on factoring alone. "
        "448 and 320 are two to three times faster and assume in addition that discrete logarithms "
        "with exponents this short are as hard in the group of N-th powers as with long ones.",
    )
    decryptions: int = Field(
        default=2000,
        ge=1,
        description="Ciphertexts that the arbiter decrypts for one party in one run, at most: a ceiling. "
        "For a regression the parties agree on fewer, those of max_iter gradients of their shape. "
        "Trees need more, by the hosts' bins, which no contract knows: the guest says how many before "
        "anything is encrypted.",
    )


class DisclosureRules(Section):
    """What parties learn on purpose."""

    woe_to_host: bool = Field(
        default=True,
        description="Whether the host learns the weight of evidence, and so the bad rate, of its own bins. "
        "Without it the host's bins enter the model as indicators, one for each but the most frequent.",
    )
    scores: Literal["point", "exact"] = Field(
        default="point",
        description="How exactly the guest learns the host's part of a score. point: rounded to one "
        "scorecard point. exact: in full; of a binned scorecard that identifies the host's whole row.",
    )
    metrics: tuple[Literal["train", "test"], ...] = Field(
        default=("train", "test"),
        strict=False,
        description="Splits on which the joint model is measured: the guest learns the host's part of the "
        "score of each of their rows.",
    )
    gradient_bits: int | None = Field(
        default=None,
        ge=16,
        le=64,
        description="Bits of each number of its gradient that a party of a regression learns in an "
        "iteration: the arbiter drops the others. Empty: all, some 80. 24 keep coefficients within 1e-4.",
    )
    host_columns: Literal["anonymous", "named"] = Field(
        default="anonymous", description="Whether the guest sees the names of the host's columns, or numbers."
    )
    joined_coefficients: bool = Field(
        default=False,
        description="Whether the parties show each other their coefficients for one joint table.",
    )
    standard_errors: bool = Field(
        default=False,
        description="Whether each party learns the covariance of its own coefficients: standard errors and "
        "Wald's p-values. For that it learns sums over training rows of products of two columns of its own, "
        "weighted by the joint PD. For regressions of one host with an arbiter; not with gradient_bits.",
    )
    online: bool = Field(
        default=False,
        description="Whether the guest may score one customer at a time, when it likes. The host "
        "learns which of its customers is scored, and when; the guest, of each id it asks for, whether the "
        "host holds it. For regressions of one host.",
    )
    online_per_day: int = Field(
        default=1000,
        ge=1,
        description="Ids that the guest may ask for online in a day (UTC): each may be a guess at a customer "
        "of the host's.",
    )

    @field_validator("metrics")
    @classmethod
    def _in_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(split for split in ("train", "test") if split in value)


class GateRules(Section):
    """Exceptions to the limits that protect individual rows."""

    allow: tuple[GateName, ...] = Field(
        default=(),
        strict=False,
        description="Limits that this job may breach:\n"
        + "\n".join(f"{name}: {meaning}" for name, meaning in GATES.items()),
    )

    @field_validator("allow")
    @classmethod
    def _in_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(value)))
