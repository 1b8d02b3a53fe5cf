"""The processes of a local run: servers that stay, the guest's commands one after the other.

Every party is `python -m parties ...`, as its operator would start it.  Its stderr is kept in
log.txt in its folder.  When one ends before its time the others are stopped, and the first to
fail is named: a party that only lost its peer (exit code 4) is a witness, not the cause.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TextIO

from vfl.errors import PeerError, RefusedError, VflError
from vfl.wire.frames import STOPPED

START = 120.0
"""Seconds that a server has to listen; the first start on a machine compiles kernels."""

PATIENCE = 10.0
"""Seconds in which the cause of a failure may end after its first witness: it tells its peers first."""

STOP = 10.0
"""Seconds between asking a process to stop and ending it."""

PULSE = 0.05
"""Seconds between two looks at the processes."""

_ERROR, _HINT = "vfl: error: ", "vfl: hint: "


class PartyFailedError(VflError):
    """A party of a local run ended in failure: its name, its own words, its exit code."""

    def __init__(self, party: str, code: int, what: str, hint: str) -> None:
        super().__init__(party, what, hint)
        self.exit_code = code


class Crew:
    """The parties' processes.  Leaving the `with` block stops whichever still run."""

    def __init__(self, job: Path, echo: TextIO) -> None:
        self._job = job
        self._echo = echo
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._servers: set[str] = set()
        self._logs: dict[str, Path] = {}
        self._readers: list[threading.Thread] = []
        self._pipes: list[IO[bytes]] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def serve(self, name: str, role: str, folder: Path) -> int:
        """Start a server; return the port on which it listens."""
        port_file, log = folder / "port", folder / "log.txt"
        port_file.unlink(missing_ok=True)
        self._logs[name] = log
        self._servers.add(name)
        files = [*self._files(folder), "--port-file", str(port_file)]
        arguments = [role, "serve", *files, "--end-on-failure"]
        with log.open("wb") as stream:
            self._processes[name] = subprocess.Popen(_vfl(arguments), stdout=stream, stderr=stream)
        deadline = time.monotonic() + START
        while not (port := _port_in(port_file)):
            self._check()
            if time.monotonic() > deadline:
                raise PeerError(name, f"did not listen within {START:g} s", f"see {log}")
            time.sleep(PULSE)
        return port

    def run_guest(self, name: str, command: str, folder: Path) -> dict[str, Any]:
        """Run a guest's command to its end, while every server lives; return the results it prints."""
        self._logs[name] = folder / "log.txt"
        arguments = ["guest", command, *self._files(folder), "--format", "json"]
        process = subprocess.Popen(_vfl(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._processes[name] = process
        assert process.stdout is not None and process.stderr is not None
        self._pipes = [process.stdout, process.stderr]
        printed: list[bytes] = []
        self._readers = [
            threading.Thread(target=self._relay, args=(process.stderr, self._logs[name], command)),
            threading.Thread(target=lambda out: printed.append(out.read()), args=(process.stdout,)),
        ]
        for reader in self._readers:
            reader.start()
        try:
            while process.poll() is None:
                self._check()
                time.sleep(PULSE)
            self._check()
        finally:
            if process.poll() is None:
                process.terminate()
            self._join()
        results: dict[str, Any] = json.loads(printed[0])
        return results

    def _join(self) -> None:
        """Wait for the guest's last words, and close its pipes."""
        for reader in self._readers:
            reader.join(STOP)
        for stream in self._pipes:
            stream.close()

    def _files(self, folder: Path) -> list[str]:
        return [str(self._job), "--party", str(folder / "party.yaml"), "--out", str(folder)]

    def _relay(self, stream: IO[bytes], log: Path, command: str) -> None:
        """Keep what the guest says, and show it but for its errors, which are told once at the end."""
        with log.open("wb" if command == "train" else "ab") as kept:
            for line in stream:
                kept.write(line)
                kept.flush()
                text = line.decode(errors="replace")
                if not text.startswith((_ERROR, _HINT)):
                    self._echo.write(text)
                    self._echo.flush()

    def _check(self) -> None:
        """Raise if a process has ended that should not have."""
        if not self._failed():
            return
        deadline = time.monotonic() + PATIENCE
        while all(self._blames_another(name, code) for name, code in self._failed().items()):
            if time.monotonic() > deadline:
                break
            time.sleep(PULSE)
        failed = self._failed()
        name = min(failed, key=lambda n: self._blames_another(n, failed[n]))
        raise self._failure(name, failed[name])

    def _failed(self) -> dict[str, int]:
        codes = {name: process.poll() for name, process in self._processes.items()}
        return {
            name: code
            for name, code in codes.items()
            if code is not None and (code != 0 or name in self._servers)
        }

    def _blames_another(self, name: str, code: int) -> bool:
        """Tell whether a process ended because another party did, or said why it stops."""
        if code == RefusedError.exit_code:
            said = self._said(name, _ERROR)
            return bool(said) and STOPPED in said[-1]
        return code == PeerError.exit_code

    def _said(self, name: str, mark: str) -> list[str]:
        if name not in self._servers:
            self._join()  # what the guest said last may still be on its way to the log
        log = self._logs[name].read_text(encoding="utf-8", errors="replace").splitlines()
        return [line.removeprefix(mark) for line in log if line.startswith(mark)]

    def _failure(self, name: str, code: int) -> PartyFailedError:
        said, hints = self._said(name, _ERROR), self._said(name, _HINT)
        see = f"see {self._logs[name]}"
        if said:
            return PartyFailedError(name, code or 1, said[-1], hints[-1] if hints else see)
        ended = f"was ended by signal {-code}" if code < 0 else f"ended early with exit code {code}"
        return PartyFailedError(name, 128 - code if code < 0 else code or 1, ended, see)


def _vfl(arguments: list[str]) -> list[str]:
    # -P: a folder named `parties` where the operator stands must not be run instead of this package.
    return [sys.executable, "-P", "-m", "parties", *arguments]


def _port_in(path: Path) -> int:
    """Return the port in a file, 0 as long as it is not written."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdecimal() else 0
