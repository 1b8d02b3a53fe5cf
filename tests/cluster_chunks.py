"""What the workers of a cluster are given to do: a module of its own, so that they load nothing for it."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def mortal(marker: str, number: int) -> int:
    """Return the number, but kill the first worker that comes here."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return number
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def failing(number: int) -> int:
    """Fail as a network does: no reason to think that the cluster is lost."""
    raise OSError(f"chunk {number}")


def deadly(number: int) -> int:
    """Kill every worker that comes here."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number
