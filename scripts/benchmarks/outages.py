"""A training whose wire is cut, or whose disk fills up, against the same training left alone.

    scripts/bench outages                        every case
    scripts/bench outages --case silence --model trees

    silence     the guest's wire to the host passes nothing for --seconds: nobody is told
    hang-up     it breaks, and every call is refused for --seconds
    patience    it breaks for longer than the guest's timeouts.resume: exit code 7, then `vfl resume`
    guest disk  the guest's `out`, a small tmpfs, fills up: exit code 7, and `vfl resume` once there is room
    host disk   the host's does: it says so, and goes on once there is room

Three processes over loopback TLS.  All trainings of a case begin where all were killed just after
alignment, and must end with the same model byte for byte, but for the run's name.  The cases of
disks mount a tmpfs and need root.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scripts.benchmarks.staged.proxy import Proxy
from scripts.benchmarks.staged.stage import (
    Stage,
    cut_after_alignment,
    let_dial,
    ports_in,
    prepared,
)

RESUMABLE = 7
SHORT = 10.0
"""Seconds of timeouts.resume in the case of patience."""

DISK = 200
"""MB of a disk that fills up."""


def left_alone(stage: Stage) -> None:
    """Let the training end."""
    stage.start_all(again=True)
    stage.finish()


def cut(stage: Stage, seconds: float, how: Callable[[Proxy], None]) -> None:
    """Cut the guest's wire to the host for so long; the run survives it."""
    with _through(stage.folder) as wire:
        stage.start_all(again=True)
        _begin_to_fit(stage)
        how(wire)
        _require_under_way(stage, seconds)
        wire.mend()
        stage.finish()


def outlasted(stage: Stage) -> None:
    """Cut the wire for longer than the guest waits; resume when it is whole again."""
    with _through(stage.folder) as wire:
        stage.start_all(again=True)
        _begin_to_fit(stage)
        wire.hang_up()
        _require_paused(stage)
        wire.mend()
        stage.start("bank", again=True)
        stage.finish()


def guest_disk(stage: Stage) -> None:
    """Fill the guest's disk, see it pause, make room, resume."""
    with _small_disk(stage.folder / "bank") as disk:
        stage.start_all(again=True)
        _begin_to_fit(stage)
        _fill(disk)
        _require_paused(stage)
        (disk / "filler").unlink()
        stage.start("bank", again=True)
        stage.finish()


def host_disk(stage: Stage) -> None:
    """Fill the host's disk, hear it complain, make room."""
    with _small_disk(stage.folder / "insurer") as disk:
        stage.start_all(again=True)
        _begin_to_fit(stage)
        _fill(disk)
        deadline = time.monotonic() + 60
        while "cannot be written" not in stage.log("insurer").read_text():
            _require_under_way(stage, 0.1)
            if time.monotonic() > deadline:
                raise SystemExit(f"the host has not noticed that its disk is full; see {stage.folder}")
        (disk / "filler").unlink()
        stage.finish()


def _begin_to_fit(stage: Stage) -> None:
    """Return once the guest has a gradient, or a tree."""
    while not (stage.reached("bank", "fit 1: fit") or stage.reached("bank", "trees")):
        _require_under_way(stage, 0.05)


def _require_under_way(stage: Stage, seconds: float) -> None:
    if stage.code(seconds) is not None:
        raise SystemExit(f"the guest has ended too early; see {stage.folder}")


def _require_paused(stage: Stage) -> None:
    code = stage.code(60)
    if code != RESUMABLE or "vfl resume" not in stage.log("bank").read_text():
        raise SystemExit(f"the guest ended with {code}, not with {RESUMABLE}; see {stage.folder}")


@contextmanager
def _through(folder: Path) -> Iterator[Proxy]:
    """Lead the guest's link to the host through a proxy."""
    with Proxy(ports_in(folder)["insurer"]) as wire:
        let_dial(folder, "bank", "insurer", wire.port)
        yield wire


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Put a small tmpfs in place of a folder; copy what was and what is there afterwards."""
    kept = folder.with_name(f"{folder.name}.kept")
    folder.rename(kept)
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", folder], check=True)
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield folder
        shutil.rmtree(kept)
        shutil.copytree(folder, kept)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()
        kept.rename(folder)


def _fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass


def trained(source: Path, folder: Path, befall: Callable[[Stage], None]) -> tuple[dict[str, Any], float]:
    """Train in a copy of the files while something befalls it; return models and seconds."""
    shutil.copytree(source, folder)
    stage, begun = Stage(folder), time.monotonic()
    try:
        befall(stage)
    finally:
        stage.stop()
    if traces := stage.traces():
        raise SystemExit(f"{traces[0]}; see {folder}")
    return stage.models(), time.monotonic() - begun


def main() -> None:
    """Compare disturbed trainings with one that was not."""
    cases: dict[str, Callable[[Stage], None]] = {
        "silence": lambda stage: cut(stage, options.seconds, Proxy.fall_silent),
        "hang-up": lambda stage: cut(stage, options.seconds, Proxy.hang_up),
        "patience": outlasted,
        "guest disk": guest_disk,
        "host disk": host_disk,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", choices=tuple(cases), action="append")
    parser.add_argument("--model", choices=("logistic", "trees"), default="logistic")
    parser.add_argument("--customers", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long a wire is cut (default 60)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a disk is unmounted
    temporary = Path(tempfile.mkdtemp(prefix="vfl-outages-"))
    source = prepared(temporary / "files", options.model, options.customers)
    cut_after_alignment(source)
    wanted, seconds = trained(source, temporary / "alone", left_alone)
    print(f"{options.model}, {options.customers} customers: {seconds:.1f} s undisturbed", flush=True)
    same = True
    for name in options.case or cases:
        files = source
        if name == "patience":
            files = _impatient(source, temporary / "impatient")
        got, took = trained(files, temporary / name.replace(" ", "-"), cases[name])
        same &= got == wanted
        told = "the same model" if got == wanted else "ANOTHER MODEL"
        print(f"{name:10}  {told}, {took:.1f} s", flush=True)
    if same:
        shutil.rmtree(temporary)
    sys.exit(not same)


def _impatient(source: Path, folder: Path) -> Path:
    """Return a copy of the files in which the guest waits for a short while only."""
    shutil.copytree(source, folder)
    own = folder / "bank.yaml"
    own.write_text(own.read_text() + f"\ntimeouts:\n  resume: {SHORT}\n")
    return folder


if __name__ == "__main__":
    main()
