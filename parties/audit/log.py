"""A party's audit log: a line for everything that happened, each signed and chained to the one before.

    STATE/PARTY/audit.jsonl, a JSON object a line:

    {"n": 1, 2, .., "prev": SHA-256 of the line before, its signature included (the first: 64 zeros),
     "at": when, in UTC, "event": .., its fields, "sig": base64 of ECDSA P-256 over SHA-256 of
     "vfl audit 1\\n" and the line without its "sig"}

    log begun           party, certificate (PEM): who signs from here on
    key rotated         party, certificate: the one that will sign, for which the old one vouches
    key taken up        party, certificate: the new key's first line, and the end of the old one
    run begun           run, task, job, contract, role
    run resumed         the same, of a run that was cut off; stored: {peer: how many messages to it there are}
    approval checked    run, party, approval, expires, runs
    sent                run, to, kind, bytes, sha256, numbers, bits, sealed
    received            run, from, kind, bytes, sha256
    results published   run, files: {name: sha256}
    run ended           run, sent, received: how many messages since it was begun or resumed
    run stopped         run, why

`numbers` and `bits` are the ledger's plaintext, `sealed` its encrypted values; of a DecryptedSums
they are the decryptions.  No line holds a value of anybody's table, a name of its columns, an id
or a ciphertext.  The hash of a message of few bits gives these to whoever tries them all, so the log
is for its owner alone (mode 0600), who knew them before.

What is sent again after a run was cut off has one line, what is received again one each time.  A line of a
message to a peer beyond the `stored` of the next "run resumed" is of one that never left.
A line is on its way to the disk before its message leaves, and is surely there when a run ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from parties.config.party import Party
from parties.contract.approval import signature_of
from parties.contract.tally import private_folder, state_folder
from vfl.errors import ConfigError, SecurityError
from vfl.wire.certificates import Identity

FIRST = 64 * "0"
"""What the first line follows."""

LONGEST_LINE = 64 << 10
"""Bytes of the longest line."""

DOMAIN = b"vfl audit 1\n"
SIGNATURE = b',"sig":"'
ENDS = ("run ended", "run stopped")


class AuditLog:
    """Appends to a party's log; other processes of the party may do so at the same time."""

    def __init__(self, path: Path, identity: Identity) -> None:
        """Open a log for its owner; raise SecurityError where another key has signed it."""
        self.path = path
        self._identity = identity
        self._size = -1
        self._head = 0, FIRST
        own = identity.certificate_pem.decode("ascii")
        signer, successor = _signers(path)
        if signer is None:
            self.append("log begun", _introduced(identity))
        elif own == successor:
            self.append("key taken up", _introduced(identity))
        elif own != signer:
            hint = "`vfl keys rotate` lets the old key vouch for a new one; without it, move the log away"
            raise SecurityError(str(path), "was signed with another key than this party's", hint)

    @classmethod
    def of(cls, party: Party, identity: Identity) -> Self:
        """Return a party's log."""
        return cls(audit_path(party), identity)

    def append(self, event: str, fields: Mapping[str, Any]) -> None:
        """Write a line."""
        try:
            private_folder(self.path.parent)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._write(file, event, fields)
        except OSError as error:
            raise ConfigError(str(self.path), f"cannot be written: {error.strerror}", "see `state`") from None

    def vouch(self, successor: Identity) -> None:
        """Let another key of the party take over, when it does."""
        self.append("key rotated", _introduced(successor))

    def _write(self, file: BinaryIO, event: str, fields: Mapping[str, Any]) -> None:
        size = file.seek(0, os.SEEK_END)
        if size != self._size:
            self._head = _last(file, size, self.path)
        number, former = self._head
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        body = _packed({"n": number + 1, "prev": former, "at": at, "event": event, **fields})
        signature = signature_of(self._identity, DOMAIN + body)
        line = body[:-1] + SIGNATURE + signature.encode() + b'"}'
        assert len(line) < LONGEST_LINE
        file.write(line + b"\n")
        if event in ENDS:
            os.fsync(file.fileno())
        self._size, self._head = size + len(line) + 1, (number + 1, hashlib.sha256(line).hexdigest())


def audit_path(party: Party) -> Path:
    """Return where a party's log is."""
    return state_folder(party) / "audit.jsonl"


def _introduced(identity: Identity) -> dict[str, str]:
    return {"party": identity.name, "certificate": identity.certificate_pem.decode("ascii")}


def _packed(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode("ascii")


def _last(file: BinaryIO, size: int, path: Path) -> tuple[int, str]:
    """Return the number and the hash of the last line; raise SecurityError where it is cut off."""
    if not size:
        return 0, FIRST
    file.seek(max(size - LONGEST_LINE, 0))
    *_, line, rest = (b"\n" + file.read(LONGEST_LINE)).split(b"\n")
    try:
        if rest:
            raise ValueError
        return int(json.loads(line)["n"]), hashlib.sha256(line).hexdigest()
    except (ValueError, KeyError, TypeError):
        hint = "look at it with `vfl audit verify`; move it away to begin another"
        raise SecurityError(str(path), "does not end with a whole line", hint) from None


def _signers(path: Path) -> tuple[str | None, str | None]:
    """Return the certificate that signs a log now, and the one that may take over; None for none."""
    signer = successor = None
    try:
        with path.open("rb") as file:
            for raw in file:
                if b'"certificate":' in raw:
                    line = json.loads(raw)
                    if line["event"] == "key rotated":
                        successor = str(line["certificate"])
                    else:
                        signer, successor = str(line["certificate"]), None
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError):
        raise SecurityError(str(path), "cannot be read", "look at it with `vfl audit verify`") from None
    return signer, successor
