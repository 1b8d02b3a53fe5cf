"""A cluster of this process's threads: what is sent to it is computed, on whichever thread is free."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from joblib import Parallel, delayed

T = TypeVar("T")


class Threaded:
    """Two threads; `sent` counts the chunks that they were given."""

    slots = 2

    def __init__(self) -> None:
        self.sent = 0

    def map(self, work: Callable[..., T], chunks: Iterable[tuple[Any, ...]]) -> list[T]:
        calls = [delayed(work)(*chunk) for chunk in chunks]
        self.sent += len(calls)
        return list(Parallel(self.slots, "threading")(calls))
