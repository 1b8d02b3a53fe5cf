"""A Dask cluster.  Its scheduler gives the chunks of a lost worker to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from distributed import Client, KilledWorker
from distributed.security import Security
from joblib import Parallel, parallel_config

from parties.clusters.mapped import computed, lost, mapped, there
from parties.config.resources import Compute
from vfl import __version__

T = TypeVar("T")

CONNECT = "20s"


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

        Raises PausedError where the scheduler or all workers are lost.
        """
        with (
            lost(self._compute, CancelledError, KilledWorker, OSError),
            parallel_config(backend="dask", client=self._client),
        ):
            return mapped(Parallel(n_jobs=-1, batch_size=1), work, chunks)

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
        # Every worker is asked: Dask waits for ever for a chunk whose worker cannot load this library.
        mapped(lambda _: client.run(computed, __version__, (there, ())).values(), there, [()])
        return client
