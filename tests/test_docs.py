"""What the documentation tells is so: its commands are executed, its numbers computed, its pages built."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from source import ROOT
from test_programs_bad_input import until, vfl

from parties.cli.application import application
from parties.demo.portfolio import write

DOCS = ROOT / "docs"
PAGES = DOCS / "pages"

PATIENCE = 240
"""Seconds after which whatever was started hangs: ten times what it takes on two idle cores."""


def commands(page: Path) -> Iterator[str]:
    """Yield every line of a page's fenced shell blocks."""
    for block in re.findall(r"^```sh[^\n]*\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        yield from block.splitlines()


def free_ports(count: int) -> list[int]:
    """Return ports of loopback on which nobody listens."""
    with ExitStack() as held:
        sockets = [held.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(count)]
        return [s.getsockname()[1] for s in sockets]


class Terminals:
    """Where somebody types what a page says: servers stay, all else ends before the next line."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, os.environ | environment
        self.servers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Terminals:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.wait(PATIENCE)

    def type(self, line: str) -> None:
        """Carry out one line, as a shell does."""
        if " serve " in line:
            words = [sys.executable, "-P", "-m", "parties", *shlex.split(line)[1:]]
            path = self.folder / f"server-{len(self.servers)}.log"
            with path.open("wb") as log:
                server = subprocess.Popen(words, cwd=self.folder, stdout=log, stderr=log)
            self.servers.append(server)
            until(lambda: b"waiting for the guest" in path.read_bytes() or server.poll() is not None)
        elif line.startswith("vfl "):
            assert vfl(*shlex.split(line)[1:]) == 0, line
        else:
            subprocess.run(
                ["sh", "-ec", line], cwd=self.folder, env=self.environment, check=True, timeout=PATIENCE
            )


def on_loopback(folder: Path) -> None:
    """Let the parties listen on loopback alone."""
    for name in ("insurer", "trustee"):
        for file in folder.glob(f"**/{name}.yaml"):
            file.write_text(file.read_text(encoding="utf-8").replace("0.0.0.0:", "127.0.0.1:"), "utf-8")


def test_the_modellers_tutorial_and_the_readme_end_with_a_model_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ports = dict(zip(("17443", "17444"), map(str, free_ports(2)), strict=True))
    with Terminals(tmp_path, {}) as desk:
        for line in commands(PAGES / "modeller.md"):
            for written, free in ports.items():
                line = line.replace(written, free)
            desk.type(without_waiting(line))
            on_loopback(tmp_path)
        said = capsys.readouterr()
        follow_the_readme(tmp_path, monkeypatch)
    shown = re.search(r"^ {4}(train: joint .*)\n {4}(train: bank alone .*)$", text("modeller.md"), re.M)
    assert shown and shown[1] in said.out and shown[2] in said.out
    assert (tmp_path / "bank/runs/report.html").stat().st_size > 10_000
    assert (tmp_path / "bank/scores.csv").read_text().count("\n") > 1_500
    assert not list((tmp_path / "insurer").rglob("scores*"))


def follow_the_readme(desks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Type what the README's "Use it" shows, each line at the party it names; the servers are there."""
    use = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Use it")[2].partition("\nBetween")[0]
    lines = COMMAND.findall(use)
    assert len(lines) == 11
    pd.read_csv(desks / "bank" / "bank.csv", dtype=str).to_parquet(desks / "bank" / "batch.parquet")
    (desks / "new").mkdir()
    for line in lines:
        named = re.search(r"--party (\w+)", line)
        monkeypatch.chdir(desks / ("new" if " init " in line else named[1] if named else "bank"))
        if " serve " not in line:
            # Nothing was cut off that could be resumed.
            expected = 2 if " resume " in line else 0
            assert vfl(*shlex.split(without_waiting(line))[1:]) == expected, line
    assert len(pd.read_parquet(desks / "bank" / "scores.parquet")) == 1500


def without_waiting(line: str) -> str:
    """Return a line for a machine on which other tests run: the rates of a check are not timed."""
    return f"{line} --no-cost" if line.startswith("vfl check") else line


def text(page: str) -> str:
    """Return a page."""
    return (PAGES / page).read_text(encoding="utf-8")


def test_the_plan_for_a_hundred_million_customers_is_what_the_model_says() -> None:
    found = doctest.testfile(str(PAGES / "plan.md"), False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0 and found.attempted > 10


def test_three_hosts_train_by_the_entry_points_of_their_containers(tmp_path: Path) -> None:
    for name in ("mail", "tables", "bin"):
        (tmp_path / name).mkdir()
    write(tmp_path / "tables", 1500, 7)
    wrapper = tmp_path / "bin" / "vfl"
    wrapper.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m parties "$@"\n', encoding="ascii"
    )
    wrapper.chmod(0o755)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    with ExitStack() as running:
        guest = started(running, tmp_path, "guest", "")
        others = [
            started(running, tmp_path, role, where)
            for role, where in zip(("host", "arbiter"), addresses, strict=True)
        ]
        said, _ = guest.communicate(timeout=PATIENCE)
        assert guest.returncode == 0, said.decode()
        assert [other.poll() for other in others] == [None, None]
    assert (tmp_path / "guest/runs/report.html").exists()


def started(running: ExitStack, folder: Path, role: str, address: str) -> subprocess.Popen[bytes]:
    """Start a container's entry point as a process, which ends with the test."""
    home = folder / role
    home.mkdir()
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "VFL_HOME": str(home),
        "VFL_MAIL": str(folder / "mail"),
        "VFL_TABLES": str(folder / "tables"),
        "VFL_ADDRESS": address,
    }
    process = subprocess.Popen(
        [str(DOCS / "compose" / "party"), role],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

    def end() -> None:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=PATIENCE)

    running.callback(end)
    return process


def test_the_pages_are_built_without_a_complaint_and_fetch_nothing(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="vfl[docs] is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file"]
    done = subprocess.run(
        [*command, str(DOCS / "mkdocs.yml"), "--site-dir", str(tmp_path)],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in tmp_path.rglob("*.html"):
        fetched = re.findall(
            r"<(?:script|link|img)[^>]*(?:src|href)=\"?(https?:[^\" >]+)", page.read_text("utf-8")
        )
        assert not fetched, page


FETCHED = re.compile(r"<(?:script|link|img)[^>]*(?:src|href)=\"?(https?:[^\" >]+)")

COMMAND = re.compile(r"^(?:    |`)(vfl [a-z].*?)(?:`|  +|$)", re.M)
"""A command in a page or in the README: a line of a block, up to the words that explain it."""


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(PAGES.glob("*.md"))], ids=lambda p: p.name)
def test_every_command_that_is_written_about_is_one(page: Path) -> None:
    group = typer.main.get_command(application)
    for line in COMMAND.findall(page.read_text(encoding="utf-8")):
        command: Any = group
        words = shlex.split(line)[1:]
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            alternatives = [words.pop(0)]
            while words[:1] == ["|"]:
                alternatives.append(words[1])
                del words[:2]
            assert set(alternatives) <= set(command.commands), line
            command = command.commands[alternatives[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
