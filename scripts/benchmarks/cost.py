"""What `vfl check` foretells of a training, against the training: seconds, bytes, by phase."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parties.config.job import Job
from parties.config.party import Party
from parties.config.yaml import dump, load
from parties.cost.estimate import cost, shape_of
from parties.cost.phases import Link, Phase
from parties.cost.probe import cores_here, probe
from parties.cost.shape import Regression
from parties.cost.work import Rates
from parties.demo.portfolio import write
from parties.inspection import inspect
from psi.group import best as best_group
from scripts.benchmarks.real.jobs import Case, run, write_job
from scripts.benchmarks.real.tree_jobs import TreeCase
from vfl.crypto.modular import best

ALIGNED = ("ecdh", "several")
BESIDE = ("agreement", "split", "scoring")
"""Phases of run.json that are no part of the model's: all others are."""


@dataclass(frozen=True, slots=True)
class Line:
    """A number foretold and measured."""

    what: str
    foretold: float
    measured: float

    def shown(self, unit: str) -> str:
        """Return it as a line."""
        ratio = self.foretold / self.measured
        return f"  {self.what:34}{self.foretold:10.2f}{self.measured:10.2f} {unit:4}{ratio:7.2f}"


def job_of(name: str, folder: Path) -> Path:
    """Write a job and its tables; return its path.  NAME is demo-N, SET-logistic or SET-trees."""
    what, _, kind = name.rpartition("-")
    if what == "demo":
        from parties.config.packaged import demo_configs

        folder.mkdir(parents=True)
        write(folder, int(kind), 7)
        for source in demo_configs():
            (folder / source.name).write_bytes(source.read_bytes())
        return folder / "job.yaml"
    if kind == "trees":
        return TreeCase(what, True, 15, 4).write(folder)
    return write_job(Case(what), folder)


LOOPBACK = Link(bytes_per_second=1e9, round_trip=2e-4)


def confined(job: Path) -> None:
    """Give every party of a job one core, as if it had a machine of one core."""
    for file in job.parent.glob("*.yaml"):
        data = load(file).data
        if "party" in data:
            dump(data | {"compute": {"processes": 1}}, file)


def compared(job_path: Path, out: Path, rates: Rates, *, apart: bool) -> Iterator[Line]:
    """Yield what was foretold of a finished run beside what it took.

    `apart`: every party had one core to itself, for which the rates are.
    """

    def seconds(foretold: list[Phase]) -> float:
        return sum(p.apart(rates, LOOPBACK) if apart else p.together(rates) for p in foretold)

    job = Job.load(job_path)
    report: dict[str, Any] = json.loads((out / "guest" / "run.json").read_text(encoding="utf-8"))
    gates = job.open_gates()
    sides = [inspect(job, _party(job, job_path, name), gates) for name in (job.guest, *job.hosts)]
    shape = shape_of(job, sides, report["rows"]["train"])
    assert shape is not None
    if isinstance(shape.model, Regression):
        degrees = tuple(report["degrees"])
        yield Line("sum of degrees", sum(shape.model.degrees), sum(degrees))
        shape = replace(shape, model=replace(shape.model, degrees=degrees))
    parts: dict[str, list[Phase]] = {"start": [], "alignment": [], "model": []}
    for phase in cost(shape, rates).phases:
        parts[phase.name if phase.name in parts else "model"].append(phase)
    took = {name: phase["seconds"] for name, phase in report["phases"].items()}
    aligned = sum(took[name] for name in ALIGNED if name in took)
    yield Line("alignment, s", seconds(parts["alignment"]), aligned)
    yield Line(
        "model, s",
        seconds(parts["model"]),
        sum(took.values()) - aligned - sum(took.get(k, 0) for k in BESIDE),
    )
    everything = [phase for phases in parts.values() for phase in phases]
    yield Line("training, s", seconds(everything), report["seconds"])
    books = [json.loads(file.read_text(encoding="utf-8"))["phases"] for file in out.glob("*/run.json")]
    sent = sum(cost["sent"] for phases in books for cost in phases.values())
    yield Line("all bytes, MB", sum(p.sent for p in everything) / 1e6, sent / 1e6)


def _party(job: Job, path: Path, name: str) -> Party:
    return Party.load(path.parent / f"{name}.yaml", job)


def main() -> None:
    """Run every case that is asked for, and print what was foretold of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual = ["demo-20000", "german-logistic", "default_credit-logistic", "default_credit-trees"]
    parser.add_argument("cases", nargs="*", default=usual, help="demo-N, SET-logistic or SET-trees")
    parser.add_argument("--apart", action="store_true", help="one core a party, as if it had its own machine")
    arguments = parser.parse_args()
    wanted, cores = os.environ.get("VFL_ARITHMETIC"), 1 if arguments.apart else cores_here()
    print(f"{'':36}{'foretold':>10}{'measured':>10}{'':5}{'ratio':>7}")
    for name in arguments.cases:
        rates = probe(best(cores, wanted), best_group(cores, os.environ.get("VFL_GROUP")), 2048, 0, cores)
        with tempfile.TemporaryDirectory() as folder:
            job = job_of(name, Path(folder) / "job")
            if arguments.apart:
                confined(job)
            run(job, Path(folder) / "out")
            print(name)
            for line in compared(job, Path(folder) / "out", rates, apart=arguments.apart):
                print(line.shown(""))


if __name__ == "__main__":
    main()
