"""A Dask cluster.  Its scheduler gives the chunks of a lost worker to another.

Not through joblib, whose backend for Dask hears of answers alone: it waits for ever for a chunk that the
scheduler has given up, such as one of which every worker dies, and where no worker is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker
from distributed.security import Security

from parties.clusters.mapped import Call, computed, lost, mapped, there
from parties.config.resources import Compute
from vfl import __version__

T = TypeVar("T")

Answer = tuple[str, Any]

CONNECT = "20s"

LOOK = 5.0
"""Seconds without an answer after which workers are counted."""

PATIENCE = 30.0
"""Seconds that a cluster may then be without any worker, since Dask starts lost ones anew; and that an answer
which is there may take to come."""

AHEAD = 4
"""Chunks for each slot that are on their way: the scheduler's memory need not hold all of them."""


class Dask:
    """The workers of a scheduler; a thread of one is a slot."""

    def __init__(self, compute: Compute) -> None:
        """Reach the scheduler; raises OSError where none answers, or none that the authority has signed."""
        self._compute = compute
        self._client = self._reached()

    def __repr__(self) -> str:
        return f"Dask({self._compute.address})"

    @property
    def slots(self) -> int:
        """Threads of all workers that are there now; at least one, who may still come."""
        with lost(self._compute, OSError):
            if self._client.status == "closed":  # a scheduler that was lost is not called again by it
                self._client = self._reached()
            return max(1, sum(int(count) for count in self._client.ncores().values()))

    def map(self, work: Callable[..., T], chunks: Iterable[tuple[Any, ...]]) -> list[T]:
        """Return work(*chunk) of every chunk, in their order.

        Raises PausedError where the scheduler or all workers are lost, or each that begins a chunk.
        """
        return mapped(self._computed, work, chunks)

    def _computed(self, calls: Iterable[Call]) -> Iterator[Answer]:
        ahead = AHEAD * self.slots
        sent: deque[Future[Answer]] = deque()
        for call in calls:
            # Arguments inside the function: Dask neither looks for tasks in them nor writes them to its logs.
            sent.append(self._client.submit(partial(computed, *call), pure=False))
            if len(sent) > ahead:
                yield self._answer(sent.popleft())
        while sent:
            yield self._answer(sent.popleft())

    def _answer(self, future: Future[Answer]) -> Answer:
        with lost(self._compute, CancelledError, KilledWorker, OSError):
            error = self._error(future)
            if isinstance(error, KilledWorker):
                raise error
            if error is None:
                answer: Answer = future.result(timeout=PATIENCE)
                return answer
        none: Answer = future.result()  # raises what the chunk did
        return none

    def _error(self, future: Future[Answer]) -> BaseException | None:
        """Wait for a chunk, as long as there are workers; return what it came to instead of an answer."""
        while True:
            try:
                error: BaseException | None = future.exception(timeout=LOOK)
                return error
            except TimeoutError:
                self._client.wait_for_workers(1, timeout=PATIENCE)

    def _reached(self) -> Client:
        compute, security = self._compute, Security(require_encryption=False)
        if compute.encrypted:
            security = Security(
                require_encryption=True,
                tls_ca_file=str(compute.authority),
                tls_client_cert=str(compute.certificate),
                tls_client_key=str(compute.key),
            )
        client = Client(compute.address, security=security, timeout=CONNECT, set_as_default=False)
        # Every worker is asked: one without this library would leave at its first chunk, and then the next.
        mapped(lambda _: client.run(computed, __version__, (there, ())).values(), there, [()])
        return client
