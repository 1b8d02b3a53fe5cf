"""Bad input to a job's programs: a clear message, the right exit code, nobody hangs, nothing is lost."""

from __future__ import annotations

import csv
import io
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from audited import assert_audited
from program_runs import BANK, CUSTOMERS, INSURER, changed, job, run_of, train

from parties.cli.application import application
from parties.cli.voice import exit_code
from parties.config.job import Job
from parties.contract.approval import approve
from parties.crew import PartyFailedError
from parties.local import run_local
from parties.programs.lasting import abouts
from parties.programs.training import training
from vfl.arbitration import SharedKey
from vfl.errors import ContractError, DataError, SecurityError
from vfl.table.table import Table
from vfl.wire.certificates import create_identity, fingerprint, load_identity, save_identity
from vfl.wire.flow import Peer
from vfl.wire.memory import run_in_memory
from vfl.wire.network import Listener

RULES = """\
features: {kind: standard}
model: {tolerance: 0.01, max_iter: 12}
"""

NAMES = {"bank": "guest", "insurer": "host", "trustee": "arbiter"}


class Site:
    """Three parties' files in one folder, with certificates, and the processes started from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = secrets.token_hex(8)
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.ports = dict.fromkeys(NAMES, 1)
        pins = {}
        for name in NAMES:
            _, certificate = save_identity(create_identity(name), folder)
            pins[name] = fingerprint(certificate.read_bytes())
        agreed = job(RULES).model_dump(mode="json")
        parties = "".join(f'  {n}: {{role: {r}, certificate: "{pins[n]}"}}\n' for n, r in NAMES.items())
        head = f'vfl: 1\njob: {agreed["job"]}\npurpose: "Tests."\nparties:\n{parties}'
        (folder / "job.yaml").write_text(head + RULES, encoding="utf-8")
        for table, name in ((BANK, "bank"), (INSURER, "insurer")):
            write_csv(table, folder / f"{name}.csv")
        self.approve()

    def approve(self) -> None:
        """Sign the job as it is now, for all parties."""
        agreed = Job.load(self.folder / "job.yaml")
        for name in NAMES:
            identity = load_identity(name, self.folder / f"{name}.key", self.folder / f"{name}.crt")
            approve(agreed, identity, self.folder / "approvals")

    def settle(self, name: str, *, connect: float = 30, processes: int = 2) -> None:
        """Write a party's file; it dials the ports that are known."""
        dialled = {"bank": ("insurer", "trustee"), "insurer": ("trustee",), "trustee": ()}[name]
        lines = [f"vfl: 1\nparty: {name}", f"identity: {{certificate: {name}.crt, key: {name}.key}}"]
        if name != "trustee":
            more = ", label: label, split: split" if name == "bank" else ""
            lines.append(f"data: {{table: {name}.csv{more}}}")
        if name != "bank":
            lines.append('listen: "127.0.0.1:0"')
        lines.append(f"timeouts: {{connect: {connect}, message: 60, resume: 2}}")
        lines.append(f"compute: {{processes: {processes}}}")
        lines += [f"out: {name}", "peers:"]
        for peer in NAMES.keys() - {name}:
            dial = f'dial: "127.0.0.1:{self.ports[peer]}", ' if peer in dialled else ""
            lines.append(f"  {peer}: {{{dial}certificate: {peer}.crt}}")
        (self.folder / f"{name}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self, name: str, *command: str) -> subprocess.Popen[str]:
        """Start a command of a party's role; what it says on stderr goes to NAME.log."""
        return self.run(name, NAMES[name], *command)

    def run(self, name: str, *command: str) -> subprocess.Popen[str]:
        """Start a command; what it says on stderr goes to NAME.log."""
        with (self.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "parties", *command],
                cwd=self.folder,
                env=os.environ | {"VFL_TEST_MARK": self.mark},
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )
        self.running[name] = process
        return process

    def serve(self, name: str, *options: str) -> subprocess.Popen[str]:
        """Start a server, and wait until it listens."""
        self.settle(name)
        port = self.folder / f"{name}.port"
        port.unlink(missing_ok=True)
        process = self.start(name, "serve", "job.yaml", "--port-file", port.name, *options)
        until(lambda: (port.exists() and port.read_text().isdecimal()) or process.poll() is not None)
        self.ports[name] = int(port.read_text())
        return process

    def log(self, name: str) -> str:
        """Return what a party has said on stderr."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def results(self, name: str) -> list[Path]:
        """Return the files that a party's runs have left."""
        return [path for path in (self.folder / name).iterdir() if path.is_file()]

    def left_over(self) -> list[str]:
        """Return the processes of this site that still live."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    if self.mark.encode() in (folder / "environ").read_bytes():
                        found.append((folder / "cmdline").read_text().replace("\0", " "))
                except OSError:
                    continue
        return found

    def stop(self) -> None:
        """End all that runs."""
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
                process.wait(20)


def write_csv(table: Table, path: Path) -> None:
    """Write a table as its party keeps it."""
    columns: dict[str, Any] = {"id": table.ids}
    if table.label is not None and table.split is not None:
        columns |= {"label": table.label, "split": table.split}
    columns |= {name: column.values for name, column in table.columns.items()}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that happens in another process."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def vfl(*arguments: str) -> int:
    """Run a command in this process, which keeps its own way to end on SIGTERM; return its exit code."""
    command, before = typer.main.get_command(application), signal.getsignal(signal.SIGTERM)
    try:
        return exit_code(lambda: command.main(list(arguments), prog_name="vfl", standalone_mode=False))
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The files of three parties."""
    place = Site(tmp_path)
    yield place
    place.stop()


def edit(path: Path, column: str, change: Callable[[int, str], str]) -> None:
    """Change a column of a CSV: the row's number, from 0, and the cell."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    k = head.index(column)
    for number, row in enumerate(rows):
        row[k] = change(number, row[k])
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])


TABLES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing file": (lambda p: p.unlink(), "bank.csv: there is no such file", "give the path of the table"),
    "no id column": (
        lambda p: p.write_text(p.read_text().replace("id,", "key,", 1)),
        "bank.csv: has no column 'id'",
        "it has 'key', 'label', 'split', 'income', 'tenure', 'age'",
    ),
    "other label": (
        lambda p: edit(p, "label", lambda k, v: "2" if k == 6 else v),
        "bank.csv:8: label: label is '2', not 0 or 1 (1 such row)",
        "1 is the event, 0 the rest",
    ),
    "blank label": (
        lambda p: edit(p, "label", lambda k, v: "" if k < 2 else v),
        "bank.csv:2: label: label is blank, not 0 or 1 (2 such rows)",
        "1 is the event, 0 the rest",
    ),
    "repeated id": (
        lambda p: edit(p, "id", lambda k, v: "c0007" if k in (3, 5) else "c9999" if v == "c0007" else v),
        "bank.csv: one id is repeated: line 7 (as line 5)",
        "mend the file, or set `alignment.duplicates: drop` in the contract",
    ),
    "blank column": (
        lambda p: edit(p, "tenure", lambda k, v: ""),
        "bank.csv: a column is blank in every row: 'tenure'",
        "add to `drop`",
    ),
    "constant column": (
        lambda p: edit(p, "tenure", lambda k, v: "4"),
        "bank.csv: a column is the same in every row: 'tenure'",
        "add to `drop`",
    ),
    "other split": (
        lambda p: edit(p, "split", lambda k, v: "dev" if k == 9 else v),
        "bank.csv: the split has the value 'dev'",
        "it knows train and test only",
    ),
}


@pytest.mark.parametrize("mistake", TABLES)
def test_a_bad_table_is_told_before_any_peer_is_met(
    mistake: str, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, what, hint = TABLES[mistake]
    site.settle("bank")
    spoil(site.folder / "bank.csv")
    assert vfl("guest", "train", str(site.folder / "job.yaml")) == 3
    said = capsys.readouterr().err.replace(f"{site.folder}/", "").splitlines()
    assert said == [f"vfl: error: {what}", f"vfl: hint: {hint}"]
    assert not (site.folder / "bank").exists()


def test_an_absent_peer_is_named_with_the_time_that_was_given(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.settle("bank", connect=0.3)
    assert vfl("guest", "train", str(site.folder / "job.yaml")) == 4
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "vfl: error: trustee: no answer at 127.0.0.1:1 within 0.3 s"
    assert "is trustee running, and is the address right?" in said[1]


def test_an_impostor_is_refused(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    guest = (site.folder / "bank.crt").read_bytes()
    with Listener("127.0.0.1:0", create_identity("trustee"), {"bank": guest}) as impostor:
        site.ports["trustee"] = impostor.port
        site.settle("bank")
        assert vfl("guest", "train", str(site.folder / "job.yaml")) == 6
    assert "vfl: error: trustee: 127.0.0.1:" in capsys.readouterr().err


@pytest.mark.parametrize("whose", ["bank", "insurer"])
def test_a_certificate_that_is_not_the_pinned_one_is_refused(
    whose: str, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.settle("bank")
    save_identity(create_identity(whose), site.folder / "other")
    for kind in ("crt", "key"):
        (site.folder / f"{whose}.{kind}").write_bytes(
            (site.folder / "other" / f"{whose}.{kind}").read_bytes()
        )
    assert vfl("guest", "train", str(site.folder / "job.yaml")) == 6
    said = f"{whose}.crt: is not the certificate that the job pins for {whose}\n"
    assert capsys.readouterr().err.endswith(said)


def test_a_key_that_is_shorter_than_agreed_is_refused() -> None:
    modulus = np.frombuffer((2**1023 + 3).to_bytes(128, "big"), np.uint8)

    async def arbiter(guest: Peer) -> None:
        await guest.send(SharedKey(modulus))

    run = run_of(job(), "bank")
    with pytest.raises(SecurityError, match="trustee: sent a key of 1024 bits, 2048 were agreed") as refusal:
        run_in_memory({"bank": training(run, BANK), "trustee": arbiter(run.guest)})
    assert refusal.value.exit_code == 6


@pytest.mark.parametrize(("common", "said"), [(0, "no ids in common"), (40, "40 ids in common")])
def test_too_few_common_customers_end_the_run(common: int, said: str) -> None:
    strangers = np.array([c if k < common else f"x{k}" for k, c in enumerate(BANK.ids)], object)
    other = Table(strangers, INSURER.columns, None, None, "insurer.csv")
    with pytest.raises(ContractError, match=f"alignment: {said} with .*, 100 are required") as refusal:
        train(job(), BANK, other)
    assert refusal.value.exit_code == 5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.where(np.arange(CUSTOMERS) < 340, np.nan, 1.0), "blank in every row: 'claims'"),
        (np.where(np.arange(CUSTOMERS) < 340, 2.0, 1.0), "the same in every row: 'claims'"),
    ],
)
def test_a_column_that_says_nothing_in_the_training_rows_is_refused(values: Any, said: str) -> None:
    with pytest.raises(DataError, match=f"insurer.csv: a column is {said}") as refusal:
        train(job(), BANK, changed(INSURER, "claims", values))
    assert refusal.value.hint == "add to `drop`"


def test_servers_survive_failed_runs_and_a_lost_host_hangs_nobody(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    trustee, insurer = site.serve("trustee"), site.serve("insurer")
    good, job = (site.folder / "bank.csv").read_text(), str(site.folder / "job.yaml")

    edit(site.folder / "bank.csv", "label", lambda k, v: "1" if k < 9 else "0")
    site.settle("bank")
    assert vfl("guest", "train", job) == 5
    said = "vfl: error: labels: fewer than 20 training rows are in the rarer class"
    assert said in capsys.readouterr().err
    for server in ("insurer", "trustee"):
        until(lambda server=server: "stopped the run: labels: fewer than" in site.log(server))
        assert [path.name for path in (site.folder / server).iterdir()] == ["state"]

    (site.folder / "bank.csv").write_text(good)
    assert vfl("guest", "train", job) == vfl("guest", "score", job) == 0
    assert trustee.poll() is None and insurer.poll() is None
    assert vfl("audit", "verify", str(site.folder / "state")) == 0
    kept = {name: sorted(p.name for p in site.results(name)) for name in NAMES}
    assert kept["insurer"] == ["ledger.json", "model.json", "run.json", "score-ledger.json", "score.json"]
    assert kept["trustee"] == ["ledger.json", "run.json"]

    before = {p: p.read_bytes() for name in NAMES for p in site.results(name)}
    guest = site.start("bank", "train", "job.yaml")
    until(lambda: "vfl: fitting\n" in site.log("bank"))
    insurer.send_signal(signal.SIGKILL)
    insurer.wait(20)
    assert guest.wait(60) == 7
    for waiting in ("bank", "trustee"):
        until(lambda waiting=waiting: "vfl: error: insurer: has been away for 2 s" in site.log(waiting))
    assert "to go on: `vfl resume` at the guest" in site.log("bank")
    assert trustee.poll() is None
    assert {p: p.read_bytes() for name in NAMES for p in site.results(name)} == before

    site.serve("insurer")
    site.settle("bank")
    assert vfl("resume", job, "--party", str(site.folder / "bank.yaml")) == 0
    model = site.folder / "insurer" / "model.json"
    assert model.read_bytes() != before[model]
    runs = {about["state"] for about in abouts(site.folder / "bank")}
    assert runs == {"done", "failed"}

    site.stop()
    assert trustee.returncode == 0
    assert vfl("audit", "verify", str(site.folder / "state")) == 0
    for name in NAMES:
        assert_audited(site.folder, name)
    assert not any("Traceback" in site.log(name) for name in NAMES)
    until(lambda: not site.left_over(), 20)


def test_on_one_machine_the_party_at_fault_is_named_and_nobody_stays(site: Site) -> None:
    table = (site.folder / "insurer.csv").read_text(encoding="utf-8").splitlines()
    (site.folder / "insurer.csv").write_text("\n".join(line.rpartition(",")[0] for line in table) + "\n")
    for name in NAMES:
        site.settle(name)
    os.environ["VFL_TEST_MARK"] = site.mark
    try:
        with pytest.raises(PartyFailedError) as failure:
            run_local(site.folder / "job.yaml", site.folder / "out", echo=io.StringIO())
    finally:
        del os.environ["VFL_TEST_MARK"]
    assert str(failure.value) == "insurer: columns: 2 take part"
    assert failure.value.exit_code == 5
    assert failure.value.hint == "allow it by name in the job: gates.allow: [few_host_columns]"
    until(lambda: not site.left_over(), 20)
    assert not list((site.folder / "out").glob("*/run.json"))


def test_a_server_of_one_run_ends_with_the_failures_exit_code(site: Site) -> None:
    edit(site.folder / "insurer.csv", "claims", lambda k, v: "1")
    site.settle("insurer")
    assert site.start("insurer", "serve", "job.yaml", "--once").wait(60) == 3
    assert "vfl: error: insurer.csv: a column is the same in every row: 'claims'" in site.log("insurer")
