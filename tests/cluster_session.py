"""A small training on a cluster of two workers, one of which dies at its work: dask over TLS, or ray.

Prints as JSON what the chunks of the dying worker came to, and both parties' coefficients.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from program_runs import BANK, INSURER, job, party
from seeded import Seeded

from parties.clusters.choice import cluster
from parties.config.resources import Compute
from parties.programs import arbiter, host
from parties.programs.run import Run
from parties.programs.training import training
from parties.progress import Silent
from vfl.wire.certificates import create_identity, save_identity
from vfl.wire.memory import run_in_memory

FIT = "features: {bins: 3}\nmodel: {tolerance: 0.1, max_iter: 2}\nencryption: {randomiser_bits: 320}"
CHUNKS = 8


def mortal(marker: str, number: int) -> int:
    """Return the number, but kill the first worker that comes here."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return number
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def trained(compute: Compute) -> dict[str, Any]:
    """Return the coefficients of a training whose randomness is known, to the last bit."""
    agreed = job(FIT, allow=("few_rows",))
    runs = [
        Run.begin(
            agreed,
            party(name).model_copy(update={"compute": compute}),
            "run 1",
            "train",
            Silent(),
            rng=Seeded(seed),
        )
        for seed, name in enumerate(agreed.parties)
    ]
    bank, insurer, trustee = runs
    roles = {
        "bank": training(bank, BANK),
        "insurer": host.training(insurer, INSURER),
        "trustee": arbiter.training(trustee),
    }
    told = run_in_memory(roles).results
    return {name: told[name].half.as_json() for name in ("bank", "insurer")}


@contextmanager
def dask(folder: Path) -> Iterator[Compute]:
    """Start two worker processes behind a scheduler that speaks TLS alone."""
    from distributed import LocalCluster
    from distributed.security import Security

    save_identity(create_identity("cluster"), folder)
    certificate, key = folder / "cluster.crt", folder / "cluster.key"
    files = {"ca_file": str(certificate)}
    for end in ("client", "scheduler", "worker"):
        files |= {f"{end}_cert": str(certificate), f"{end}_key": str(key)}
    security = Security(require_encryption=True, **{f"tls_{name}": file for name, file in files.items()})
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        protocol="tls://",
        security=security,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as started:
        address = started.scheduler_address
        yield Compute(
            backend="dask", address=address, authority=certificate, certificate=certificate, key=key
        )


@contextmanager
def ray(folder: Path) -> Iterator[Compute]:
    """Start a head with two cores and little memory."""
    import ray

    ray.init(
        "local",
        num_cpus=2,
        object_store_memory=100 << 20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield Compute(backend="ray", address=ray.get_runtime_context().gcs_address)
    ray.shutdown()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, {"dask": dask, "ray": ray}[sys.argv[1]](Path(name)) as own:
        marker = str(Path(name, "marker"))
        found = cluster(own)
        assert found is not None
        numbers = found.map(mortal, ((marker, number) for number in range(CHUNKS)))
        print(json.dumps({"numbers": numbers, "slots": found.slots, "trained": trained(own)}))
