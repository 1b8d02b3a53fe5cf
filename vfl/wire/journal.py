"""What a party must not lose of a run, on disk before it matters.

One SQLite file (write-ahead log, synchronous) with four tables, all blobs sealed; a thread writes
it beside the work of the role (see `writer`):

    about(key, value)                 who, which run, since when, and how far it is
    sent(peer, number, message)       what was sent and may be asked for again; of a large message
                                      only that it was: it is a file of its own (see `parcels`)
    draws(number, bytes)              randomness drawn since the last checkpoint
    steps(name, state)                the result of each step, and the last checkpoint's counts

Laws:

    stored before sent       a message, and every draw before it, is committed before it leaves
    in order                 nothing is on disk before what the role did earlier
    never made twice         a role run again from its checkpoint draws the same numbers, and what
                             it had sent is sent again byte for byte
    kept until not needed    a message is dropped once its receiver has a checkpoint behind it, a large
                             one before the next large one is stored, others with our next checkpoint

Blobs are sealed by AES-256-GCM under a key that is derived from the party's private key, and
bound to their place: a file without that key says when a run took place and how large it was.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgpack
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vfl.errors import ConfigError, PausedError
from vfl.steps import State
from vfl.wire.ledger import Ledger
from vfl.wire.parcels import LARGE, Parcels
from vfl.wire.writer import Write, Writer

Random = Callable[[int], bytes]
"""So many random bytes from the operating system."""

NONCE = 12

PAGE = 1 << 14
"""Bytes of a page of the file: messages are large."""

LOG_PAGES = (64 << 20) // PAGE
"""Pages of the write-ahead log after which they are brought into the file."""

HOW_TO_GO_ON = "to go on: `vfl resume` at the guest; hosts and arbiters go on when they are started again"
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE sent (peer TEXT, number INTEGER, message BLOB, PRIMARY KEY (peer, number));
CREATE TABLE draws (number INTEGER PRIMARY KEY, bytes BLOB);
CREATE TABLE steps (name TEXT PRIMARY KEY, state BLOB);
"""
_COUNTS = "counts"


class Journal:
    """One run of one party.  `settle` returns once all that was asked for is on disk."""

    def __init__(self, path: Path, base: sqlite3.Connection, secret: bytes, random: Random) -> None:
        self.path = path
        self.ledger = Ledger()
        self.sent: dict[str, int] = {}
        """Messages that the role has sent to each peer, those before a restart included."""
        self.taken: dict[str, int] = {}
        """Messages that the role has taken from each peer."""
        self.on_checkpoint: Callable[[dict[str, int]], None] = lambda taken: None
        """Told once a checkpoint is on disk, in the thread that writes, what had been taken by then."""
        self.needless: Callable[[], dict[str, int]] = dict
        """How many messages each peer will not ask for again: they are dropped."""
        self._remembered: dict[str, Callable[[], State]] = {}
        self._base = base
        self._parcels = Parcels(path.parent)
        self._cipher = AESGCM(HKDF(SHA256(), 32, None, b"vfl journal").derive(secret))
        self._random = random
        self._drawn = 0
        self._fresh: list[tuple[int, bytes]] = []
        self._again: deque[bytes] = deque()
        self._ends: dict[str, int] = dict(
            base.execute("SELECT peer, MAX(number) + 1 FROM sent GROUP BY peer")
        )
        self._writer = Writer(self._commit)

    @classmethod
    def create(cls, path: Path, secret: bytes, random: Random, about: dict[str, str]) -> Self:
        """Return the journal of a new run; `secret`: bytes that only this party has."""
        part = path.with_suffix(".part")
        with _writing(path):
            for folder in (path.parent.parent, path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for half_made in path.parent.glob(f"{part.name}*"):  # by a process that was killed here
                half_made.unlink()
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            base = _connected(part)
            base.executescript(_TABLES)
            with base:
                base.executemany("INSERT INTO about VALUES (?, ?)", about.items())
            base.close()
            part.rename(path)  # so that whoever finds a journal finds a whole one
            return cls(path, _connected(path), secret, random)

    @classmethod
    def open(cls, path: Path, secret: bytes, random: Random) -> Self:
        """Return the journal of a run that was cut off, as of its last checkpoint."""
        journal = cls(path, _connected(path), secret, random)
        counts = journal.state(_COUNTS)
        if counts is not None:
            journal.sent, journal.taken = counts["sent"], counts["taken"]
            journal._ends = counts["sent"] | journal._ends
            journal.ledger.restore(counts["ledger"])
        rows = journal._base.execute("SELECT number, bytes FROM draws ORDER BY number")
        journal._again = deque(journal._opened("draws", str(n), blob) for n, blob in rows)
        return journal

    @staticmethod
    def about_run(path: Path) -> dict[str, str]:
        """Return what is known of the run in a file without the party's key."""
        base = _connected(path)
        try:
            return dict(base.execute("SELECT key, value FROM about"))
        finally:
            base.close()

    @property
    def about(self) -> dict[str, str]:
        """What is known of the run without the party's key."""
        return dict(self._base.execute("SELECT key, value FROM about"))

    def note(self, **about: str) -> None:
        """Set what is known of the run; return once it is on disk, and all before it."""
        rows = list(about.items())
        self._write(lambda: self._base.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", rows))
        self.settle()

    def settle(self) -> None:
        """Return once all is on disk, and what was to follow is done; raise what went wrong."""
        self._writer.settle()

    def hurry(self) -> None:
        """Write what waits now: nothing else will come soon."""
        self._writer.hurry()

    def on_failure(self, tell: Callable[[Exception], None]) -> None:
        """Let somebody know at once, in another thread, when nothing more can be written."""
        self._writer.on_failure = tell

    # messages

    def keep(self, peer: str, message: bytes, then: Callable[[], None] = lambda: None) -> bool:
        """Store the next message to a peer, then do what follows; False if it was stored before.

        It was if the run was cut off since: then nothing is stored and nothing follows.
        """
        number, held = self.sent.get(peer, 0), self.holds(peer)
        self.sent[peer] = number + 1
        if held:
            return False
        self._ends[peer] = number + 1
        fresh, self._fresh = self._fresh, []
        self._write(partial(self._store, peer, number, message, fresh), len(message), then)
        return True

    def holds(self, peer: str) -> bool:
        """Tell whether the next message to a peer was stored before the run was cut off."""
        return self.sent.get(peer, 0) < self._ends.get(peer, 0)

    def stored_counts(self) -> dict[str, int]:
        """Return how many messages to each peer have been stored."""
        return dict(self._ends)

    def _store(self, peer: str, number: int, message: bytes, fresh: list[tuple[int, bytes]]) -> None:
        rows = [(n, self._sealed("draws", str(n), drawn)) for n, drawn in fresh]
        self._base.executemany("INSERT INTO draws VALUES (?, ?)", rows)
        sealed = self._sealed("sent", f"{peer}/{number}", message)
        large = len(sealed) >= LARGE
        if large:
            self._parcels.drop(self.needless())
            self._parcels.write(peer, number, sealed)
        # The row of a parcel stays until a checkpoint of ours: it says that the message was made.
        self._base.execute("INSERT INTO sent VALUES (?, ?, ?)", (peer, number, None if large else sealed))

    def stored(self, peer: str, number: int) -> Iterator[bytes]:
        """Yield the messages to a peer from this number on."""
        self.settle()
        for k in range(number, self._ends.get(peer, 0)):
            sealed = self._kept(peer, k)
            if sealed is None:
                raise ConfigError(str(self.path), f"{peer} asks for what it said it had", "start a new run")
            yield self._opened("sent", f"{peer}/{k}", sealed)

    def _kept(self, peer: str, number: int) -> bytes | None:
        which = "SELECT message FROM sent WHERE peer = ? AND number = ?"
        row = self._base.execute(which, (peer, number)).fetchone()
        sealed: bytes | None = row and row[0]
        return self._parcels.read(peer, number) if row and sealed is None else sealed

    def took(self, peer: str) -> None:
        """Count a message that the role has taken from a peer."""
        self.taken[peer] = self.taken.get(peer, 0) + 1

    # randomness

    def draw(self, make: Callable[[], bytes]) -> bytes:
        """Return the next draw: the one made before the run was cut off, or a new one."""
        self._drawn += 1
        if self._again:
            return self._again.popleft()
        drawn = make()
        self._fresh.append((self._drawn, drawn))
        return drawn

    # steps

    def checkpoint(self, name: str, state: State) -> None:
        """Store what a step leaves: the run goes on from here if it is cut off later."""
        assert name != _COUNTS
        assert not self._again, "a step ended before it had drawn what it drew before"
        taken = dict(self.taken)
        counts = {"sent": self.sent, "taken": taken, "ledger": self.ledger.as_state()}
        remembered = {f"{key} so far": kept() for key, kept in self._remembered.items()}
        states = {key: _packed(it) for key, it in {name: state, _COUNTS: counts, **remembered}.items()}
        self._drawn, self._fresh = 0, []
        size = sum(map(len, states.values()))
        self._write(partial(self._store_states, states), size, lambda: self.on_checkpoint(taken))

    def _store_states(self, states: dict[str, bytes]) -> None:
        rows = [(key, self._sealed("steps", key, packed)) for key, packed in states.items()]
        self._base.executemany("INSERT OR REPLACE INTO steps VALUES (?, ?)", rows)
        self._base.execute("DELETE FROM draws")
        needless = self.needless()
        self._base.executemany("DELETE FROM sent WHERE peer = ? AND number < ?", needless.items())
        self._parcels.drop(needless)

    def remember(self, name: str, state: Callable[[], State]) -> State | None:
        """Keep this, too, with every checkpoint; return what was kept of it before."""
        self._remembered[name] = state
        return self.state(f"{name} so far")

    def state(self, name: str) -> State | None:
        """Return what a step left, None if it has not ended."""
        self.settle()
        row = self._base.execute("SELECT state FROM steps WHERE name = ?", (name,)).fetchone()
        return None if row is None else _unpacked(self._opened("steps", name, row[0]))

    def finish(self) -> None:
        """Forget all but what the run was: nothing of it is needed any more."""
        for table in ("sent", "draws", "steps"):
            self._write(partial(self._base.execute, f"DELETE FROM {table}"))
        self.settle()
        with _writing(self.path):
            self._parcels.clear()
            self._base.execute("VACUUM")

    def close(self) -> None:
        """Write nothing more, and close the file."""
        self._writer.end()
        self._base.close()

    # the disk

    def _write(
        self, act: Callable[[], object], size: int = 0, then: Callable[[], None] = lambda: None
    ) -> None:
        self._writer.put(Write(act, size, then))

    @contextmanager
    def _commit(self) -> Iterator[None]:
        with _writing(self.path), self._base:
            yield

    # seals

    def _sealed(self, table: str, place: str, plain: bytes) -> bytes:
        nonce = self._random(NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, f"{table}/{place}".encode())

    def _opened(self, table: str, place: str, sealed: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], f"{table}/{place}".encode())
        except (InvalidTag, ValueError):  # the latter of a file that was emptied
            what = "was changed, or belongs to another key of this party"
            raise ConfigError(str(self.path), what, "use the key that the run began with") from None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn a disk that takes nothing into a run that waits."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        what = f"cannot be written: {error.strerror or error if isinstance(error, OSError) else error}"
        raise PausedError(str(path), what, f"make room; {HOW_TO_GO_ON}") from None


def _connected(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, check_same_thread=False)
    base.execute(f"PRAGMA page_size = {PAGE}")  # of a file that is not there yet
    base.execute("PRAGMA journal_mode = WAL")
    base.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("PRAGMA secure_delete = ON")  # masks among the draws, however the library was built
    return base


_ARRAY = 1


def _packed(state: State) -> bytes:
    packed: bytes = msgpack.packb(state, default=_array)
    return packed


def _array(value: Any) -> msgpack.ExtType:
    assert isinstance(value, np.ndarray), f"{type(value).__name__} cannot be kept"
    parts = (value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes())
    return msgpack.ExtType(_ARRAY, msgpack.packb(parts))


def _unpacked(data: bytes) -> State:
    state: State = msgpack.unpackb(data, ext_hook=_as_array, strict_map_key=False)
    return state


def _as_array(code: int, data: bytes) -> Any:
    assert code == _ARRAY
    dtype, shape, body = msgpack.unpackb(data)
    return np.frombuffer(body, np.dtype(dtype)).reshape(shape).copy()
