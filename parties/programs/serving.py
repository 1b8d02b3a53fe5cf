"""A server: it waits for the guest, takes part in the run, and waits again, whatever became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.mandate import Mandate
from parties.programs.consent import agreed_session
from parties.programs.links import Contacts
from parties.programs.run import Run, load_kernels
from parties.progress import Progress
from vfl.wire.network import Link, Listener, Session, public_reason

Complain = Callable[[Exception], None]
TakePart = Callable[[Run, Session], None]


@dataclass(frozen=True, slots=True)
class Service:
    """How long a server serves, and whom it tells what went wrong."""

    once: bool = False
    """One run, failed or not."""
    complain: Complain | None = None
    """Told of a failed run, after which the server waits for the next; without it a failure ends it."""
    port_file: Path | None = None
    """Where the port that is listened on is written."""


def serve(
    job: Job,
    party: Party,
    progress: Progress,
    service: Service,
    *,
    others: Mapping[str, tuple[str, ...]],
    take_part: TakePart,
) -> None:
    """Take part in the guest's runs until told to stop; `others`: by task, who is met but the guest."""
    contacts = Contacts.load(job, party)
    Mandate(job, party, run="", task="").own_document()
    with contacts.listen() as listener:
        if service.port_file:
            service.port_file.write_text(str(listener.port))
        load_kernels(party, ids=party.data is not None)
        while True:
            progress.phase("waiting for the guest")
            link = listener.accept(job.guest, contract=job.contract_hash(), timeout=None)
            try:
                run, session = _begin(contacts, listener, link, progress, others)
                take_part(run, session)
            except Exception as error:
                if service.once or service.complain is None:
                    raise
                service.complain(error)
            if service.once:
                return


def _begin(
    contacts: Contacts,
    listener: Listener,
    link: Link,
    progress: Progress,
    others: Mapping[str, tuple[str, ...]],
) -> tuple[Run, Session]:
    """Meet the other peers of a run; where that fails all that were met are told."""
    job, party, hello = contacts.job, contacts.party, link.hello
    links = {job.guest: link}
    try:
        run = Run.begin(job, party, hello.run, hello.task, progress)
        if hello.task not in others:
            raise run.guest.blame(f"asked for {hello.task[:20]!r}, in which {party.party} has no part")
        for name in others[hello.task]:
            links[name] = contacts.meet(name, hello.run, hello.task, listener)
    except Exception as error:
        for met in links.values():
            met.abort(public_reason(error))
        raise
    return run, agreed_session(run, links)
