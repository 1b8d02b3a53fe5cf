"""The guest's part of online scoring: questions, put one by one over a session that lasts."""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from parties.contract.mandate import Mandate
from parties.online.answering import check_online
from parties.online.quota import Quota
from parties.programs.consent import agreed_session, publish_results
from parties.programs.effort import Effort
from parties.programs.links import Contacts
from parties.programs.run import Run
from parties.progress import Progress
from psi import lookup
from vfl.errors import PeerError, VflError
from vfl.linear import halves, scoring
from vfl.wire.network import Session

PULSE = 60.0
"""Seconds of silence after which the host is shown that the session is alive."""

RETRY = 10.0
"""Seconds after which a host that was lost is called again."""

WAITING = 100
"""Questions that may wait for their turn."""


@dataclass(slots=True)
class Question:
    """An id, and the host's part of its logit: None if the host does not hold it."""

    id: str
    part: Future[float | None] = field(default_factory=Future)


class BusyError(Exception):
    """Too many questions wait, or nobody is there to answer them."""


class Line:
    """The session with the host, and whoever waits for it.

    `run_id` is the training whose model is scored.
    """

    def __init__(self, contacts: Contacts, run_id: str, out: Path, progress: Progress) -> None:
        self._contacts, self._model, self._out, self._progress = contacts, run_id, out, progress
        self._waiting: queue.Queue[Question | None] = queue.Queue(WAITING)
        self._quota = Quota(contacts.job, contacts.party)
        self._over = threading.Event()
        self.ready = False
        """Whether there is a session now."""
        self.failure: VflError | None = None
        """Why there will be no session any more."""

    def ask(self, id: str) -> Future[float | None]:
        """Return what will be the host's part of a customer's logit.

        Raises BusyError where nobody answers, ContractError where the day's questions are used up.
        """
        if not self.ready or self._waiting.full():
            raise BusyError
        self._quota.take()
        question = Question(id)
        with suppress(queue.Full):
            self._waiting.put_nowait(question)
            return question.part
        raise BusyError

    def hold(self, on_end: Callable[[], None], first: tuple[Run, Session]) -> None:
        """Keep the session, and make it anew where it breaks, until `close`; then call `on_end`."""
        begun: tuple[Run, Session] | None = first
        try:
            while not self._over.is_set():
                try:
                    self._serve(*(begun or self.begin()))
                except PeerError as error:
                    self._progress.warn(f"{error}; calling again in {RETRY:g} s")
                    self._over.wait(RETRY)
                begun = None
        except VflError as error:
            self.failure = error
        finally:
            self._refuse_all()
            on_end()

    def begin(self) -> tuple[Run, Session]:
        """Return a new run, agreed to by all parties, and its session."""
        contacts, id = self._contacts, secrets.token_hex(8)
        job, party = contacts.job, contacts.party
        run = Run.begin(job, party, id, "online", self._progress)
        check_online(run)
        Mandate(job, party, id, "online").own_document()
        return run, agreed_session(run, {name: contacts.meet(name, id, "online") for name in job.hosts})

    def close(self) -> None:
        """End the session once the question under way is answered."""
        self._over.set()
        with suppress(queue.Full):  # then it is looked at soon anyway
            self._waiting.put_nowait(None)

    def _serve(self, run: Run, session: Session) -> None:
        effort, counts = Effort(), {"asked": 0, "scored": 0}
        try:
            session.run(self._asking(run, counts))
        finally:
            self.ready = False
            self._refuse_all()
        session.close()
        books = run.books(session, effort) | {"model": self._model, **counts}
        files = {"online-ledger.json": session.ledger.as_json(), "online.json": books}
        publish_results(session, self._out, files)

    async def _asking(self, run: Run, counts: dict[str, int]) -> None:
        await halves.guest(self._model, host=run.host)
        asked: list[Question] = []

        def ids() -> Iterator[str | None]:
            self.ready = True
            for question in self._questions():
                if question:
                    asked[:] = [question]
                yield question.id if question else None

        async def answer(found: bool) -> None:
            (question,) = asked
            counts["asked"] += 1
            part: float | None = None
            if found:
                one_point = run.scorecard.one_point
                (part,) = await scoring.guest(1, one_point=one_point, exact=run.exact, hosts=run.hosts)
                counts["scored"] += 1
            question.part.set_result(None if part is None else float(part))

        most, domain = run.job.alignment.max_ids, run.domain
        try:
            await lookup.guest(
                ids(), answer, run.rng, host=run.host, domain=domain, most=most, group=run.group
            )
        finally:
            for question in asked:
                if not question.part.done():
                    question.part.set_exception(BusyError())

    def _questions(self) -> Iterator[Question | None]:
        """Yield the questions, None where there is none for a while, until `close`."""
        pulse = min(PULSE, self._contacts.party.timeouts.message / 3)
        while not self._over.is_set():
            try:
                question = self._waiting.get(timeout=pulse)
            except queue.Empty:
                yield None
                continue
            if question is not None:
                yield question

    def _refuse_all(self) -> None:
        with suppress(queue.Empty):
            while True:
                if question := self._waiting.get_nowait():
                    question.part.set_exception(BusyError())
