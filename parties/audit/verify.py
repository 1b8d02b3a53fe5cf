"""Whether an audit log is whole: no line changed, dropped, added or moved, and every run with its end.

Whoever has not the party's key can change no line unnoticed.  What a log alone cannot show is
that it was put back as a whole to the end of an earlier run; the other parties' logs show that:
a message has its line, with the same SHA-256, at both of its ends.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from parties.audit.log import DOMAIN, ENDS, FIRST, SIGNATURE
from parties.contract.approval import signature_holds
from vfl.errors import ConfigError, SecurityError
from vfl.wire.certificates import fingerprint_of, parse_certificate

_LINE = re.compile(rb"(.*)" + re.escape(SIGNATURE) + rb'([A-Za-z0-9+/=]+)"}', re.DOTALL)
MOVED = "a line was taken out, put in or moved"


@dataclass(slots=True)
class Verified:
    """What a log that is whole says."""

    party: str = ""
    signed_by: list[str] = field(default_factory=list)
    """Fingerprints of the certificates, in the order of their use."""
    lines: int = 0
    head: str = FIRST
    """SHA-256 of the last line."""
    runs: dict[str, str] = field(default_factory=dict)
    """What became of each run: "under way", "run ended", "run stopped" or "cut off"."""


def verify(path: Path) -> Verified:
    """Return what a log says; raise SecurityError, with the line, where it is not whole."""
    found = Verified()
    key: ec.EllipticCurvePublicKey | None = None
    successor: ec.EllipticCurvePublicKey | None = None
    for number, raw in enumerate(_lines(path), start=1):
        where = f"{path}:{number}"
        body, signature, line = _opened(where, raw)
        if number == 1 and line.get("event") == "log begun" and line.get("n") == 1:
            key = _introduced(where, line, found)
        elif line["event"] == "key taken up" and successor:
            key, successor = successor, None
        _check_place(where, line, number, found.head)
        if key is None:
            raise SecurityError(where, "does not begin a log: its first lines are missing")
        if not signature_holds(key, signature, DOMAIN + body):
            raise SecurityError(where, "was changed after it was signed")
        if line["event"] == "key rotated":
            successor = _introduced(where, line, found)
        _follow(line, found)
        found.lines, found.head = number, hashlib.sha256(raw).hexdigest()
    for run, state in found.runs.items():
        if state == "under way":
            hint = "lines after it were taken away; or the run is under way, or its process was killed"
            raise SecurityError(f"{path}:{found.lines}", f"the log ends within the run {run}", hint)
    return found


def logs_in(path: Path) -> list[Path]:
    """Return a log, or all that lie in a folder; raise ConfigError where there is none."""
    logs = sorted(path.rglob("audit.jsonl")) if path.is_dir() else [path]
    if not logs:
        raise ConfigError(str(path), "holds no audit.jsonl", "name the `state` folder of a party, or its out")
    return logs


def pin_in(path: Path) -> str:
    """Return the fingerprint of a certificate's file, however old it is."""
    try:
        return fingerprint_of(parse_certificate(path.read_bytes(), str(path)))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from None


def _lines(path: Path) -> list[bytes]:
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from None
    if rest:
        raise SecurityError(f"{path}:{len(lines) + 1}", "is cut off")
    if not lines:
        raise SecurityError(str(path), "is empty: every line was taken away")
    return lines


def _opened(where: str, raw: bytes) -> tuple[bytes, str, dict[str, Any]]:
    """Return the signed bytes of a line, their signature, and the line: nothing stands after it."""
    parts = _LINE.fullmatch(raw)
    try:
        line = json.loads(raw)
        if not parts or not isinstance(line["event"], str):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SecurityError(where, "is no line of an audit log: it was changed") from None
    return parts[1] + b"}", parts[2].decode("ascii"), line


def _check_place(where: str, line: dict[str, Any], number: int, former: str) -> None:
    if line.get("n") != number:
        raise SecurityError(where, f"has the number {str(line.get('n'))[:20]}, not {number}", MOVED)
    if line.get("prev") != former:
        raise SecurityError(where, "does not follow the line before it", MOVED)


def _introduced(where: str, line: dict[str, Any], found: Verified) -> ec.EllipticCurvePublicKey:
    """Note who signs from here on; return the key."""
    try:
        certificate: x509.Certificate = parse_certificate(str(line["certificate"]).encode(), where)
    except (ConfigError, KeyError):
        raise SecurityError(where, "holds no certificate: it was changed") from None
    found.party = str(line.get("party"))
    found.signed_by.append(fingerprint_of(certificate))
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def _follow(line: dict[str, Any], found: Verified) -> None:
    """Keep account of runs.  One that is open when another begins was cut off, with its process."""
    event, run = line["event"], str(line.get("run"))
    if event in ("run begun", "run resumed"):
        for other, state in found.runs.items():
            if state == "under way":
                found.runs[other] = "cut off"
        if (event, found.runs.get(run)) != ("run resumed", "run ended"):  # its peers may lack its last words
            found.runs[run] = "under way"
    elif event in ENDS:
        found.runs[run] = event
