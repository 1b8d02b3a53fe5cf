"""A small training on a cluster that loses a worker: Dask of three over TLS, or Ray of two.

Prints as JSON what the chunks of the dying worker came to, both parties' coefficients, and the error of a
chunk that fails; of Dask also that of a chunk of which every worker dies, and of one for which none is left.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster_chunks import deadly, failing, mortal
from program_runs import BANK, INSURER, job, party
from seeded import Seeded

from parties.clusters.choice import cluster
from parties.config.resources import Compute
from parties.programs import arbiter, host
from parties.programs.run import Run
from parties.programs.training import training
from parties.progress import Silent
from vfl.cluster import Cluster
from vfl.errors import VflError
from vfl.wire.certificates import create_identity, save_identity
from vfl.wire.memory import run_in_memory

FIT = "features: {bins: 3}\nmodel: {tolerance: 0.1, max_iter: 2}\nencryption: {randomiser_bits: 320}"
CHUNKS = 8


def failure(found: Cluster, work: Callable[[int], int]) -> str:
    """Return the kind and the text of the error that a chunk came to."""
    try:
        return f"an answer: {found.map(work, [(5,)])}"
    except (OSError, VflError) as error:
        return f"{type(error).__name__}: {error}"


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
    """Start three workers, and a scheduler that speaks TLS alone and gives a chunk up with its second."""
    from distributed import LocalCluster
    from distributed.security import Security

    save_identity(create_identity("cluster"), folder)
    certificate, key = folder / "cluster.crt", folder / "cluster.key"
    files = {"ca_file": str(certificate)}
    for end in ("client", "scheduler", "worker"):
        files |= {f"{end}_cert": str(certificate), f"{end}_key": str(key)}
    security = Security(require_encryption=True, **{f"tls_{name}": file for name, file in files.items()})
    with LocalCluster(
        n_workers=0,
        host="127.0.0.1",
        protocol="tls://",
        security=security,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as started:
        address, started.scheduler.allowed_failures = started.scheduler_address, 1
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--host", "127.0.0.1"]
        command += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
        command += ["--tls-ca-file", files["ca_file"]]
        command += ["--tls-cert", files["worker_cert"], "--tls-key", files["worker_key"]]
        workers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
        try:
            started.wait_for_workers(len(workers))
            yield Compute(
                backend="dask", address=address, authority=certificate, certificate=certificate, key=key
            )
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


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


def ends_of_dask(found: Cluster) -> dict[str, str]:
    """Return what a chunk comes to of which every worker dies, and one for which none is left."""
    from parties.clusters import dask

    died = failure(found, deadly)
    dask.LOOK = dask.PATIENCE = 0.1  # nobody will come
    return {"deadly": died, "deserted": failure(found, abs)}


if __name__ == "__main__":
    kind = sys.argv[1]
    with tempfile.TemporaryDirectory() as name, {"dask": dask, "ray": ray}[kind](Path(name)) as own:
        marker = str(Path(name, "marker"))
        found = cluster(own)
        assert found is not None
        numbers = found.map(mortal, ((marker, number) for number in range(CHUNKS)))
        results = {"numbers": numbers, "slots": found.slots, "trained": trained(own)}
        results["failing"] = failure(found, failing)
        print(json.dumps(results | (ends_of_dask(found) if kind == "dask" else {})))
