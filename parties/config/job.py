"""The job: what all parties agree on before anything runs.

Every party holds the same file.  Its `contract_hash` is the SHA-256 of canonical JSON: all values
with the defaults filled in, keys sorted, no spaces, everything beyond ASCII escaped, floats by
their shortest repr.  Layout and comments therefore do not count, and every meaning does.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from parties.config.rules import (
    AlignmentRules,
    DisclosureRules,
    EncryptionRules,
    FeatureRules,
    GateRules,
    ModelRules,
    ScorecardRules,
)
from parties.config.schema import Section, validated
from parties.config.yaml import dump, load
from vfl.errors import ContractError
from vfl.gates import MANY_ITERATIONS, Gates

Role = Literal["guest", "host", "arbiter"]

MAX_HOSTS = 1
"""Hosts that this version runs; names and messages number them from the start."""


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


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


PartyName = Annotated[str, AfterValidator(_party_name)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]


class JobParty(Section):
    """One party of the job."""

    role: Role = Field(
        description="What the party does. guest: holds the labels, and columns. host: holds columns. "
        "arbiter: holds the decryption key and no data."
    )
    certificate: Fingerprint | None = Field(
        default=None,
        description="Fingerprint that pins the party's certificate, as `vfl init` prints it. "
        "`vfl local` makes certificates where none is pinned; everything else refuses to run.",
    )


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
        description="The parties by name (a-z, 0-9 and _): one guest, one arbiter, and the hosts.",
        examples=[{"bank": {"role": "guest"}, "insurer": {"role": "host"}, "trustee": {"role": "arbiter"}}],
    )
    alignment: AlignmentRules = Field(default=AlignmentRules(), description="How customers are matched.")
    features: FeatureRules = Field(default=FeatureRules(), description="How columns become model inputs.")
    model: ModelRules = Field(default=ModelRules(), description="The joint model.")
    scorecard: ScorecardRules = Field(default=ScorecardRules(), description="The scale of the points.")
    encryption: EncryptionRules = Field(default=EncryptionRules(), description="The encryption of sums.")
    disclosure: DisclosureRules = Field(
        default=DisclosureRules(), description="What parties learn on purpose."
    )
    gates: GateRules = Field(default=GateRules(), description="Exceptions to the limits that protect rows.")

    @field_validator("parties")
    @classmethod
    def _cast(cls, parties: dict[str, JobParty]) -> dict[str, JobParty]:
        for role, most in (("guest", 1), ("arbiter", 1), ("host", MAX_HOSTS)):
            named = [name for name, party in parties.items() if party.role == role]
            if not 1 <= len(named) <= most:
                limit = "this version runs exactly one" if role == "host" else "needs exactly one"
                raise ValueError(f"{limit} {role}, not {len(named)}{': ' if named else ''}{', '.join(named)}")
        for name, party in parties.items():
            named_like(name, party.role)
        return parties

    @field_validator("disclosure")
    @classmethod
    def _calibratable(cls, disclosure: DisclosureRules, info: ValidationInfo) -> DisclosureRules:
        model = info.data.get("model")
        if model and model.sigmoid == "taylor" and "train" not in disclosure.metrics:
            raise ValueError("metrics must hold train: model.sigmoid taylor is calibrated on those rows")
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
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def guest(self) -> str:
        """The guest's name."""
        return self._named("guest")[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts' names, sorted."""
        return self._named("host")

    @property
    def arbiter(self) -> str:
        """The arbiter's name."""
        return self._named("arbiter")[0]

    def _named(self, role: Role) -> tuple[str, ...]:
        return tuple(sorted(name for name, party in self.parties.items() if party.role == role))

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
        """Return the run's gates, after asking the one that this file alone can breach."""
        gates = Gates(frozenset(self.gates.allow))
        if self.model.max_iter > MANY_ITERATIONS:
            gates.refuse("many_iterations", "model.max_iter", f"{self.model.max_iter} iterations asked for")
        return gates
