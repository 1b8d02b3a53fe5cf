"""How far a program is, told to whoever waits: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import TaskID

EVERY = 10.0
"""Seconds between two plain lines of one phase."""


class Progress(Protocol):
    """What programs report to."""

    def phase(self, name: str, total: float | None = None) -> None:
        """Begin a phase, which ends the one before; `total` is its size in any unit, if known."""
        ...

    def advance(self, done: float, note: str = "") -> None:
        """Say how much of the phase is done, counted from its beginning, and what is going on."""
        ...


class Silent:
    """Progress that nobody watches."""

    def phase(self, name: str, total: float | None = None) -> None:
        """Begin a phase."""

    def advance(self, done: float, note: str = "") -> None:
        """Say how much is done."""


class Lines:
    """One line when a phase begins, and one more whenever `EVERY` seconds have passed in it."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._name = ""
        self._total: float | None = None
        self._begun = self._said = clock()

    def phase(self, name: str, total: float | None = None) -> None:
        """Begin a phase."""
        self._name, self._total = name, total
        self._begun = self._said = self._clock()
        self._say("")

    def advance(self, done: float, note: str = "") -> None:
        """Say how much is done, unless it was said a moment ago."""
        now = self._clock()
        if now - self._said < EVERY:
            return
        self._said = now
        parts = [note] if note else []
        if self._total:
            share = min(done / self._total, 1.0)
            parts.append(f"{share:.0%}")
            if share > 0:
                parts.append(f"{(now - self._begun) * (1 - share) / share:.0f} s left")
        self._say(", ".join(parts))

    def _say(self, more: str) -> None:
        self._stream.write(f"vfl: {self._name}{': ' if more else ''}{more}\n")
        self._stream.flush()


class Bar:
    """A bar per phase, with the time it still needs."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Bar:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()

    def phase(self, name: str, total: float | None = None) -> None:
        """Begin a phase; the one before is shown as done."""
        self._finish()
        self._task = self._bars.add_task(name, total=total, note="")

    def advance(self, done: float, note: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, note=note)

    def _finish(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, total=1.0, completed=1.0, note="")


@contextmanager
def shown() -> Iterator[Progress]:
    """Give progress that is shown on stderr as suits it."""
    if sys.stderr.isatty():
        with Bar() as bar:
            yield bar
    else:
        yield Lines(sys.stderr)
