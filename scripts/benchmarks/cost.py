"""What `vfl check` foretells of a training, against the training: seconds, bytes, ciphertexts, round trips.

    demo-N             the demo's portfolio of N common customers
    demo-N-two-hosts   the same with a lender that has half of the insurer's columns
    SET-logistic       a real set's regression
    SET-trees          its trees
    ...-alone          any of these without an arbiter

Round trips are messages of one training that had to follow one another, by all audit logs, a pair each.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parties.config.job import Job
from parties.config.packaged import demo_configs
from parties.config.party import Party
from parties.config.yaml import dump, load
from parties.cost.estimate import cost, shape_of
from parties.cost.phase import Link, Phase
from parties.cost.probe import cores_here, probe
from parties.cost.shape import Regression
from parties.cost.work import Rates
from parties.demo.portfolio import write
from parties.inspection import inspect
from psi.group import best as best_group
from scripts.benchmarks.real.jobs import Case, run, write_files, write_job
from scripts.benchmarks.real.tree_jobs import TreeCase
from scripts.benchmarks.staged.stage import ROLES, TWO_HOSTS, share_columns
from scripts.benchmarks.staged.traffic import lines_of, replayed
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
    """Write a job and its tables; return its path."""
    arbiter = not name.endswith("-alone")
    name = name.removesuffix("-alone")
    if name.startswith("demo-"):
        return demo_job(name.removeprefix("demo-"), folder, arbiter)
    what, _, kind = name.rpartition("-")
    if kind == "trees":
        return TreeCase(what, arbiter, 15, 4).write(folder)
    return write_job(Case(what), folder, arbiter=arbiter)


def demo_job(name: str, folder: Path, arbiter: bool) -> Path:
    """Write the demo's job with N or N-two-hosts customers."""
    customers, _, cast = name.partition("-")
    folder.mkdir(parents=True)
    write(folder, int(customers), 7)
    files = {source.stem: load(source).data for source in demo_configs()}
    tables = {party: files[party]["data"] for party in ("bank", "insurer")}
    if cast:
        share_columns(folder)
        tables["lender"] = tables["insurer"] | {"table": "lender.csv"}
    roles = {
        name: role for name, role in (TWO_HOSTS if cast else ROLES).items() if arbiter or role != "arbiter"
    }
    sections = {key: said for key, said in files["job"].items() if key not in ("vfl", "purpose", "parties")}
    return write_files(folder, roles, sections, tables.__getitem__)


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
    parties = [_party(job, job_path, name) for name in (job.guest, *job.hosts)]
    sides = [inspect(job, party, gates, fits=True) for party in parties]
    shape = shape_of(job, sides, report["rows"]["train"])
    assert shape is not None
    if isinstance(shape.model, Regression):
        degrees = tuple(report["degrees"])
        yield Line("sum of degrees", sum(shape.model.degrees), sum(degrees))
        taken = replace(shape.model, degrees=degrees, sampled=report.get("sampled", 0))
        shape = replace(shape, model=taken)
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
    yield Line("ciphertexts, thousands", sum(p.ciphertexts for p in everything) / 1e3, _sealed(out) / 1e3)
    logs = {path.parent.name: lines_of(path, report["run"]) for path in out.glob("*/state/*/audit.jsonl")}
    hops = max(replayed(logs, delay=0.0, rate=math.inf).hops.values())
    yield Line("round trips", sum(p.trips + p.waits for p in everything), hops / 2)


def _sealed(out: Path) -> int:
    """Return the ciphertexts that all ledgers of a training count."""
    entries = [entry for path in out.glob("*/ledger.json") for entry in json.loads(path.read_text())]
    sealed = (e for e in entries if e["phase"] not in ALIGNED and e["message"] != "DecryptedSums")
    return sum(entry["sealed_values"] for entry in sealed)


def _party(job: Job, path: Path, name: str) -> Party:
    return Party.load(path.parent / f"{name}.yaml", job)


def main() -> None:
    """Run every case that is asked for, and print what was foretold of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    usual = ["demo-20000", "german-logistic", "default_credit-logistic", "default_credit-trees"]
    parser.add_argument("cases", nargs="*", default=usual, help="as above")
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
