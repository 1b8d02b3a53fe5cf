"""What a command's processes leave on the disk: bytes written, and the most that a folder held at once."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

PULSE = 0.5
"""Seconds between two looks: what a process writes in its last ones is not seen."""


class Watch:
    """A look at a process, at those below it and at a folder, every half second while the block runs."""

    def __init__(self, process: int, folder: Path) -> None:
        self.largest = 0
        """Bytes of the folder's files, the most that were seen."""
        self._process, self._folder = process, folder
        self._wrote: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def written(self) -> int:
        """Bytes that all processes have had written to the disk; 0 where there is no /proc."""
        return sum(self._wrote.values())

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(PULSE):
            self.largest = max(self.largest, _size(self._folder))
            for pid in _family(self._process):
                self._wrote[pid] = max(self._wrote.get(pid, 0), _written(pid))


def watched(command: Sequence[str], folder: Path) -> Watch:
    """Run a command; return what was seen.  Raises CalledProcessError where it fails."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process, Watch(process.pid, folder) as seen:
        code = process.wait()
    if code:
        raise subprocess.CalledProcessError(code, command)
    return seen


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, _text(children).split())
    return found


def _written(pid: int) -> int:
    lines = [line for line in _text(Path(f"/proc/{pid}/io")).splitlines() if line.startswith("write_bytes")]
    return int(lines[0].split()[1]) if lines else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
