"""Clusters of worker processes on this machine, for as long as a benchmark needs them."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from parties.config.resources import Compute

Cluster = Callable[[], AbstractContextManager[Compute]]

STORE = 256 << 20
"""Bytes that Ray keeps of what is on its way."""


@contextmanager
def threads() -> Iterator[Compute]:
    """No cluster: threads on all cores of this machine."""
    yield Compute()


def dask(workers: int) -> Cluster:
    """Return what starts a scheduler and so many processes of one thread."""

    @contextmanager
    def started() -> Iterator[Compute]:
        from distributed import LocalCluster

        # A party stays connected until its process ends: here its cluster ends before that.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        with LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster:
            yield Compute(backend="dask", address=cluster.scheduler_address)

    return started


def ray(workers: int) -> Cluster:
    """Return what starts a head and so many actors; only one in a process."""

    @contextmanager
    def started() -> Iterator[Compute]:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        import ray

        ray.init(
            "local",
            num_cpus=workers,
            object_store_memory=STORE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        yield Compute(backend="ray", address=ray.get_runtime_context().gcs_address)
        ray.shutdown()

    return started
