"""A run's session, opened once every party's approval has been checked by every party."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parties.contract import agreement
from parties.contract.mandate import Mandate
from parties.programs.effort import cpu_seconds
from parties.programs.run import Run
from vfl.wire.flow import Peer
from vfl.wire.lasting import Lasting
from vfl.wire.message import Message
from vfl.wire.network import Link, Session

STEP = "agreement"


def agreed_session(
    run: Run, links: Mapping[str, Link], lasting: Lasting | None = None, peers: Iterable[str] = ()
) -> Session:
    """Return the session of a run that all its parties have consented to; else raise ContractError.

    `peers`: those of a `lasting` run, met or not.  One that was cut off was agreed to before.
    """
    job, party = run.job, run.party
    mandate = Mandate(job, party, run.id, run.task)
    session = Session(
        links,
        timeout=party.timeouts.message,
        cpu=cpu_seconds,
        witness=Overseer(mandate),
        lasting=lasting,
        peers=peers,
    )
    if run.steps.state(STEP) is not None:
        mandate.own_document()
        return session
    if party.party == job.guest:
        role = agreement.guest(mandate, parties=tuple(map(Peer, peers or links)))
    else:
        role = agreement.party(mandate, tuple(job.parties), guest=run.guest)
    if refusal := session.run(role):
        session.close()
        raise refusal
    run.steps.checkpoint(STEP, {})
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
