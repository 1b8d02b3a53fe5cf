"""A run's session, opened once every party's approval has been checked by every party."""

from __future__ import annotations

from collections.abc import Mapping

from parties.contract import agreement
from parties.contract.mandate import Mandate
from parties.programs.effort import cpu_seconds
from parties.programs.run import Run
from vfl.wire.flow import Peer
from vfl.wire.message import Message
from vfl.wire.network import Link, Session


def agreed_session(run: Run, links: Mapping[str, Link]) -> Session:
    """Return the session of a run that all its parties have consented to; else raise ContractError."""
    job, party = run.job, run.party
    mandate = Mandate(job, party, run.id, run.task)
    session = Session(links, timeout=party.timeouts.message, cpu=cpu_seconds, witness=Overseer(mandate))
    if party.party == job.guest:
        role = agreement.guest(mandate, parties=tuple(map(Peer, links)))
    else:
        role = agreement.party(mandate, tuple(job.parties), guest=run.guest)
    if refusal := session.run(role):
        session.close()
        raise refusal
    return session


class Overseer:
    """Lets no message pass once the party has withdrawn its approval."""

    def __init__(self, mandate: Mandate) -> None:
        self._mandate = mandate

    def sending(self, to: str, message: Message, data: bytes) -> None:
        """Let a message leave."""
        self._mandate.require()

    def received(self, sender: str, kind: type[Message], data: bytes) -> None:
        """Let a message in."""
        self._mandate.require()

    def stopped(self, reason: str) -> None:
        """Nothing passes any more."""
