"""The trainings of a party on its disk: each in a folder of its own, from which it can go on.

    OUT/state/RUN/journal.db     see `vfl.wire.journal`; beside it large messages, as `PEER.NUMBER.parcel`
    OUT/state/RUN/lock           held by the process that takes part in the run

A run that is done or has failed keeps what it was, and nothing else.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from parties.config.party import Party
from parties.programs.links import Contacts
from vfl.crypto.randomness import Randomness
from vfl.errors import ConfigError, DataError, PausedError, VflError
from vfl.table.table import Table
from vfl.wire.journal import HOW_TO_GO_ON, Journal
from vfl.wire.lasting import Lasting
from vfl.wire.network import Link, Listener

STATE = "state"
RUNNING, DELIVERING, DONE, FAILED = "running", "delivering", "done", "failed"
"""States of a run.  delivering: the results are there, and a peer may still lack a message."""

CUT_OFF = "cut off"
"""What operators are told of a run that may be resumed."""

LOCK = "lock"
"""The file beside a journal that who takes part in its run holds locked."""

PATIENCE_OF_A_CALL = 2.0
"""Seconds for which one peer is called or awaited before the next one is."""


class Recorded(Randomness):
    """The operating system's randomness, drawn again alike by a role that is run again."""

    __slots__ = ("_journal",)

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def bytes(self, size: int) -> bytes:
        """Return `size` uniform bytes, or those that were drawn here before."""
        return self._journal.draw(lambda: super(Recorded, self).bytes(size))

    def fresh(self, size: int) -> bytes:  # type: ignore[valid-type]  # `bytes` is the method above
        """Return `size` uniform bytes that are used once and never needed again."""
        return super().bytes(size)


def inputs(party: Party, table: Table) -> str:
    """Return the digest of what a training takes of a party's own: its table, and what is said of bins."""
    digest = table.digest()
    if party.data is None or not party.data.bins:
        return digest
    said = {name: bins.model_dump(mode="json") for name, bins in party.data.bins.items()}
    return sha256(f"{digest}\n{json.dumps(said, sort_keys=True)}".encode()).hexdigest()


def path_of(out: Path, run: str) -> Path:
    """Return where the journal of a run is."""
    if not re.fullmatch(r"[0-9a-f]{16}", run):
        raise ConfigError(run[:40], "is no run", "`vfl runs` lists them")
    return out / STATE / run / "journal.db"


def begin(contacts: Contacts, out: Path, run: str, table: str, absent: tuple[str, ...] = ()) -> Journal:
    """Return the journal of a new run.

    `table`: the digest of the party's `inputs`, nothing without any; `absent`: hosts that stay away.
    """
    facts = {
        "run": run,
        "job": contacts.job.job,
        "contract": contacts.job.contract_hash(),
        "party": contacts.party.party,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "state": RUNNING,
        "table": table,
        "absent": " ".join(absent),
    }
    return Journal.create(path_of(out, run), contacts.own.key_pem, Randomness().bytes, facts)


def found(contacts: Contacts, out: Path, run: str, table: str) -> Journal:
    """Return the journal of a run that was cut off; refuse one that is over, or of other `inputs`."""
    path = path_of(out, run)
    if not path.exists():
        raise ConfigError(str(path), "no such run", "`vfl runs` lists those that can be resumed")
    journal = Journal.open(path, contacts.own.key_pem, Randomness().bytes)
    about = journal.about
    if about["contract"] != contacts.job.contract_hash():
        raise ConfigError(str(path), "is of another job file", "use the job file that the run began with")
    if about["state"] in (DONE, FAILED):
        raise ConfigError(run, f"is over: {about['state']}", "begin a new run: vfl guest train")
    if about["table"] != table:
        what = "the table, or what data.bins says of it, has changed since the run began"
        raise DataError(f"run {run}", what, "put it back, or begin a new run")
    return journal


def absent_from(journal: Journal) -> tuple[str, ...]:
    """Return the hosts without which a run began."""
    return tuple(journal.about.get("absent", "").split())


def have(contacts: Contacts, out: Path, run: str) -> int:
    """Return how many of the guest's messages of a run were taken already: 0 of an unknown one."""
    path = path_of(out, run)
    if not path.exists():
        return 0
    journal = Journal.open(path, contacts.own.key_pem, Randomness().bytes)
    try:
        return journal.taken.get(contacts.job.guest, 0)
    finally:
        journal.close()


def unfinished(contacts: Contacts, out: Path) -> list[str]:
    """Return the runs of this job that were cut off, the latest first."""
    contract = contacts.job.contract_hash()
    return [
        about["run"]
        for about in abouts(out)
        if about["contract"] == contract and about["state"] in (RUNNING, DELIVERING)
    ]


@contextmanager
def pausable(contacts: Contacts, out: Path) -> Iterator[None]:
    """Turn an interruption into a pause, if a training waits to go on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if not (waiting := unfinished(contacts, out)):
            raise
        raise PausedError(f"run {waiting[0]}", "was interrupted", HOW_TO_GO_ON) from None


@contextmanager
def over(journal: Journal) -> Iterator[bool]:
    """Tell whether the results of a run are there already.

    Then it is no failure if a peer is done as well: it lacks nothing, and may be gone.
    """
    delivering = journal.about["state"] == DELIVERING
    with suppress(VflError) if delivering else nullcontext():
        yield delivering


def deliver(journal: Journal) -> None:
    """Note that the results are there: from now on only peers may lack something."""
    journal.note(state=DELIVERING)


@contextmanager
def alone(journal: Journal) -> Iterator[None]:
    """Keep every other process away from the run; tell in its journal how it ended."""
    with (journal.path.parent / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            what = "another process takes part in the run"
            raise ConfigError(str(journal.path.parent), what, "stop that one first") from None
        try:
            yield
        except (PausedError, KeyboardInterrupt, SystemExit):
            raise  # the run stays as it is
        except BaseException:
            _end(journal, FAILED)
            raise
        else:
            _end(journal, DONE)
        finally:
            journal.close()


def lasting(contacts: Contacts, journal: Journal, task: str, listener: Listener | None = None) -> Lasting:
    """Return what makes a run last: links are made anew until `timeouts.resume` is over."""
    run, guest, absent = journal.about["run"], contacts.job.guest, absent_from(journal)

    def meet(peer: str, have: int) -> Link:
        if listener is not None and listener.calls_for_another(guest, run):
            raise PausedError(guest, "began another run", f"run {run} waits; {HOW_TO_GO_ON}")
        patience = PATIENCE_OF_A_CALL
        return contacts.meet(peer, run, task, listener, have=have, timeout=patience, absent=absent)

    timeouts = contacts.party.timeouts
    delivering = journal.about["state"] == DELIVERING
    return Lasting(journal, meet, timeouts.connect if delivering else timeouts.resume)


def abouts(out: Path) -> list[dict[str, str]]:
    """Return what is known of every run in a folder, the latest first."""
    found = []
    for path in sorted((out / STATE).glob("*/journal.db")):
        found.append(Journal.about_run(path))
    return sorted(found, key=lambda about: about.get("begun", ""), reverse=True)


def as_told(out: Path) -> list[dict[str, str]]:
    """Return `abouts` as operators read them: a run that is not over and that nobody is in is cut off."""
    return [
        about | ({"state": CUT_OFF} if about["state"] in (RUNNING, DELIVERING) and _left(out, about) else {})
        for about in abouts(out)
    ]


def _left(out: Path, about: dict[str, str]) -> bool:
    try:
        with (path_of(out, about["run"]).parent / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # there is no lock: it was cut off before it was taken
    return True


def _end(journal: Journal, state: str) -> None:
    with suppress(PausedError):  # a full disk: the state stays as it was, which is safe
        journal.note(state=state)
        journal.finish()
