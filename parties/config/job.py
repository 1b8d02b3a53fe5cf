"""The job: what all parties agree on before anything runs.

Every party holds the same file.  Its `contract_hash` is the SHA-256 of canonical JSON: all values
with the defaults filled in, keys sorted, no spaces, everything beyond ASCII escaped, floats by
their shortest repr.  Layout and comments therefore do not count, and every meaning does.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from parties.config.features import FeatureRules
from parties.config.generalised import GeneralisedRules
from parties.config.models import FoldRules, LogisticRules, ModelRules, TreeRules
from parties.config.rules import (
    AlignmentRules,
    DisclosureRules,
    EncryptionRules,
    GateRules,
    ScorecardRules,
)
from parties.config.schema import Section, validated
from parties.config.yaml import dump, load
from vfl.errors import ContractError
from vfl.gates import MANY_ITERATIONS, Gates

Role = Literal["guest", "host", "arbiter"]

MAX_HOSTS = 8
"""Hosts of the largest job; how many a model takes its rules say."""


def _job_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise ValueError(f'"{name[:70]}" is no job name: a-z, 0-9 and -, up to 64 of them')
    return name


def _party_name(name: str) -> str:
    if not re.fullmatch(r"[a-z]([a-z0-9_]{0,30}[a-z0-9])?", name):
        raise ValueError(f'"{name[:40]}" is no party name: a-z, 0-9 and _, a letter first, up to 32 of them')
    return name


def named_like(name: str, role: str) -> str:
    """Return a name that a party of this role may bear, else raise ValueError."""
    if name in ("guest", "host", "arbiter") and name != role:
        raise ValueError(f"a party named {name} that is the {role} would be mistaken for another")
    return _party_name(name)


def _fingerprint(text: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        raise ValueError("must be sha256: and 64 digits of 0-9a-f, as `vfl init` prints it")
    return text


def _contract(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("must be 64 digits of 0-9a-f, as `vfl job show` prints a contract")
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


PartyName = Annotated[str, AfterValidator(_party_name)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]


class JobParty(Section):
    """One party of the job."""

    role: Role = Field(
        description="What the party does. guest: knows what is predicted, and holds columns. host: holds "
        "columns. arbiter: holds the decryption key and no data."
    )
    certificate: Fingerprint | None = Field(
        default=None,
        description="Fingerprint that pins the party's certificate, as `vfl init` prints it. "
        "`vfl local` makes certificates where none is pinned; everything else refuses to run.",
    )

    optional: bool = Field(
        default=False,
        description="Whether a training may begin without this host, if it does not answer the guest for "
        "timeouts.optional seconds: all are told, and the model is that of those present. At least one host "
        "must be there. With fewer hosts the guest learns the scores' parts of the others less mixed, and no "
        "party can check its word that one was away.",
    )


def _named(parties: dict[str, JobParty], role: Role) -> tuple[str, ...]:
    return tuple(sorted(name for name, party in parties.items() if party.role == role))


def _check_bits(model: ModelRules | None, arbiters: int) -> None:
    """Raise ValueError unless gradients can be told to so many bits."""
    if not arbiters:
        raise ValueError("gradient_bits needs an arbiter: it drops the other bits")
    if isinstance(model, GeneralisedRules):
        raise ValueError(f"gradient_bits: kind {model.kind} learns its gradients in full")
    if isinstance(model, LogisticRules) and model.cv:
        raise ValueError("gradient_bits: with model.cv sums differ in length from fit to fit")


def _check_trees(disclosure: DisclosureRules) -> None:
    """Raise ValueError where trees could not heed what is said."""
    if disclosure.joined_coefficients:
        raise ValueError("joined_coefficients: trees have none")
    if disclosure.scores != "point":
        raise ValueError("scores: trees round none: hosts tell sides of splits, and leaves are the guest's")
    if not disclosure.woe_to_host:
        raise ValueError("woe_to_host: trees have no weight of evidence that it could keep from hosts")


def _check_errors(disclosure: DisclosureRules, model: ModelRules, hosts: int, arbiters: int) -> None:
    """Raise ValueError unless there can be standard errors."""
    if isinstance(model, TreeRules):
        raise ValueError("standard_errors: trees have no coefficients")
    if isinstance(model, GeneralisedRules):
        raise ValueError(f"standard_errors: of regressions only kind logistic has them, not {model.kind}")
    if model.sigmoid == "taylor":
        raise ValueError("standard_errors: a fit by model.sigmoid taylor is not of maximum likelihood")
    if not arbiters:
        raise ValueError("standard_errors: only an arbiter can decrypt what they take")
    if hosts > 1:
        raise ValueError("standard_errors: only a regression of one host has them")
    if disclosure.gradient_bits is not None:
        raise ValueError("standard_errors: sums of products are learnt in full: leave gradient_bits out")


class Job(Section):
    """The contract file."""

    vfl: Literal[1] = Field(description="Version of this file's format.", examples=[1])
    job: Annotated[str, AfterValidator(_job_name)] = Field(
        description="Name of the job: a-z, 0-9 and -.", examples=["give-credit-scorecard"]
    )
    purpose: Annotated[str, AfterValidator(_said)] = Field(
        description="What the model is for, in words that all parties sign.",
        examples=["Probability of default of common customers, for credit decisions."],
    )
    parties: dict[PartyName, JobParty] = Field(
        description="The parties by name (a-z, 0-9 and _): one guest, one arbiter, and one to eight hosts. "
        "Without an arbiter: of trees the guest then has the key; a regression then takes one host, and "
        "guest and host decrypt for each other what is masked.",
        examples=[{"bank": {"role": "guest"}, "insurer": {"role": "host"}, "trustee": {"role": "arbiter"}}],
    )
    alignment: AlignmentRules = Field(default=AlignmentRules(), description="How customers are matched.")
    features: FeatureRules = Field(default=FeatureRules(), description="How columns become model inputs.")
    model: ModelRules = Field(default=LogisticRules(), validate_default=True, description="The joint model.")
    model_contract: Annotated[str | None, AfterValidator(_contract)] = Field(
        default=None,
        description="Contract under which the model was trained, as `vfl job show` prints it: this job then "
        "scores that model, and trains none. Empty scores what this job trains.",
    )
    scorecard: ScorecardRules = Field(default=ScorecardRules(), description="The scale of the points.")
    encryption: EncryptionRules = Field(default=EncryptionRules(), description="The encryption of sums.")
    disclosure: DisclosureRules = Field(
        default=DisclosureRules(), description="What parties learn on purpose."
    )
    gates: GateRules = Field(default=GateRules(), description="Exceptions to the limits that protect rows.")

    @field_validator("parties")
    @classmethod
    def _cast(cls, parties: dict[str, JobParty]) -> dict[str, JobParty]:
        limits: dict[Role, tuple[int, int, str]] = {
            "guest": (1, 1, "exactly one guest"),
            "host": (1, MAX_HOSTS, f"1 to {MAX_HOSTS} hosts"),
            "arbiter": (0, 1, "one arbiter at most"),
        }
        for role, (least, most, limit) in limits.items():
            named = _named(parties, role)
            if not least <= len(named) <= most:
                raise ValueError(f"needs {limit}, not {len(named)}{': ' if named else ''}{', '.join(named)}")
        for name, party in parties.items():
            named_like(name, party.role)
            if party.optional and party.role != "host":
                raise ValueError(f"{name} is the {party.role}: only a host may be optional")
        if any(party.optional for party in parties.values()) and len(_named(parties, "host")) == 1:
            raise ValueError("the only host cannot be optional: there is no joint model without one")
        return parties

    @field_validator("features")
    @classmethod
    def _rounded(cls, features: FeatureRules, info: ValidationInfo) -> FeatureRules:
        parties = info.data.get("parties")
        if (
            features.selection.max_joint_correlation is not None
            and parties
            and not _named(parties, "arbiter")
        ):
            raise ValueError(
                "selection.max_joint_correlation needs an arbiter: it rounds what the guest learns"
            )
        return features

    @field_validator("model")
    @classmethod
    def _fittable(cls, model: ModelRules, info: ValidationInfo) -> ModelRules:
        if parties := info.data.get("parties"):
            model.check_parties(_named(parties, "host"), _named(parties, "arbiter"))
        if isinstance(model, TreeRules) and info.data.get("features", FeatureRules()) != FeatureRules():
            raise ValueError("trees are binned by model.max_bin: remove the section `features`")
        features = info.data.get("features")
        if isinstance(model, GeneralisedRules) and features and features.kind != "standard":
            raise ValueError(
                f"kind {model.kind} has no labels to weigh bins by: set features.kind to standard"
            )
        return model

    @field_validator("scorecard")
    @classmethod
    def _has_scores(cls, scorecard: ScorecardRules, info: ValidationInfo) -> ScorecardRules:
        model = info.data.get("model")
        if isinstance(model, GeneralisedRules) and scorecard.bands:
            raise ValueError(f"bands: kind {model.kind} predicts amounts, and has no points")
        return scorecard

    @field_validator("disclosure")
    @classmethod
    def _tellable(cls, disclosure: DisclosureRules, info: ValidationInfo) -> DisclosureRules:
        model, features, parties = (info.data.get(key) for key in ("model", "features", "parties"))
        hosts, arbiters = _named(parties or {}, "host"), _named(parties or {}, "arbiter")
        taylor = isinstance(model, LogisticRules) and model.sigmoid == "taylor"
        if taylor and "train" not in disclosure.metrics:
            raise ValueError("metrics must hold train: model.sigmoid taylor is calibrated on those rows")
        if disclosure.gradient_bits is not None:
            _check_bits(model, len(arbiters))
        if isinstance(model, TreeRules):
            _check_trees(disclosure)
        if features and features.need_events and not disclosure.woe_to_host:
            raise ValueError(f"woe_to_host must be true: a host does features.{features.need_events} itself")
        if disclosure.standard_errors and features and features.selection.drops:
            raise ValueError(
                "standard_errors: they say too little where features.selection.sign drops columns"
            )
        if disclosure.online and (not isinstance(model, LogisticRules) or len(hosts) > 1):
            raise ValueError("online: only a logistic regression of one host is scored online")
        if disclosure.standard_errors and model:
            _check_errors(disclosure, model, len(hosts), len(arbiters))
        return disclosure

    @classmethod
    def load(cls, path: Path) -> Job:
        """Return the job in a file."""
        return validated(cls, load(path))

    def dump(self, path: Path) -> None:
        """Write the job with every default filled in; it loads to an equal job of the same hash."""
        dump(self.model_dump(mode="json"), path)

    def contract_hash(self) -> str:
        """Return the SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(self.canonical).hexdigest()

    @property
    def logistic(self) -> LogisticRules:
        """The model's rules, of a logistic regression."""
        assert isinstance(self.model, LogisticRules)
        return self.model

    @property
    def regression(self) -> LogisticRules | GeneralisedRules:
        """The model's rules, of any regression."""
        assert not isinstance(self.model, TreeRules)
        return self.model

    @property
    def cv(self) -> FoldRules | None:
        """How the penalty is chosen by cross-validation, if it is."""
        return self.model.cv if isinstance(self.model, LogisticRules) else None

    @property
    def gradients(self) -> int:
        """The most gradients of a training of a regression."""
        return self.regression.max_iter * (1 + self.cv.fits if self.cv else 1)

    @property
    def trees(self) -> TreeRules:
        """The model's rules, of trees."""
        assert isinstance(self.model, TreeRules)
        return self.model

    @property
    def guest(self) -> str:
        """The guest's name."""
        return _named(self.parties, "guest")[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts' names, sorted: their order in the file is layout, and counts for nothing."""
        return _named(self.parties, "host")

    @property
    def optional(self) -> tuple[str, ...]:
        """The hosts without which a training may begin."""
        return tuple(name for name in self.hosts if self.parties[name].optional)

    def check_absent(self, absent: tuple[str, ...], teller: str) -> None:
        """Raise ContractError unless a run may be without these hosts, as a party says that it is."""
        for name in absent:
            if name not in self.optional:
                raise ContractError(
                    teller, f"begins without {name[:32]}, which this contract does not let it"
                )
        if len(set(absent)) == len(self.hosts):
            raise ContractError(teller, "begins without any host")

    @property
    def arbiter(self) -> str | None:
        """The arbiter's name, None for a job without one."""
        return next(iter(_named(self.parties, "arbiter")), None)

    def peers_of(self, name: str) -> tuple[str, ...]:
        """Return whom a party meets, the arbiter before any host: all others, but no host another host."""
        alike = ("host",) if self.parties[name].role == "host" else ()
        roles: tuple[Role, ...] = ("guest", "arbiter", "host")
        return tuple(
            other
            for role in roles
            if role not in alike
            for other in _named(self.parties, role)
            if other != name
        )

    @property
    def pins(self) -> dict[str, str]:
        """Every party's certificate fingerprint; a ContractError if one is missing."""
        missing = sorted(name for name, party in self.parties.items() if party.certificate is None)
        if missing:
            raise ContractError(
                self.job,
                f"no certificate is pinned for {', '.join(missing)}",
                "`vfl init` prints a party's fingerprint: parties.NAME.certificate; "
                "`vfl local` runs without pins",
            )
        return {name: str(party.certificate) for name, party in self.parties.items()}

    def open_gates(self) -> Gates:
        """Return the run's gates, after asking those that this file alone can breach."""
        gates = Gates(frozenset(self.gates.allow))
        model = self.model
        if not isinstance(model, TreeRules) and self.gradients > MANY_ITERATIONS:
            where = "model.cv" if self.cv else "model.max_iter"
            gates.refuse("many_iterations", where, f"{self.gradients} iterations asked for")
        if isinstance(model, TreeRules) and model.top_rate is not None and model.node_rows == "shown":
            gates.refuse("goss", "model.top_rate", "hosts would be told which rows the model gets most wrong")
        return gates
