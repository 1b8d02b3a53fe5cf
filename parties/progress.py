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
        """Say how much of the phase is done, and what is going on."""
        ...

    def warn(self, text: str) -> None:
        """Tell the operator what may be wrong and does not end the run."""
        ...


class Silent:
    """Progress that nobody watches."""

    def phase(self, name: str, total: float | None = None) -> None:
        """Begin a phase."""

    def advance(self, done: float, note: str = "") -> None:
        """Say how much is done."""

    def warn(self, text: str) -> None:
        """Say what may be wrong."""


class Pace:
    """How long a phase has taken, and how long it will still take."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin(None)

    def begin(self, total: float | None) -> None:
        """Begin a phase."""
        self._begun, self._total = self._clock(), total

    def told(self, done: float) -> list[str]:
        """Return the share that is done and the seconds still needed, if there is an estimate."""
        if not self._total:
            return []
        share = done / self._total
        if not 0 < share < 1:
            return []
        left = self.elapsed * (1 - share) / share
        return [f"{share:.0%}", f"{max(left, 1):.0f} s left"]

    @property
    def elapsed(self) -> float:
        """Seconds since the phase began."""
        return self._clock() - self._begun


class Lines:
    """One line when a phase begins, and one more whenever `EVERY` seconds have passed in it."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._name = ""
        self._pace = Pace(clock)
        self._said = 0.0

    def phase(self, name: str, total: float | None = None) -> None:
        """Begin a phase."""
        self._name, self._said = name, 0.0
        self._pace.begin(total)
        self._say(name)

    def advance(self, done: float, note: str = "") -> None:
        """Say how much is done, unless it was said a moment ago."""
        told = self._pace.told(done)
        elapsed = self._pace.elapsed
        if elapsed - self._said < EVERY:
            return
        self._said = elapsed
        words = ", ".join([*([note] if note else []), *told])
        self._say(f"{self._name} for {elapsed:.0f} s: {words}" if words else f"{self._name}, {elapsed:.0f} s")

    def warn(self, text: str) -> None:
        """Say what may be wrong."""
        self._say(f"warning: {text}")

    def _say(self, text: str) -> None:
        self._stream.write(f"vfl: {text}\n")
        self._stream.flush()


class Bar:
    """A bar per phase, with the time it has taken and the time it still needs."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
        )
        self._pace = Pace(time.monotonic)
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
        self._pace.begin(total)
        self._task = self._bars.add_task(name, total=total, note="")

    def advance(self, done: float, note: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            words = ", ".join([*([note] if note else []), *self._pace.told(done)])
            self._bars.update(self._task, completed=done, note=words)

    def warn(self, text: str) -> None:
        """Say what may be wrong, above the bars."""
        self._bars.console.print(f"vfl: warning: {text}", markup=False, highlight=False, soft_wrap=True)

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
