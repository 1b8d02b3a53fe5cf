"""Writes to a disk in order, beside the work of who asks for it, and as many at once as wait.

    put -> waiting -> one commit for all that wait -> what each is to be followed by

A disk takes as long for one write as for ten, and whoever encrypts need not wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

MOST_WAITING = 64 << 20
"""Bytes that wait before `put` does."""

SMALL = 1 << 16
"""Bytes of writes for which it is worth to wait for others that come at once."""

MOMENT = 0.002
"""Seconds for which small writes wait for others, unless somebody is in a hurry: a commit takes longer."""


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be written, how large it is, and what follows once it is on the disk."""

    act: Callable[[], object]
    size: int
    then: Callable[[], None]


class Writer:
    """A thread that begins with the first write.  `commit` brackets those that are made at once."""

    def __init__(self, commit: Callable[[], AbstractContextManager[None]]) -> None:
        self.on_failure: Callable[[Exception], None] = lambda _: None
        """Told, in the writer's thread, what went wrong; `put` and `settle` raise it as well."""
        self._commit = commit
        self._changed = threading.Condition()
        self._waiting: list[Write] = []
        self._held = 0
        self._busy = False
        self._hurries = False
        self._ended = False
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None

    def put(self, write: Write) -> None:
        """Let this be written after all before; wait while too much waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._held < MOST_WAITING or self._failure)
            self._raise_failure()
            assert not self._ended, "a write after the end"
            self._waiting.append(write)
            self._held += write.size
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def hurry(self) -> None:
        """Write what waits now: nothing else will come soon."""
        with self._changed:
            self._hurries = bool(self._waiting)
            self._changed.notify_all()

    def settle(self) -> None:
        """Return once all is written, and what follows is done; raise what went wrong."""
        self.hurry()
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._ended or not (self._waiting or self._busy))
            self._raise_failure()

    def end(self) -> None:
        """Write nothing more, whatever waits."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while writes := self._next():
                with self._commit():
                    for write in writes:
                        write.act()
                for write in writes:
                    write.then()
        except Exception as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()
            self.on_failure(error)

    def _next(self) -> list[Write]:
        """Return all that waits, once something does; nothing in the end."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._ended)
            self._changed.wait_for(lambda: self._hurries or self._ended or self._held > SMALL, MOMENT)
            writes, self._waiting, self._held = self._waiting, [], 0
            self._busy, self._hurries = True, False
            return writes
