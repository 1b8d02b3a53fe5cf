"""What a party remembers of a contract: the runs it has taken part in, and approvals it has withdrawn.

    STATE/PARTY/contracts/HASH/runs.jsonl      {"run", "task", "begun", "approvals": [ids]} a line
    STATE/PARTY/contracts/HASH/revoked.jsonl   {"approval": id, "revoked": when} a line

Each party counts for itself, and counts every approval: its own and the others'.  A run counts
once, however often it is resumed.  Folders are of mode 0700, files of mode 0600.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.approval import RENEW, Terms
from vfl.errors import ConfigError, ContractError


@dataclass(frozen=True, slots=True)
class Tally:
    """The records of one contract in one party's state."""

    folder: Path

    @classmethod
    def of(cls, job: Job, party: Party) -> Self:
        """Return a party's records of a job."""
        return cls(state_folder(party) / "contracts" / job.contract_hash())

    @classmethod
    def of_model(cls, job: Job, party: Party) -> Self:
        """Return a party's records of the contract whose model a job scores."""
        return cls(state_folder(party) / "contracts" / (job.model_contract or job.contract_hash()))

    def trained(self, run: str) -> bool:
        """Tell whether a training of this name took place under the contract."""
        return any((line["run"], line["task"]) == (run, "train") for line in self._lines("runs"))

    def used(self, terms: Terms) -> int:
        """Return how many runs an approval has been used for, as this party counts them."""
        return len({line["run"] for line in self._lines("runs") if terms.id in line["approvals"]})

    def check_left(self, approvals: Iterable[Terms], run: str) -> None:
        """Raise ContractError where an approval has no run left for this one."""
        if any(line["run"] == run for line in self._lines("runs")):
            return
        for terms in approvals:
            if self.used(terms) >= terms.runs:
                runs = "its one run" if terms.runs == 1 else f"all its {terms.runs} runs"
                raise ContractError(f"approval of {terms.party}", f"has been used for {runs}", RENEW)

    def begin(self, approvals: Iterable[Terms], run: str, task: str, now: datetime) -> None:
        """Count a run, once; raise ContractError where another took the last one meanwhile."""
        approvals = tuple(approvals)
        with self._writing("runs") as write:
            self.check_left(approvals, run)
            if not any(line["run"] == run for line in self._lines("runs")):
                ids = [terms.id for terms in approvals]
                write({"run": run, "task": task, "begun": _said(now), "approvals": ids})

    def revoke(self, terms: Terms, now: datetime) -> None:
        """Withdraw an approval for good."""
        with self._writing("revoked") as write:
            write({"approval": terms.id, "revoked": _said(now)})

    def check_revoked(self, terms: Terms) -> None:
        """Raise ContractError where an approval was withdrawn."""
        for line in self._lines("revoked"):
            if line["approval"] == terms.id:
                what = f"was withdrawn on {line['revoked'][:10]}"
                raise ContractError(f"approval of {terms.party}", what, RENEW)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            raise ConfigError(str(path), "cannot be read", "it is this party's count: restore it") from None

    @contextmanager
    def _writing(self, name: str) -> Iterator[Any]:
        """Yield what appends a line, while no other process of this party counts."""
        path = self.folder / f"{name}.jsonl"
        try:
            private_folder(self.folder)
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(str(path), f"cannot be written: {error.strerror}", "see `state`") from None
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)

            def write(line: dict[str, Any]) -> None:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())

            yield write


def state_folder(party: Party) -> Path:
    """Return where a party keeps what outlasts its runs."""
    return party.state / party.party


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _said(now: datetime) -> str:
    return now.isoformat(timespec="seconds")
