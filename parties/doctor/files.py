"""A party's files: its key and certificates, the folders that it writes to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from parties.config.data import DatabaseAccess
from parties.config.job import Job
from parties.config.party import Party
from parties.contract.tally import state_folder
from parties.doctor.finding import Finding, doubtful, failed, fine
from parties.sources import database_of
from vfl.errors import ConfigError, DataError, SecurityError, VflError
from vfl.wire.certificates import fingerprint, load_certificate, load_identity, parse_certificate

FEW_DAYS = 30
"""Days before its end from which a certificate is to be replaced."""

LITTLE_DISK = 1 << 30
"""Bytes of disk that a journal of a hundred thousand customers may take for a while."""

NO_DISK = 64 << 20
"""Bytes of disk without which hardly any run ends."""


def files(job: Job, party: Party) -> Iterator[Finding]:
    """Yield how a party's files stand."""
    yield from _certificates(job, party)
    yield _key(party)
    for subject, folder in (("out", party.out), ("state", state_folder(party))):
        yield _folder(subject, folder)
    if party.data is not None and party.data.table is not None:
        yield _table(party.data.table)
    if party.data is not None and party.data.database is not None:
        yield _database(party.data.database)


def _certificates(job: Job, party: Party) -> Iterator[Finding]:
    """Yield of each certificate whether it is valid, the one that the job pins, and until when."""
    places = {name: link.certificate for name, link in sorted(party.peers.items())}
    for name, path in {party.party: party.identity.certificate, **places}.items():
        subject = f"certificate {name}"
        try:
            if name == party.party:
                pem = load_identity(name, party.identity.key, path).certificate_pem
            else:
                pem = load_certificate(path)
        except VflError as error:
            yield failed(subject, error)
            continue
        yield _pinned(subject, pem, job.parties[name].certificate, path)


def _pinned(subject: str, pem: bytes, pin: str | None, path: Path) -> Finding:
    end = parse_certificate(pem, str(path)).not_valid_after_utc
    days = (end - datetime.now(UTC)).days
    if pin is None:
        return doubtful(subject, "the job pins none", f"vfl peers add JOB {path.name}")
    if fingerprint(pem) != pin:
        wrong = SecurityError(str(path), "is not the certificate that the job pins", "ask whose is right")
        return failed(subject, wrong)
    if days < FEW_DAYS:
        return doubtful(
            subject, f"pinned, and over in {days} days", "vfl keys rotate, then sign the job anew"
        )
    return fine(subject, f"pinned, valid until {end:%Y-%m-%d}")


def _key(party: Party) -> Finding:
    path = party.identity.key
    if not path.exists():
        return failed("key", ConfigError(str(path), "no such file", "see `identity`"))
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return doubtful("key", f"{path} can be read by others (mode {mode:04o})", f"chmod 600 {path}")
    return fine("key", f"{path} is its owner's alone")


def room_in(folder: Path) -> int:
    """Return the bytes that are free in a folder, or in the one that it will be made in."""
    return shutil.disk_usage(_there(folder)).free


def _there(folder: Path) -> Path:
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())


def _folder(subject: str, folder: Path) -> Finding:
    """Say whether a folder, or the one that it will be made in, can be written to and has room."""
    there = _there(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return failed(subject, ConfigError(str(folder), "cannot be written", f"see `{subject}`"))
    free = room_in(folder)
    seen = f"{folder}: {free / 1e9:.1f} GB are free"
    if free < NO_DISK:
        return failed(subject, ConfigError(str(folder), f"{free / 1e6:.0f} MB are free", "make room"))
    if free < LITTLE_DISK:
        return doubtful(subject, seen, "a training keeps a journal: make room")
    if folder.exists() and (mode := folder.stat().st_mode & 0o777) & 0o077:
        return doubtful(subject, f"{folder} is open to others (mode {mode:04o})", f"chmod 700 {folder}")
    return fine(subject, seen)


def _table(path: Path) -> Finding:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        what = f"cannot be read: {(error.strerror or 'no reason given').lower()}"
        return failed("table", DataError(str(path), what, "see `data.table`"))
    return fine("table", f"{path}, {path.stat().st_size / 1e6:.1f} MB")


def _database(access: DatabaseAccess) -> Finding:
    try:
        database_of(access).query("SELECT '1' AS id", "id")
    except VflError as error:
        return failed("database", error)
    return fine("database", f"{access.url} answers")
