"""The parties of the demo, as processes of their own over loopback TLS: bank, insurer, trustee.

Or those of another cast: with a lender that has half of the insurer's columns, or without the trustee.
"""

from __future__ import annotations

import csv
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parties.config.job import Job
from parties.config.packaged import demo_configs
from parties.config.yaml import dump, load
from parties.contract.approval import approve
from parties.demo.portfolio import write
from parties.programs.lasting import abouts
from vfl.wire.certificates import create_identity, fingerprint, load_identity, save_identity

ROLES = {"bank": "guest", "insurer": "host", "trustee": "arbiter"}
TWO_HOSTS = {"bank": "guest", "insurer": "host", "lender": "host", "trustee": "arbiter"}
NO_ARBITER = {"bank": "guest", "insurer": "host"}
CALLS = (("bank", "insurer"), ("bank", "trustee"), ("insurer", "trustee"))
"""Who dials whom: everybody whoever comes later, but no host another host."""

SERVERS = ("insurer", "trustee")
PATIENCE = 300.0
"""Seconds in which a training must have ended, whatever befell it."""

TREES = {"kind": "trees", "n_estimators": 12, "max_depth": 3}
GATES = ["few_rows", "small_bins", "many_leaves"]
TRACES = ("Traceback", "Exception ignored", "this is a bug")


@dataclass
class Stage:
    """The files of some parties, and their processes."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    roles: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        parties = load(self.folder / "job.yaml").data["parties"]
        self.roles = {name: party["role"] for name, party in parties.items()}

    @property
    def with_data(self) -> list[str]:
        """The parties with a table."""
        return [name for name, role in self.roles.items() if role != "arbiter"]

    def start_all(self, *, again: bool = False, without: Collection[str] = ()) -> None:
        """Start all parties but some, the guest with `vfl resume` if it was there `again`."""
        for name in reversed(self.roles):
            if name not in without:
                self.start(name, again=again)

    def start(self, name: str, *, again: bool = False, words: Sequence[str] = ()) -> None:
        """Start a party, the guest with `vfl resume` if it was there `again`; or a command of these words."""
        files = [str(self.folder / "job.yaml"), "--party", str(self.folder / f"{name}.yaml")]
        files += ["--out", str(self.folder / name)]
        words = words or self._words(name, again)
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", "parties", *words, *files], stdout=log, stderr=log
            )

    def end(self, name: str, how: signal.Signals) -> int:
        """End a party, SIGKILL as a power cut would; return its exit code."""
        self.processes[name].send_signal(how)
        return self.processes[name].wait(60)

    def log(self, name: str) -> Path:
        """Return where a party's words go."""
        return self.folder / f"{name}.log"

    def traces(self) -> list[str]:
        """Return the lines of all logs that no operator should see."""
        logs = [self.log(name) for name in self.processes]
        lines = [line for log in logs for line in log.read_text().splitlines()]
        return [line for line in lines if any(trace in line for trace in TRACES)]

    def aligned(self) -> bool:
        """Tell whether the tables of all who were started are aligned, as their journals say."""
        return all(self.reached(name, "split") for name in self.with_data if name in self.processes)

    def reached(self, name: str, step: str) -> bool:
        """Tell whether a party's journal holds what a step leaves."""
        for path in (self.folder / name / "state").glob("*/journal.db"):
            with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path)) as base:
                return bool(base.execute("SELECT 1 FROM steps WHERE name = ?", (step,)).fetchone())
        return False

    def done(self) -> bool:
        """Tell whether the guest's training is over, though its process may have been ended since."""
        return [about["state"] for about in abouts(self.folder / "bank")] == ["done"]

    def code(self, seconds: float) -> int | None:
        """Return the guest's exit code, None if it has not ended within so many seconds."""
        try:
            return self.processes["bank"].wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, seconds: float) -> bool:
        """Tell whether the guest has ended within so many seconds; a failure is raised."""
        code = self.code(seconds)
        if code:
            raise SystemExit(f"the guest ended with exit code {code}; see {self.folder}")
        return code == 0

    def finish(self) -> None:
        """Wait until the guest has ended well; a training that takes too long is raised."""
        if not self.wait(PATIENCE):
            raise SystemExit(f"the training did not end within {PATIENCE:g} s; see {self.folder}")

    def stop(self) -> None:
        """End whoever still runs, the servers once they have let their peers go."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not self._idle():
            time.sleep(0.1)
        for process in self.processes.values():
            process.terminate()
            process.wait()

    def models(self) -> dict[str, Any]:
        """Return all halves without the run's name."""
        halves = {n: json.loads((self.folder / n / "model.json").read_text()) for n in self.with_data}
        return {name: {k: v for k, v in half.items() if k != "run"} for name, half in halves.items()}

    def _words(self, name: str, again: bool) -> Sequence[str]:
        if self.roles[name] != "guest":
            return self.roles[name], "serve"
        return ("resume",) if again and self._begun() else ("guest", "train")

    def _begun(self) -> bool:
        return any((self.folder / "bank" / "state").glob("*/journal.db"))

    def _idle(self) -> bool:
        servers = [name for name in self.processes if self.roles[name] != "guest"]
        return all((self.folder / name / "run.json").exists() for name in servers)


def prepared(
    folder: Path,
    model: str,
    customers: int,
    timeouts: Mapping[str, float] | None = None,
    *,
    roles: Mapping[str, str] = ROLES,
    optional: Collection[str] = (),
    sample_from: int | None = None,
) -> Path:
    """Write the parties' files and tables; return the folder.

    `optional`: hosts that may stay away.  `sample_from`: rows from which a regression begins on a sample.
    """
    folder.mkdir(parents=True)
    write(folder, customers, 7)
    for source in demo_configs():
        shutil.copyfile(source, folder / source.name)
    if "lender" in roles:
        share_columns(folder)
        lender = load(folder / "insurer.yaml").data
        lender |= {"party": "lender", "data": lender["data"] | {"table": "lender.csv"}}
        dump(lender, folder / "lender.yaml")
    job = load(folder / "job.yaml").data
    job["parties"] = {}
    for name, role in roles.items():
        save_identity(create_identity(name), folder)
        pin = fingerprint((folder / f"{name}.crt").read_bytes())
        job["parties"][name] = {"role": role, "certificate": pin, "optional": name in optional}
    if model == "trees":
        job["model"] = TREES
        del job["features"]
        job["encryption"] = {"decryptions": 100_000}
    if sample_from:
        job["model"] = {**job.get("model", {}), "sample_from": sample_from}
    job["gates"] = {"allow": GATES}
    dump(job, folder / "job.yaml")
    agreed = Job.load(folder / "job.yaml")
    for name in roles:
        identity = load_identity(name, folder / f"{name}.key", folder / f"{name}.crt")
        approve(agreed, identity, folder / "approvals")
    ports = {name: free_port() for name, role in roles.items() if role != "guest"}
    for name in roles:
        _write_party(folder, name, agreed, ports, dict(timeouts or {}))
    return folder


def share_columns(folder: Path) -> None:
    """Give a lender the second half of the insurer's columns, with all its customers: lender.csv."""
    with (folder / "insurer.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    middle = 1 + len(rows[0]) // 2
    for name, own in (("insurer", slice(1, middle)), ("lender", slice(middle, None))):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([row[0], *row[own]] for row in rows)


def cut_after_alignment(folder: Path, without: Collection[str] = ()) -> None:
    """Leave the parties as they are found when all are killed as soon as they are aligned."""
    stage = Stage(folder)
    stage.start_all(without=without)
    while not stage.aligned():
        time.sleep(0.02)
    for name in stage.processes:
        stage.end(name, signal.SIGKILL)


def ports_in(folder: Path, servers: Iterable[str] = SERVERS) -> dict[str, int]:
    """Return the port at which each server listens."""
    files = {name: load(folder / f"{name}.yaml").data for name in servers}
    return {name: int(party["listen"].rpartition(":")[2]) for name, party in files.items()}


def let_dial(folder: Path, caller: str, called: str, port: int) -> None:
    """Let one party call another at this port."""
    party = load(folder / f"{caller}.yaml").data
    party["peers"][called]["dial"] = f"127.0.0.1:{port}"
    dump(party, folder / f"{caller}.yaml")


def free_port() -> int:
    """Return a port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_party(
    folder: Path, name: str, job: Job, ports: dict[str, int], timeouts: dict[str, float]
) -> None:
    order = list(job.parties)
    party = load(folder / f"{name}.yaml").data
    party["identity"] = {"certificate": f"{name}.crt", "key": f"{name}.key"}
    party["peers"] = {
        peer: {"certificate": f"{peer}.crt"}
        | ({"dial": f"127.0.0.1:{ports[peer]}"} if order.index(peer) > order.index(name) else {})
        for peer in job.peers_of(name)
    }
    if name in ports:
        party["listen"] = f"127.0.0.1:{ports[name]}"
    if timeouts:
        party["timeouts"] = timeouts
    dump(party, folder / f"{name}.yaml")
