"""Rates of one core, and of threads beside one another."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Operation = tuple[str, float, Callable[[], object]]
"""What is done, how many of it one call does, and the call."""


def rate(operation: Operation, clock: Callable[[], float] = time.process_time, repeats: int = 3) -> float:
    """Return how many a second, by CPU seconds unless told otherwise: the best of some calls."""
    _, work, call = operation
    best = float("inf")
    for _ in range(repeats):
        begun = clock()
        call()
        best = min(best, clock() - begun)
    return work / best


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and all threads it starts meanwhile, on one core; where it can be told to."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def load() -> float:
    """Return how many processes wanted a core in the last minute: above the cores, rates are too low."""
    return os.getloadavg()[0]
