"""What a command's processes leave on the disk: bytes written, and the most that a folder held at once."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

PULSE = 0.5
"""Seconds between two looks at the folder."""


class Watch:
    """A look at a folder every half second while the block runs, and at what is written meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.largest = 0
        """Bytes of the folder's files, the most that were seen."""
        self.written = 0
        """Bytes that processes begun and ended in the block had written to the disk; 0 without a /proc."""
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self.written = -_written()
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self.written += _written()

    def _watch(self) -> None:
        while not self._over.wait(PULSE):
            self.largest = max(self.largest, _size(self._folder))


def watched(command: Sequence[str], folder: Path) -> Watch:
    """Run a command; return what was seen.  Raises CalledProcessError where it fails."""
    with Watch(folder) as seen:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return seen


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _written() -> int:
    """Return what this process wrote, and every one below it that has ended: Linux adds theirs to ours."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
