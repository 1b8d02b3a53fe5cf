"""A server: it waits for the guest, takes part in the run, and waits again, whatever became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.mandate import Mandate
from parties.programs import lasting
from parties.programs.consent import agreed_session
from parties.programs.earlier import Earlier
from parties.programs.files import check_folder
from parties.programs.links import Contacts
from parties.programs.run import Run, load_kernels
from parties.progress import Progress
from vfl.errors import PausedError
from vfl.wire.flow import Peer
from vfl.wire.journal import Journal
from vfl.wire.network import Link, Listener, Session, forbidden, public_reason

Complain = Callable[[Exception], None]
TakePart = Callable[[Run, Session], None]


@dataclass(frozen=True, slots=True)
class Service:
    """How long a server serves, and whom it tells what went wrong."""

    ready: Callable[[], None] = lambda: None
    """Called before the first run.  What is loaded until then would take an interruption for a failure."""
    once: bool = False
    """One run, failed or not."""
    complain: Complain | None = None
    """Told of a failed run, after which the server waits for the next; without it a failure ends it."""
    port_file: Path | None = None
    """Where the port that is listened on is written."""


def serve(
    job: Job,
    party: Party,
    out: Path,
    progress: Progress,
    service: Service,
    *,
    others: Mapping[str, tuple[str, ...]],
    take_part: TakePart,
    table: str = "",
) -> None:
    """Take part in the guest's runs until told to stop; `others`: by task, who is met but the guest.

    `table`: the digest of the party's table and bins, if it has any.  Trainings that were cut off come first.
    Raises PausedError if one is when told to stop.
    """
    contacts = Contacts.load(job, party)
    Mandate(job, party, run="", task="").own_document()
    check_folder(out)
    with lasting.pausable(contacts, out), contacts.listen() as listener:
        if service.port_file:
            service.port_file.write_text(str(listener.port))
        load_kernels(party, ids=party.data is not None)
        service.ready()
        server = _Server(contacts, listener, out, progress, others, take_part, table)
        for run in lasting.unfinished(contacts, out):
            progress.phase(f"going on with run {run}")
            server.attempt(partial(server.go_on, run), service)
        while True:
            progress.phase("waiting for the guest")
            link = listener.accept(job.guest, contract=job.contract_hash(), timeout=None, have=server.have)
            server.attempt(partial(server.answer, link), service)
            if service.once:
                return


@dataclass(frozen=True, slots=True)
class _Server:
    contacts: Contacts
    listener: Listener
    out: Path
    progress: Progress
    others: Mapping[str, tuple[str, ...]]
    take_part: TakePart
    table: str

    def attempt(self, act: Callable[[], None], service: Service) -> None:
        """Take part in a run; whatever becomes of it, the next one may come."""
        try:
            act()
        except Exception as error:
            if service.once or service.complain is None:
                raise
            service.complain(error)

    def have(self, run: str) -> int:
        """Return how many of the guest's messages of a run were taken already."""
        return lasting.have(self.contacts, self.out, run)

    def answer(self, link: Link) -> None:
        """Take part in the run that the guest calls for, a new one or one that was cut off."""
        hello = link.hello
        try:
            if hello.task not in self.others:
                guest, party = Peer(link.peer), self.contacts.party.party
                raise guest.blame(f"asked for {hello.task[:20]!r}, in which {party} has no part")
            self.contacts.job.check_absent(hello.absent, link.peer)
            if hello.task == "train" and lasting.path_of(self.out, hello.run).exists():
                self.go_on(hello.run, link)
            elif hello.have:
                raise Peer(link.peer).blame("goes on with a run of which nothing is kept here")
            else:
                self._begin(link)
        except PausedError:
            link.drop()  # the guest calls again
            raise
        except Exception as error:
            link.abort(public_reason(error), forbidden=forbidden(error))
            raise

    def go_on(self, run: str, link: Link | None = None) -> None:
        """Go on with a training that was cut off."""
        links = {link.peer: link} if link else {}
        self._train(lasting.found(self.contacts, self.out, run, self.table), links)

    def _begin(self, link: Link) -> None:
        hello, contacts = link.hello, self.contacts
        links = {link.peer: link}
        try:
            for name in self._others(hello.task, hello.absent):
                links[name] = contacts.meet(name, hello.run, hello.task, self.listener, absent=hello.absent)
        except Exception as error:
            for met in links.values():
                met.abort(public_reason(error), forbidden=forbidden(error))
            raise
        if hello.task == "train":
            self._train(lasting.begin(contacts, self.out, hello.run, self.table, hello.absent), links)
        else:
            job, party, absent = contacts.job, contacts.party, hello.absent
            run = Run.begin(job, party, hello.run, hello.task, self.progress, absent=absent)
            session = agreed_session(run, links)
            self.take_part(run, session)
            session.close()

    def _train(self, journal: Journal, links: dict[str, Link]) -> None:
        job, party, id = self.contacts.job, self.contacts.party, journal.about["run"]
        with lasting.alone(journal):
            rng, earlier = lasting.Recorded(journal), Earlier.of(party)
            absent, progress = lasting.absent_from(journal), self.progress
            run = Run.begin(
                job, party, id, "train", progress, rng=rng, steps=journal, earlier=earlier, absent=absent
            )
            lasts = lasting.lasting(self.contacts, journal, "train", self.listener)
            with lasting.over(journal) as over:
                session = agreed_session(run, links, lasts, (job.guest, *self._others("train", absent)))
                if not over:
                    self.take_part(run, session)
                    lasting.deliver(journal)
                session.close()

    def _others(self, task: str, absent: tuple[str, ...]) -> tuple[str, ...]:
        """Return who is met for a task but the guest."""
        return tuple(name for name in self.others[task] if name not in absent)
