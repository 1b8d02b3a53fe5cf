"""A training whose parties are killed at random moments, against the same training left alone.

    scripts/bench kills --model trees --times 30            one party at a time: bank, insurer, trustee
    scripts/bench kills --model logistic --times 5 --all    all three at the same moment

Every party is a process of its own over loopback TLS.  A killed one is started again at once: the
guest by `vfl resume`, the others by `serve`.  Both halves of the model must come out byte for byte
as those of the training that nobody disturbed, but for the run's name.

Trees are made of exact sums, so any two trainings give the same.  A regression's last bits depend
on the order of the rows, which alignment draws anew each time: all its trainings begin where one
was killed just after alignment.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from parties.config.job import Job
from parties.config.packaged import demo_configs
from parties.config.yaml import dump, load
from parties.contract.approval import approve
from parties.demo.portfolio import write
from parties.programs.lasting import abouts
from vfl.wire.certificates import create_identity, fingerprint, load_identity, save_identity

ROLES = {"bank": "guest", "insurer": "host", "trustee": "arbiter"}
PATIENCE = 300.0
"""Seconds in which a training must have ended, however often somebody was killed."""

TREES = {"kind": "trees", "n_estimators": 12, "max_depth": 3}
GATES = ["few_rows", "small_bins", "many_leaves"]


@dataclass
class Stage:
    """The files of three parties, and their processes."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *, again: bool = False) -> None:
        """Start a party, the guest with `vfl resume` if it was there `again`."""
        files = [str(self.folder / "job.yaml"), "--party", str(self.folder / f"{name}.yaml")]
        files += ["--out", str(self.folder / name)]
        if ROLES[name] == "guest":
            words = ["resume"] if again and self._begun() else ["guest", "train"]
        else:
            words = [ROLES[name], "serve"]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", "parties", *words, *files], stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        """End a party as a power cut would."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def aligned(self) -> bool:
        """Tell whether both tables are aligned, as the parties' journals say."""
        for name in ("bank", "insurer"):
            for path in (self.folder / name / "state").glob("*/journal.db"):
                with closing(sqlite3.connect(path)) as base:
                    if not base.execute("SELECT 1 FROM steps WHERE name = 'split'").fetchone():
                        return False
        return self._begun() and any((self.folder / "insurer" / "state").glob("*/journal.db"))

    def done(self) -> bool:
        """Tell whether the guest's training is over, though its process may have been killed since."""
        states = [about["state"] for about in abouts(self.folder / "bank")]
        return states == ["done"]

    def wait(self, seconds: float) -> bool:
        """Tell whether the guest has ended within so many seconds; a failure is raised."""
        try:
            code = self.processes["bank"].wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        if code:
            raise SystemExit(f"the guest ended with exit code {code}; see {self.folder}")
        return True

    def stop(self) -> None:
        """End whoever still runs, the servers once they have let their peers go."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not self._idle():
            time.sleep(0.1)
        for process in self.processes.values():
            process.terminate()
            process.wait()

    def models(self) -> dict[str, Any]:
        """Return both halves without the run's name."""
        halves = {n: json.loads((self.folder / n / "model.json").read_text()) for n in ("bank", "insurer")}
        return {name: {k: v for k, v in half.items() if k != "run"} for name, half in halves.items()}

    def _begun(self) -> bool:
        return any((self.folder / "bank" / "state").glob("*/journal.db"))

    def _idle(self) -> bool:
        return all((self.folder / name / "run.json").exists() for name in ("insurer", "trustee"))


def prepared(folder: Path, model: str, customers: int) -> Path:
    """Write the parties' files and tables; return the folder."""
    folder.mkdir(parents=True)
    write(folder, customers, 7)
    for source in demo_configs():
        shutil.copyfile(source, folder / source.name)
    job = load(folder / "job.yaml").data
    for name in ROLES:
        save_identity(create_identity(name), folder)
        job["parties"][name]["certificate"] = fingerprint((folder / f"{name}.crt").read_bytes())
    if model == "trees":
        job["model"] = TREES
        del job["features"]
        job["encryption"] = {"decryptions": 100_000}
    job["gates"] = {"allow": GATES}
    dump(job, folder / "job.yaml")
    agreed = Job.load(folder / "job.yaml")
    for name in ROLES:
        identity = load_identity(name, folder / f"{name}.key", folder / f"{name}.crt")
        approve(agreed, identity, folder / "approvals")
    ports = {name: _free_port() for name in ("insurer", "trustee")}
    for name in ROLES:
        _write_party(folder, name, ports)
    return folder


def cut_after_alignment(folder: Path) -> None:
    """Leave the parties as they are found when all are killed as soon as they are aligned."""
    stage = Stage(folder)
    for name in ("trustee", "insurer", "bank"):
        stage.start(name)
    while not stage.aligned():
        time.sleep(0.02)
    for name in ROLES:
        stage.kill(name)


def _write_party(folder: Path, name: str, ports: dict[str, int]) -> None:
    party = load(folder / f"{name}.yaml").data
    party["identity"] = {"certificate": f"{name}.crt", "key": f"{name}.key"}
    party["peers"] = {
        peer: {"certificate": f"{peer}.crt"} | _dial(name, peer, ports) for peer in ROLES if peer != name
    }
    if name in ports:
        party["listen"] = f"127.0.0.1:{ports[name]}"
    dump(party, folder / f"{name}.yaml")


def _dial(name: str, peer: str, ports: dict[str, int]) -> dict[str, str]:
    """Return how a peer is dialled: the bank dials both others, the insurer the trustee."""
    order = list(ROLES)
    return {"dial": f"127.0.0.1:{ports[peer]}"} if order.index(name) < order.index(peer) else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def trained(
    source: Path, folder: Path, moments: list[float], victims: list[str]
) -> tuple[dict[str, Any], float]:
    """Train in a copy of the files, killing the victims at these moments; return models and seconds."""
    shutil.copytree(source, folder)
    stage = Stage(folder)
    begun = time.monotonic()
    for name in ("trustee", "insurer", "bank"):
        stage.start(name, again=True)
    try:
        for moment in moments:
            if stage.wait(max(0.0, begun + moment - time.monotonic())):
                break
            for name in victims:
                stage.kill(name)
            for name in victims:
                if name != "bank" or not stage.done():
                    stage.start(name, again=True)
        if not stage.done() and not stage.wait(PATIENCE):
            raise SystemExit(f"the training did not end within {PATIENCE:g} s; see {folder}")
        return stage.models(), time.monotonic() - begun
    finally:
        stage.stop()


def main() -> None:
    """Compare disturbed trainings with one that was not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("logistic", "trees"), default="trees")
    parser.add_argument("--times", type=int, default=30, help="trainings with a kill (default 30)")
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--all", action="store_true", help="kill all three at once")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        source = prepared(Path(temporary) / "files", options.model, options.customers)
        if options.model == "logistic":
            cut_after_alignment(source)
        wanted, seconds = trained(source, Path(temporary) / "alone", [], [])
        print(f"{options.model}, {options.customers} customers: {seconds:.1f} s undisturbed", flush=True)
        same = 0
        for k in range(options.times):
            victims = list(ROLES) if options.all else [list(ROLES)[k % 3]]
            moment = draw.uniform(0.5, 0.9 * seconds)
            got, took = trained(source, Path(temporary) / f"{k}", [moment], victims)
            seconds = min(seconds, took)  # the first one may have had to wait for the machine
            same += got == wanted
            told = "the same model" if got == wanted else "ANOTHER MODEL"
            who = ", ".join(victims)
            print(f"{k + 1:3}  {who} killed after {moment:5.1f} s: {told}, {took:.1f} s", flush=True)
        print(f"{same} of {options.times} ended with the same model, byte for byte")
        sys.exit(same != options.times)


if __name__ == "__main__":
    main()
