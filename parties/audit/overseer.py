"""Watches a run for its party: every message has its line, and passes only while the approval stands."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from parties.audit.log import AuditLog
from parties.contract.mandate import Mandate
from vfl.errors import ConfigError, SecurityError
from vfl.wire.message import Message


class Overseer:
    """The witness of one run's session."""

    def __init__(self, mandate: Mandate, log: AuditLog, stored: Mapping[str, int] | None = None) -> None:
        """Begin the run's part of the log, or go on with it after so many `stored` messages to each peer."""
        self._mandate = mandate
        self._log = log
        self._counts = {"sent": 0, "received": 0}
        job, party = mandate.job, mandate.party.party
        about = {"task": mandate.task, "job": job.job, "contract": job.contract_hash()}
        if mandate.absent:
            about |= {"absent": ", ".join(mandate.absent)}
        about["role"] = job.parties[party].role
        if stored is None:
            self._note("run begun", about)
        else:
            self._note("run resumed", about | {"stored": dict(stored)})

    def approved(self) -> None:
        """Note every approval that was checked."""
        for name, terms in sorted(self._mandate.terms.items()):
            line = {"party": name, "approval": terms.id, "expires": str(terms.expires), "runs": terms.runs}
            self._note("approval checked", line)

    def sending(self, to: str, message: Message, data: bytes) -> None:
        """Let a message leave, and note it."""
        self._mandate.require()
        told = message.disclosed()
        disclosed = {"numbers": told.numbers, "bits": told.bits, "sealed": told.sealed}
        self._note("sent", {"to": to} | _described(type(message), data) | disclosed)
        self._counts["sent"] += 1

    def received(self, sender: str, kind: type[Message], data: bytes) -> None:
        """Let a message in, and note it under the kind that was awaited."""
        self._mandate.require()
        self._note("received", {"from": sender} | _described(kind, data))
        self._counts["received"] += 1

    def stopped(self, reason: str) -> None:
        """Note why the run is over; where nothing can be written, it is over all the same."""
        with suppress(ConfigError, SecurityError):
            self._note("run stopped", {"why": reason})

    def published(self, files: Mapping[str, Path]) -> None:
        """Note what the run has left, and its end."""
        found = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
        self._note("results published", {"files": found})
        self._note("run ended", self._counts)

    def _note(self, event: str, fields: Mapping[str, Any]) -> None:
        self._log.append(event, {"run": self._mandate.run} | dict(fields))


def _described(kind: type[Message], data: bytes) -> dict[str, Any]:
    return {"kind": kind.__name__, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
