"""What a party may do under a contract, as it stands now: asked before a run, and during it.

A host that stays away from a run need not have approved it, and its approval counts no run: it shows
nothing and learns nothing, and whoever is there has signed that the run may begin without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.approval import Approval, Terms, document_path, read_document
from parties.contract.policy import check_policy
from parties.contract.tally import Tally
from parties.programs.files import publish
from vfl.errors import ContractError


@dataclass(slots=True)
class Mandate:
    """One party's authority for one run: its own approval, the others', and its count of runs."""

    job: Job
    party: Party
    run: str
    task: str
    absent: tuple[str, ...] = ()
    terms: dict[str, Terms] = field(default_factory=dict)
    """What each party has approved, once checked."""

    @property
    def present(self) -> tuple[str, ...]:
        """The parties that take part, in the order of their names."""
        return tuple(name for name in sorted(self.job.parties) if name not in self.absent)

    @property
    def tally(self) -> Tally:
        """This party's records of the contract."""
        return Tally.of(self.job, self.party)

    def own_document(self) -> str:
        """Return this party's own approval, once it and the policy allow a run; else raise ContractError."""
        check_policy(self.job, self.party.policy)
        if self.task == "train" and self.job.model_contract:
            what = "names the contract of a model: this job scores it, and trains none"
            raise ContractError("model_contract", what, "remove the key to train under this job")
        name = self.party.party
        text = read_document(self.party.approvals, self.job, name)
        if not text:
            hint = "read it with `vfl job show`, then sign it with `vfl approve`"
            raise ContractError(f"approval of {name}", f"{name} has not approved this contract", hint)
        terms = Approval.verified(text, self.job, name).approval
        self._check(terms)
        self.tally.check_left([terms], self.run)
        self.terms[name] = terms
        return text

    def held_documents(self) -> dict[str, str]:
        """Return the approvals that are here, by party."""
        return {name: read_document(self.party.approvals, self.job, name) for name in self.present}

    def check(self, documents: Mapping[str, str]) -> None:
        """Verify the approvals of all that take part, of this contract and with a run left; ContractError."""
        for name in self.present:
            terms = Approval.verified(documents.get(name, ""), self.job, name).approval
            self._check(terms)
            self.terms[name] = terms
        self.tally.check_left(self.terms.values(), self.run)

    def begin(self, documents: Mapping[str, str]) -> None:
        """Count the run, and keep what the others approved."""
        self.tally.begin(self.terms.values(), self.run, self.task, datetime.now(UTC))
        for name, text in documents.items():
            if name != self.party.party and text != read_document(self.party.approvals, self.job, name):
                path = document_path(self.party.approvals, self.job, name)
                publish(path.parent, {path.name: text})

    def check_model(self, trained_in: str) -> None:
        """Raise ContractError where a model is not from a training under the contract that the job names."""
        if not Tally.of_model(self.job, self.party).trained(trained_in):
            contract = "the contract that the job names" if self.job.model_contract else "this contract"
            hint = "train under this job, or name the model's contract in it: model_contract"
            raise ContractError("model", f"was not trained under {contract}", hint)

    def require(self) -> None:
        """Raise ContractError once this party has withdrawn its approval."""
        if own := self.terms.get(self.party.party):
            self.tally.check_revoked(own)

    def _check(self, terms: Terms) -> None:
        terms.check_day(datetime.now(UTC).date())
        self.tally.check_revoked(terms)
