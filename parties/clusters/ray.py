"""A Ray cluster, through joblib.  An actor that is lost starts anew, and does its chunk again.

A chunk is sent as one tuple: larger arguments joblib's backend would keep for as long as its pool lives.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config

from parties.clusters.mapped import Call, computed, lost, mapped
from parties.config.resources import Compute

T = TypeVar("T")

LOSSES = 3
"""How often the work of one actor is begun anew: as often as Dask does."""


class Ray:
    """Actors on a cluster, one for each of its cores, of which none is reserved."""

    def __init__(self, compute: Compute) -> None:
        """Reach the cluster; raises ConnectionError or RuntimeError where none answers."""
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reports its use unless told otherwise
        if compute.encrypted:  # read when Ray is imported
            os.environ["RAY_USE_TLS"] = "1"
            os.environ["RAY_TLS_CA_CERT"] = str(compute.authority)
            os.environ["RAY_TLS_SERVER_CERT"] = str(compute.certificate)
            os.environ["RAY_TLS_SERVER_KEY"] = str(compute.key)
        import ray
        from ray._private import worker
        from ray.util.joblib import register_ray

        worker._worker_logs_enabled = False  # it tells of lost actors on stdout, which is for results
        if not ray.is_initialized():
            ray.init(compute.address, log_to_driver=False, logging_level=logging.ERROR)
        register_ray()
        lasting = {"max_restarts": LOSSES, "max_task_retries": LOSSES, "scheduling_strategy": "SPREAD"}
        with parallel_config(backend="ray", ray_remote_args=lasting):
            self._pool = Parallel(n_jobs=-1, batch_size=1)
        self._pool.__enter__()  # actors take a second to start: they stay until this process ends
        self._lock = threading.Lock()
        self._compute, self._error = compute, ray.exceptions.RayError
        self.slots = int(ray.cluster_resources()["CPU"])

    def __repr__(self) -> str:
        return f"Ray({self._compute.address})"

    def map(self, work: Callable[..., T], chunks: Iterable[tuple[Any, ...]]) -> list[T]:
        """Return work(*chunk) of every chunk, in their order.

        Raises PausedError where actors are lost again and again.
        """
        with self._lock, lost(self._compute, self._error):  # joblib's pool takes one batch of work at a time
            return mapped(self._computed, work, chunks)

    def _computed(self, calls: Iterable[Call]) -> Iterable[tuple[str, Any]]:
        answers: list[tuple[str, Any]] = self._pool(delayed(computed)(*call) for call in calls)
        return answers
