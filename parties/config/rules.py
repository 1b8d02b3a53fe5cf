"""The sections of a job: each a subject on which the parties agree, with its defaults."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from parties.config.generalised import GeneralisedRules
from parties.config.schema import Section
from vfl.gates import GATES, MANY_ITERATIONS, GateName
from vfl.linear.family import Name
from vfl.stats.folds import Rule
from vfl.trees.tree import MAX_DEPTH


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


class FoldRules(Section):
    """The penalty by cross-validation, in the words of scikit-learn."""

    folds: int = Field(
        default=5,
        ge=2,
        le=20,
        description="Parts of the training rows, by a hash of the id: each is held out of fits on the rest.",
    )
    Cs: tuple[float, ...] = Field(
        default=(0.01, 0.1, 1.0, 10.0),
        strict=False,
        min_length=2,
        max_length=20,
        description="Values of C that are tried, from the strongest penalty on: they rise.",
    )
    rule: Rule = Field(
        default="best",
        description="Which of them is taken. best: the one of the least mean log-loss of held-out rows. "
        "one_standard_error: the strongest penalty whose mean is within a standard error of the best one's.",
    )

    @property
    def fits(self) -> int:
        """The fits that it takes."""
        return self.folds * len(self.Cs)

    @field_validator("Cs")
    @classmethod
    def _rising(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not values[0] > 0 or any(b <= a for a, b in pairwise(values)):
            raise ValueError("must be above 0 and rise")
        return values


class LogisticRules(Section):
    """A joint logistic regression and how exactly it is fitted."""

    kind: Literal["logistic"] = Field(default="logistic", description="Logistic regression.")
    C: float = Field(
        default=1.0, gt=0, description="Inverse strength of the ridge penalty, as in scikit-learn."
    )
    sigmoid: Literal["separable", "taylor"] = Field(
        default="separable",
        description="separable: the exact sigmoid, to the tolerance. "
        "taylor: the classic straight line, for comparison; it keeps the ranking and biases the PD.",
    )
    tolerance: float = Field(
        default=3.0e-5,
        gt=0,
        le=0.1,
        description="Largest change of a coefficient in a step at which a party is content; "
        "the fit ends when all are.",
    )
    max_iter: int = Field(
        default=40,
        ge=1,
        le=1000,
        description=f"Iterations at most. More than {MANY_ITERATIONS} need the gate many_iterations.",
    )
    cv: FoldRules | None = Field(
        default=None,
        description="Cross-validation that chooses C: a joint fit for each fold and each of Cs, of max_iter "
        "iterations at most, all of which count for the gate many_iterations. The guest learns the mean "
        "log-loss of the rows held out of each. It needs an arbiter. Leave it out to fit at C.",
    )

    @field_validator("cv")
    @classmethod
    def _has_likelihood(cls, cv: FoldRules | None, info: ValidationInfo) -> FoldRules | None:
        if cv and info.data.get("sigmoid") == "taylor":
            raise ValueError("a fit by sigmoid taylor has no likelihood to compare")
        if cv and info.data.get("C") != cls.model_fields["C"].default:
            raise ValueError("C is what it chooses: leave model.C out")
        return cv

    def check_parties(self, hosts: tuple[str, ...], arbiters: tuple[str, ...]) -> None:
        """Raise ValueError unless these hosts and arbiters can fit the model."""
        if self.cv and not arbiters:
            raise ValueError("cv needs an arbiter, and the job has none")
        if not arbiters and len(hosts) > 1:
            raise ValueError(f"kind {self.kind} of {len(hosts)} hosts needs an arbiter, and the job has none")


class TreeRules(Section):
    """Boosted trees, in the words of xgboost and scikit-learn."""

    kind: Literal["trees"] = Field(
        default="trees",
        description="Boosted trees. They give the guest a coarse copy of the hosts' used columns, "
        "as the report says in numbers.",
    )
    n_estimators: int = Field(default=50, ge=1, le=1000, description="Trees at most.")
    max_depth: int = Field(default=4, ge=1, le=MAX_DEPTH, description="Levels of splits at most.")
    learning_rate: float = Field(
        default=0.3, gt=0, le=1, description="What each tree's logits are scaled by."
    )
    reg_lambda: float = Field(default=1.0, ge=0, description="Ridge penalty on the logits of leaves.")
    gamma: float = Field(default=0.0, ge=0, description="Least gain of a split.")
    min_child_weight: float = Field(default=1.0, ge=0, description="Least sum of hessians of a child.")
    max_bin: int = Field(
        default=32,
        ge=2,
        le=256,
        description="Quantile bins per numeric column, on every party alike; `features` is for regressions.",
    )
    subsample: float = Field(
        default=1.0, gt=0, le=1, description="Share of the training rows from which a tree is grown."
    )
    top_rate: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="GOSS instead of subsample: share of the training rows with the largest gradients, all "
        "of which a tree is grown from. Tells hosts which rows the model gets most wrong.",
    )
    other_rate: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        validate_default=True,
        description="GOSS: share of the training rows that is drawn from the rest.",
    )
    validation_share: float = Field(
        default=0.0, ge=0, le=0.5, description="Share of the training rows held back to stop early."
    )
    early_stopping_rounds: int = Field(
        default=0,
        ge=0,
        description="Trees in a row that do not lower the loss of the held-back rows, after which growing "
        "stops; 0 grows all.",
    )
    first_tree: Literal["guest", "all"] = Field(
        default="guest",
        description="Whose columns the first tree splits. Its gradients are the labels themselves: "
        "all lets hosts sum them.",
    )
    node_rows: Literal["shown", "hidden"] = Field(
        default="shown",
        description="Whether hosts see which training rows share a node, also where others' columns divide "
        "them. shown: they do, and can rank rows by label with it: an AUC of .71 where their own columns "
        "gave .50. hidden: they see no rows; every level of a tree encrypts all rows anew, and the guest "
        "learns the sides of rows that never come by: in tests 86 % of a host's cells for 66 %.",
    )
    scale_pos_weight: float = Field(
        default=1.0, gt=0, le=1000, description="What a bad counts, a good being 1."
    )
    warm_start: bool = Field(
        default=False,
        description="Whether the parties go on from the model.json of their earlier training of trees: "
        "n_estimators more grow on top, on the same columns and bins. Hosts answer with the leaf masks "
        "of the old trees for the training rows.",
    )

    def check_parties(self, hosts: tuple[str, ...], arbiters: tuple[str, ...]) -> None:
        """Accept any hosts, and no arbiter: the guest may decrypt sums with a key of its own."""

    @field_validator("other_rate")
    @classmethod
    def _goss(cls, other: float | None, info: ValidationInfo) -> float | None:
        top, subsample = info.data.get("top_rate"), info.data.get("subsample", 1.0)
        if (top is None) != (other is None):
            raise ValueError("GOSS needs both top_rate and other_rate")
        if top is not None and other is not None:
            if top + other > 1:
                raise ValueError("top_rate and other_rate are together more than 1")
            if subsample < 1:
                raise ValueError("a tree is grown from a subsample or by GOSS, not both")
        return other

    @field_validator("early_stopping_rounds")
    @classmethod
    def _held_back(cls, rounds: int, info: ValidationInfo) -> int:
        if rounds and not info.data.get("validation_share"):
            raise ValueError("stopping early needs held-back rows: validation_share")
        return rounds


def _kind(model: Any) -> str:
    kind = model.get("kind") if isinstance(model, dict) else getattr(model, "kind", None)
    return "[trees]" if kind == "trees" else "[generalised]" if kind in get_args(Name) else "[logistic]"


ModelRules = Annotated[
    Annotated[LogisticRules, Tag("[logistic]")]
    | Annotated[TreeRules, Tag("[trees]")]
    | Annotated[GeneralisedRules, Tag("[generalised]")],
    Discriminator(_kind),
]
"""The joint model; without a kind a regression."""


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
