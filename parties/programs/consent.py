"""A run's session: opened once every party has checked every approval, and kept in the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from parties.audit.log import AuditLog
from parties.audit.overseer import Overseer
from parties.contract import agreement
from parties.contract.mandate import Mandate
from parties.programs.effort import cpu_seconds
from parties.programs.files import publish
from parties.programs.run import Run
from vfl.wire.certificates import load_identity
from vfl.wire.flow import Peer
from vfl.wire.lasting import Lasting
from vfl.wire.network import Link, Session, forbidden, public_reason

STEP = "agreement"


def agreed_session(
    run: Run, links: Mapping[str, Link], lasting: Lasting | None = None, peers: Iterable[str] = ()
) -> Session:
    """Return the session of a run that all its parties have consented to; else raise ContractError.

    `peers`: those of a `lasting` run, met or not.  One that was cut off was agreed to before.
    """
    job, party = run.job, run.party
    mandate = Mandate(job, party, run.id, run.task, run.absent)
    resumed = run.steps.state(STEP) is not None
    try:
        if resumed:
            mandate.own_document()
        identity = load_identity(party.party, party.identity.key, party.identity.certificate)
        stored = lasting.journal.stored_counts() if resumed and lasting else None
        overseer = Overseer(mandate, AuditLog.of(party, identity), stored)
    except Exception as error:
        for link in links.values():
            link.abort(public_reason(error), forbidden=forbidden(error))
        raise
    session = Session(
        links,
        timeout=party.timeouts.message,
        cpu=cpu_seconds,
        witness=overseer,
        lasting=lasting,
        peers=peers,
    )
    if resumed:
        return session
    if party.party == job.guest:
        role = agreement.guest(mandate, parties=tuple(map(Peer, peers or links)))
    else:
        role = agreement.party(mandate, mandate.present, guest=run.guest)
    if refusal := session.run(role):
        overseer.stopped(public_reason(refusal))
        session.close()
        raise refusal
    overseer.approved()
    run.steps.checkpoint(STEP, {})
    return session


def publish_results(
    session: Session, folder: Path, files: Mapping[str, Any], written: Iterable[Path] = ()
) -> None:
    """Put a run's files into a folder, as `publish` does, and note them and those written before."""
    publish(folder, files)
    overseer = session.witness
    assert isinstance(overseer, Overseer)
    overseer.published({path.name: path for path in (*written, *(folder / name for name in files))})
