"""The section of a job on its model: a logistic regression, boosted trees, or a regression of amounts."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from parties.config.generalised import GeneralisedRules, Iterations
from parties.config.schema import Section
from vfl.linear.family import Name
from vfl.linear.sample import SHARE
from vfl.stats.folds import Rule
from vfl.trees.tree import MAX_DEPTH


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
        default=1.0,
        gt=0,
        description="Inverse strength of the ridge penalty, as in scikit-learn; data.weight is divided by "
        "its mean over the training rows.",
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
    max_iter: Iterations = 40
    sample_from: int = Field(
        default=200_000,
        ge=1000,
        description=f"Training rows from which the first gradients of a fit are of a sample: 1 in {SHARE}, "
        "drawn at random. They count as iterations, and coefficients are the same to the tolerance. "
        "A party whose gates the sample, or the rows outside of it, would close has it left out.",
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
