"""One training by threads, by Dask's workers and by Ray's: seconds, and whether the models are the same.

All parties are in this process, take turns, and share the workers, which are processes of this machine:
with as many workers as cores, seconds over those of threads are what sharing costs.  Rows come in one order,
so that models can be compared to the last bit.  A second training loses a worker in the middle of its fit.

    scripts/bench engines --rows 20000
    VFL_ARITHMETIC=gmp VFL_GROUP=sodium scripts/bench engines --rows 2000
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import shake_256
from pathlib import Path
from typing import Any

from parties.clusters.choice import arithmetic, cluster
from parties.config.job import Job
from parties.config.party import Party
from parties.config.resources import Compute
from parties.programs import arbiter, host
from parties.programs.run import Run
from parties.programs.training import training
from parties.progress import Silent
from parties.sources import read_training
from scripts.benchmarks.arithmetic import inputs, ours
from scripts.benchmarks.arithmetic.inputs import Inputs
from scripts.benchmarks.generated.portfolio import Portfolio
from scripts.benchmarks.measuring import clusters
from scripts.benchmarks.measuring.answer import add_json, answer, number
from scripts.benchmarks.measuring.clock import load, rate
from scripts.benchmarks.real.jobs import write_job
from vfl.crypto.paillier import PrivateKey
from vfl.crypto.randomness import Randomness
from vfl.wire.memory import run_in_memory

ENGINES = {
    "threads": clusters.threads,
    "dask 2": clusters.dask(2),
    "dask 4": clusters.dask(4),
    "ray 2": clusters.ray(2),
}
SHARED = (
    inputs.ENCRYPT,
    inputs.DECRYPT,
    inputs.by_bin(10),
    inputs.numeric(24),
    inputs.POWERS,
)
"""Operations that are worth sending."""

PROBES = 16
"""Chunks that are asked who they are computed by."""


class Repeated(Randomness):
    """The same bytes in every training: whoever knows them knows everything."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls = 0

    def bytes(self, size: int) -> bytes:
        """Return the next bytes."""
        self._calls += 1
        return shake_256(str(self._calls).encode()).digest(size)


class Killing(Silent):
    """Progress that has one process killed when the first rows of a fit are done."""

    def __init__(self, victim: int) -> None:
        self.victim = victim

    def advance(self, done: float, note: str = "") -> None:
        """Kill it, once."""
        if self.victim and note:
            os.kill(self.victim, signal.SIGKILL)
            self.victim = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """Both parties' halves, and the seconds that all took."""

    halves: dict[str, Any]
    seconds: float


def trained(job: Path, compute: Compute, progress: Silent) -> Trained:
    """Train with all parties in this process."""
    agreed = Job.load(job)
    own = {name: Party.load(job.parent / f"{name}.yaml", agreed) for name in agreed.parties}
    runs = {
        name: Run.begin(
            agreed,
            party.model_copy(update={"compute": compute}),
            "run",
            "train",
            progress,
            rng=Repeated(),
        )
        for name, party in own.items()
    }
    begun = time.perf_counter()
    told = run_in_memory(
        {
            "bank": training(runs["bank"], read_training(own["bank"].data)),
            "insurer": host.training(runs["insurer"], read_training(own["insurer"].data)),
            "trustee": arbiter.training(runs["trustee"]),
        },
        keep=False,
    ).results
    seconds = time.perf_counter() - begun
    return Trained({name: told[name].half.as_json() for name in ("bank", "insurer")}, seconds)


def rates(compute: Compute, key: PrivateKey, given: Inputs) -> dict[str, float]:
    """Return how many of each operation a second of the clock sees."""
    operations = ours.operations(arithmetic(compute), key, given)
    return {one[0]: rate(one, time.perf_counter) for one in operations if one[0] in SHARED}


def measured(
    engine: clusters.Cluster, job: Path, key: PrivateKey, given: Inputs, same: Callable[[Trained], bool]
) -> dict[str, Any]:
    """Return what one engine does, and whether its models are the expected ones."""
    with engine() as compute:
        found: dict[str, Any] = {"per second": rates(compute, key, given)}
        alone = trained(job, compute, Silent())
        found |= {"seconds": alone.seconds, "same": same(alone)}
        if workers := cluster(compute):
            killing = Killing(workers.map(os.getpid, [()] * PROBES)[0])
            robbed = trained(job, compute, killing)
            assert not killing.victim, "the fit was over before anybody was killed"
            found |= {"seconds, one killed": robbed.seconds, "same, one killed": same(robbed)}
    return found


def lines(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the trainings, then the operations, each over those of threads."""
    base = found["threads"]
    yield f"{'':28}" + "".join(f"{name:>12}" for name in found)
    for what in ("seconds", "seconds, one killed"):
        yield f"{what:28}" + "".join(number(one.get(what), 12) for one in found.values())
        times = [one[what] / base["seconds"] if what in one else None for one in found.values()]
        yield f"{'  times those of threads':28}" + "".join(number(value, 12) for value in times)
    for what in ("same", "same, one killed"):
        told = [str(one.get(what, "-")) for one in found.values()]
        yield f"{'model: ' + what:28}" + "".join(f"{value:>12}" for value in told)
    for what, rate_of_threads in base["per second"].items():
        yield f"{what:28}" + "".join(number(one["per second"][what], 12) for one in found.values())
        times = [one["per second"][what] / rate_of_threads for one in found.values()]
        yield f"{'  times that of threads':28}" + "".join(number(value, 12) for value in times)


def main() -> None:
    """Print what each engine takes, and over threads."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000, help="common customers, all train")
    parser.add_argument("--gradients", type=int, default=4, help="break the fit off after so many")
    add_json(parser)
    options = parser.parse_args()
    key, given = PrivateKey.generate(2048, Randomness()), Inputs.drawn(options.rows)
    found: dict[str, dict[str, Any]] = {}
    first: list[Trained] = []

    def same(other: Trained) -> bool:
        first.append(other)
        return other.halves == first[0].halves

    with tempfile.TemporaryDirectory(prefix="vfl-") as name:
        case = Portfolio(Path(name), options.rows, options.gradients)
        case.write()
        job = write_job(case, case.folder)
        for engine, start in ENGINES.items():
            found[engine] = measured(start, job, key, given, same)
    answer({"rows": options.rows, "load": load(), "engines": found}, lines(found), options.json)


if __name__ == "__main__":
    main()
