"""How a contract stands with one party: whose approvals it has, and what is left of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.approval import Approval, read_document
from parties.contract.tally import Tally
from vfl.errors import ContractError


def standing(job: Job, party: Party, name: str) -> dict[str, Any]:
    """Return what this party knows of one party's approval; "standing" is "approved" or what is wrong."""
    found: dict[str, Any] = {"party": name, "role": job.parties[name].role}
    found |= dict.fromkeys(("expires", "runs", "used", "left"))
    tally = Tally.of(job, party)
    try:
        text = read_document(party.approvals, job, name)
        if not text:
            return found | {"standing": "no approval here yet"}
        terms = Approval.verified(text, job, name).approval
        used = tally.used(terms)
        found |= {"expires": str(terms.expires), "runs": terms.runs}
        found |= {"used": used, "left": max(terms.runs - used, 0)}
        terms.check_day(datetime.now(UTC).date())
        tally.check_revoked(terms)
        tally.check_left([terms], run="")
    except ContractError as error:
        return found | {"standing": error.what}
    return found | {"standing": "approved"}


def withdraw(job: Job, party: Party) -> str:
    """Withdraw a party's own approval for good; return its id."""
    text = read_document(party.approvals, job, party.party)
    terms = Approval.verified(text, job, party.party).approval
    Tally.of(job, party).revoke(terms, datetime.now(UTC))
    return terms.id
