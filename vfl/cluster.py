"""Where a party's own work may go besides its own cores: a cluster that its institution runs.

Work on a chunk is a pure function of what is sent with it, randomness included: whoever does it, and
however often, the result is the same.  So a chunk whose worker is lost is simply given to another.
What is sent can be secret: a cluster is the party's own machine, and nobody else's.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

B = TypeVar("B")
T = TypeVar("T")

Best = Callable[[int, str | None], B]
"""Returns the fastest backend of a kind, for so many threads, or the one of this name."""

WORTH = 20e-3
"""Seconds of a core's work below which a chunk is not worth its journey: dearer than that are scheduling,
pickling and the network together."""

JOURNEY = 1e-8
"""Seconds that a byte takes to a worker or back, by Dask; Ray takes half of that."""

MOST_BYTES = 4 << 20
"""Bytes of the longest chunk."""

CHUNKS = 2
"""Chunks for each slot: enough to even out their ends."""


class Cluster(Protocol):
    """Workers that have this library, of this version."""

    @property
    def slots(self) -> int:
        """How many chunks are worked on at once."""
        ...

    def map(self, work: Callable[..., T], chunks: Iterable[tuple[Any, ...]]) -> list[T]:
        """Return work(*chunk) of every chunk, in their order, as often as workers are lost meanwhile.

        What `work` raises is raised here.  Chunks are taken as workers become free.
        """
        ...


@dataclass(frozen=True, slots=True)
class Workers(Generic[B]):
    """A cluster's workers as they compute with backends of one kind: each with the `best` that runs there.

    `wanted`: the backend at the workers, None for the fastest that each can run.  `worth`: seconds of
    work from which a chunk is sent.
    """

    cluster: Cluster
    best: Best[B]
    wanted: str | None
    worth: float

    def cut(self, rows: int, seconds: float, width: int, fewest: int = 1) -> list[slice]:
        """Cut rows as `chunks` does."""
        return chunks(rows, seconds, width, self.cluster.slots, self.worth, fewest)

    def map(self, calls: Iterable[Callable[[B], T]]) -> list[T]:
        """Return what workers' backends answer to every call, in their order."""
        return self.cluster.map(computed, ((self.best, self.wanted, call) for call in calls))


def chunks(
    rows: int, seconds: float, width: int, slots: int, worth: float = WORTH, fewest: int = 1
) -> list[slice]:
    """Cut rows that take so many seconds and bytes each; one slice, or none, is not worth sending.

    Rows that take less than twice as long to compute as to send stay.  `fewest`: rows of a chunk below
    which each takes longer.
    """
    least = max(fewest, round(worth / seconds))
    pieces = max(min(rows // least, CHUNKS * slots), -(-rows * width // MOST_BYTES))
    if rows < 2 * least or seconds < 2 * width * JOURNEY * worth / WORTH:
        pieces = 1
    cuts = [rows * i // pieces for i in range(pieces + 1)] if rows else []
    return [slice(first, end) for first, end in itertools.pairwise(cuts)]


def computed(best: Best[B], wanted: str | None, call: Callable[[B], T]) -> T:
    """Return what a worker's own backend answers to a call."""
    return call(_backend(best, wanted))


@functools.cache
def _backend(best: Best[B], wanted: str | None) -> B:
    return best(1, wanted)  # the cluster says how many chunks a worker takes at once
