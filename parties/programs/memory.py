"""How much memory a party took: its own process and its workers.

Where /proc exists each process's peak is its VmHWM, the most memory it had resident since it
started, and the sum is taken over this process and all its living descendants.  The sum errs
upwards: the peaks need not have fallen together, and pages that processes share count in each.  A
worker that has ended is not counted; joblib's live for 300 idle seconds, longer than the run's end.
A server counts from its start, not from the start of the run.

Elsewhere the operating system tells this process's own peak alone.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def peak_memory() -> dict[str, int]:
    """Return "peak_memory_mb", the sum, and "worker_processes", how many of them are in it."""
    own = _status(PROC / "self")
    if "VmHWM" not in own:
        return {"peak_memory_mb": _own_peak() >> 20, "worker_processes": 0}
    workers = list(_descendants(own["Pid"]))
    kilobytes = own["VmHWM"] + sum(status.get("VmHWM", 0) for status in workers)
    return {"peak_memory_mb": kilobytes >> 10, "worker_processes": len(workers)}


def _descendants(ancestor: int) -> Iterator[dict[str, int]]:
    """Yield the status of every living process below one."""
    children: dict[int, list[dict[str, int]]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal() and (status := _status(folder)):
            children.setdefault(status["PPid"], []).append(status)
    below = [ancestor]
    while below:
        for status in children.get(below.pop(), []):
            below.append(status["Pid"])
            yield status


def _status(folder: Path) -> dict[str, int]:
    """Return the numbers of a process's status; none of one that has just ended."""
    try:
        lines = (folder / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    words = (line.replace(":", " ").split() for line in lines)
    return {key: int(value[0]) for key, *value in words if key in ("Pid", "PPid", "VmHWM")}


def _own_peak() -> int:
    """Return the bytes that getrusage tells: in kilobytes but on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
