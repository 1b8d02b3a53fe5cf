"""Commands, as transcripts: what was typed, what came out, and with which exit code.

A transcript under `sessions/` is prose between directives:

    --- replace in FILE: OLD -> NEW     edit a file; \\n is a line end, \\t a tab
    --- run: COMMAND                    what is typed
    --- exit: CODE                      the exit code
    --- stdout:                         then the lines of stdout, up to an empty one; "." is an empty line
    --- stderr:                         the same for stderr

Each starts in a folder with the files of `sessions/files`.  Fingerprints and hashes read `...`.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_programs_bad_input import vfl as here

from parties.cli import demo
from parties.cli.tables import efforts
from parties.config.packaged import demo_configs
from parties.crew import Crew, PartyFailedError
from parties.progress import Bar, Lines
from vfl.crypto.modular.ifma import gate

SESSIONS = Path(__file__).parent / "sessions"

PATIENCE = 240
"""Seconds after which a command hangs: some times what it takes where other work has the cores."""

COMMANDS = (
    ["demo"],
    ["local"],
    ["check"],
    ["init"],
    ["doctor"],
    ["peers"],
    ["peers", "add"],
    ["approve"],
    ["job"],
    ["job", "show"],
    ["job", "status"],
    ["job", "revoke"],
    ["keys"],
    ["keys", "new"],
    ["keys", "show"],
    ["keys", "rotate"],
    ["audit"],
    ["audit", "verify"],
    ["guest"],
    ["guest", "train"],
    ["guest", "score"],
    ["host"],
    ["host", "serve"],
    ["arbiter"],
    ["arbiter", "serve"],
)

HEAVY = {"numpy", "pandas", "grpc", "sklearn", "pydantic", "ruamel", "cryptography", "rich", "pyarrow"}


def vfl(arguments: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "parties", *arguments],
        cwd=folder,
        env=os.environ | {"COLUMNS": "80"} | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def replace(folder: Path, directive: str) -> None:
    """Carry out `FILE: OLD -> NEW`."""
    name, _, edit = directive.partition(": ")
    old, _, new = edit.replace("\\n", "\n").replace("\\t", "\t").partition(" -> ")
    text = (folder / name).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")


def masked(text: str) -> list[str]:
    """Return lines without what differs from run to run."""
    digits = r"[0-9a-f]{64}|([0-9a-f]{4} ){7}[0-9a-f]{4}"
    return [re.sub(digits, "...", line) or "." for line in text.splitlines()]


@pytest.mark.parametrize("session", sorted(SESSIONS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_session_runs_as_written(session: Path, tmp_path: Path) -> None:
    shutil.copytree(SESSIONS / "files", tmp_path, dirs_exist_ok=True)
    done = None
    for block in re.split(r"^--- ", session.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        directive, _, rest = block.partition("\n")
        word, _, argument = directive.partition(": " if ": " in directive else ":")
        lines = list(itertools.takewhile(bool, rest.split("\n")))
        if word.startswith("replace in "):
            replace(tmp_path, directive.removeprefix("replace in "))
        elif word == "run":
            done = vfl(shlex.split(argument)[1:], tmp_path)
        elif word == "exit":
            assert done and done.returncode == int(argument), done and done.stderr
        else:
            assert masked(getattr(done, word)) == lines


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_ends_with_an_example(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert here(*command, "--help") == 0
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert lines[-2].strip() == "Example:"
    assert lines[-1].strip().startswith("vfl " + command[0])
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("group", [[], *sorted({(c[0],) for c in COMMANDS if len(c) > 1})], ids=" ".join)
def test_the_help_of_a_group_cuts_no_command_short(
    group: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert here(*group, "--help") == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['vfl', '--help']\n"
        "from parties.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    assert not HEAVY & loaded(code)


def test_hosts_and_arbiters_wait_for_nothing_that_a_guest_alone_needs() -> None:
    code = "import sys, parties.programs.host, parties.programs.arbiter; print(*sys.modules, file=sys.stderr)"
    assert not {"sklearn", "pandas", "matplotlib"} & loaded(code)


def loaded(code: str) -> set[str]:
    """Return the modules that a program names on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    return set(done.stderr.split())


def test_a_bug_is_called_a_bug_and_its_place_is_shown_on_request(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from parties.cli.voice import exit_code\n"
        "def command():\n    raise ValueError('a mistake of ours')\n"
        "sys.exit(exit_code(command))\n"
    )
    for debug in ("", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"VFL_DEBUG": debug},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 1
        assert "vfl: error: this is a bug: ValueError: a mistake of ours\n" in done.stderr
        assert ("Traceback" in done.stderr) == bool(debug)


def test_results_are_alone_on_stdout(tmp_path: Path) -> None:
    done = vfl(["init", "--role", "arbiter", "--format", "json", "here"], tmp_path)
    assert json.loads(done.stdout)["files"] == ["here/arbiter.yaml", "here/arbiter.key", "here/arbiter.crt"]
    assert done.stderr.startswith("vfl: wrote ")
    assert (tmp_path / "here/arbiter.key").stat().st_mode & 0o777 == 0o600


def test_the_files_that_init_writes_fit_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(SESSIONS / "files" / "bank.csv", tmp_path / "guest.csv")
    shutil.copy(SESSIONS / "files" / "insurer.csv", tmp_path / "host.csv")
    for role in ("guest", "host", "arbiter"):
        assert here("init", "--role", role, ".") == 0
    job = tmp_path / "job.yaml"
    text = job.read_text(encoding="utf-8").replace("min_intersection: 100", "min_intersection: 5")
    job.write_text(text.replace("allow: []", "allow: [few_events]"), encoding="utf-8")
    for peer in ("host", "arbiter"):
        known = ("job.yaml", f"{peer}.crt", "--dial", f"{peer}:1", "--party", "guest.yaml")
        assert here("peers", "add", *known) == 0
    capsys.readouterr()
    assert here("check", "job.yaml", "--party", "guest.yaml", "--no-cost", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pinned"] == ["arbiter", "guest", "host"]
    assert [(p["party"], p["identity"]) for p in found["parties"]] == [("guest", "pinned")]
    pin = re.search("[0-9a-f]{64}", job.read_text(encoding="utf-8"))  # the guest's own
    assert pin
    job.write_text(job.read_text(encoding="utf-8").replace(pin[0], "0" * 64), encoding="utf-8")
    assert here("check", "job.yaml", "--party", "guest.yaml") == 6
    said = "vfl: error: guest.crt: is not the certificate that the job pins for guest\n"
    assert capsys.readouterr().err == said


def test_a_party_that_fails_on_this_machine_is_reported_in_its_own_words(tmp_path: Path) -> None:
    folder = shutil.copytree(SESSIONS / "files", tmp_path / "arbiter")
    shutil.move(folder / "trustee.yaml", folder / "party.yaml")
    with pytest.raises(PartyFailedError) as failure, Crew(folder / "job.yaml", io.StringIO()) as crew:
        crew.serve("trustee", "arbiter", folder)
    assert failure.value.exit_code == 5
    assert str(failure.value) == "trustee: small: no certificate is pinned for bank, insurer, trustee"
    assert (folder / "log.txt").read_text(encoding="utf-8").count("no certificate is pinned") == 1


def test_cpu_seconds_stand_beside_seconds_and_tell_how_many_cores_were_busy() -> None:
    books = {
        "bank": {"seconds": 10.0, "cpu_seconds": 8.0},
        "a-very-long-insurer": {"seconds": 9.8, "cpu_seconds": 10.0},
    }
    assert list(efforts(books["bank"], books)) == [
        "                          seconds  CPU seconds  cores busy",
        "training: bank               10.0          8.0        0.80",
        "training: a-very-long-i…      9.8         10.0        1.02",
        "all parties                  10.0         18.0        1.80",
    ]


@pytest.mark.parametrize(
    ("lacking", "arithmetic", "customers", "said"),
    [
        (None, "", 20_000, ""),
        ("the CPU has no avx512ifma", "", 1_500, "vfl: 1500 customers, since the CPU has no avx512ifma: "),
        (None, "gmp", 1_500, "vfl: 1500 customers, since VFL_ARITHMETIC is gmp: "),
    ],
)
def test_the_demo_takes_as_many_customers_as_the_arithmetic_here_can(
    lacking: str | None,
    arithmetic: str,
    customers: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(gate, "missing", lambda: lacking)
    monkeypatch.setenv("VFL_ARITHMETIC", arithmetic)
    assert demo.bearable() == customers
    told = capsys.readouterr().err
    assert told.startswith(said) and bool(told) == bool(said)


def test_plain_progress_is_one_line_a_phase_and_one_every_ten_seconds() -> None:
    now = [0.0]
    stream = io.StringIO()
    progress = Lines(stream, clock=lambda: now[0])
    progress.phase("aligning")
    progress.phase("fitting")
    for second in range(1, 13):
        now[0] = float(second)
        progress.advance(0.5, "gradient 1 (50%), degree 4")
    progress.phase("growing trees", total=16.0)
    for second in range(13, 38):
        now[0] = float(second)
        progress.advance((second - 12) / 2, f"tree {(second - 12) // 2}, 9 leaves")
    progress.warn("a level is new")
    lines = stream.getvalue().splitlines()
    assert lines == [
        "vfl: aligning",
        "vfl: fitting",
        "vfl: fitting for 10 s: gradient 1 (50%), degree 4",
        "vfl: growing trees",
        "vfl: growing trees for 10 s: tree 5, 9 leaves, 31%, 22 s left",
        "vfl: growing trees for 20 s: tree 10, 9 leaves, 62%, 12 s left",
        "vfl: warning: a level is new",
    ]


def test_a_bar_is_never_wider_than_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    monkeypatch.setenv("COLUMNS", "80")
    with Bar() as bar:
        bar.phase("finding common customers")
        bar.phase("fitting")
        for gradient in range(1, 30):
            bar.advance(0.9, f"gradient {gradient} (90%), degree 64")
        bar.phase("growing trees", 100.0)
        bar.advance(99.0, "tree 99, 16 leaves")
        bar.warn("a level is new")
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue()).replace("\r", "\n").splitlines()
    assert any("fitting" in line for line in lines)
    assert "vfl: warning: a level is new" in lines
    assert max(map(len, lines)) <= 80


def test_the_demo_finds_its_four_files() -> None:
    assert [path.name for path in demo_configs()] == ["bank.yaml", "insurer.yaml", "job.yaml", "trustee.yaml"]
