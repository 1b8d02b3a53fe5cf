"""How long a party took: by the clock, and by the cores of its own process and its workers.

CPU seconds beside seconds tell how many cores were busy.  Those of workers are of the processes
below this one, living ones as /proc tells them (nothing where there is no /proc), ended ones as
the operating system keeps them for whoever waited.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

OWN_TASKS = Path("/proc/self/task")
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Effort:
    """Seconds and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._begun, self._cpu = time.monotonic(), cpu_seconds()

    def as_json(self) -> dict[str, float]:
        """Return both until now, to a millisecond."""
        seconds, cpu = time.monotonic() - self._begun, cpu_seconds() - self._cpu
        return {"seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3)}


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of every process that it or its workers started."""
    waited_for = os.times()
    ended = waited_for.children_user + waited_for.children_system
    return time.process_time() + ended + sum(_seconds_of(tasks.parent) for tasks in _below(OWN_TASKS))


def _below(tasks: Path) -> Iterator[Path]:
    """Yield the folder of threads of every living process below one, itself left out."""
    for child in _words(tasks.glob("*/children")):
        folder = Path("/proc", child, "task")
        yield folder
        yield from _below(folder)


def _seconds_of(process: Path) -> float:
    """Return the CPU seconds of a process and of its children that have ended; 0 if it is gone."""
    # "pid (name) state ...": the name may hold blanks; utime, stime, cutime, cstime are 11 fields on
    fields = _text(process / "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def _words(files: Iterator[Path]) -> list[str]:
    return [word for file in files for word in _text(file).split()]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
