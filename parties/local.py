"""All parties of a job on one machine, each as a process of its own over loopback TLS.

    DIR/job.yaml            the job, with every certificate pinned
    DIR/approvals/          every party's approval of it, signed here: whoever runs all parties holds all keys
    DIR/guest/              the guest's folder: party.yaml, log.txt, and what its programs write
    DIR/<host's name>/      the same for each host
    DIR/arbiter/            the same for the arbiter, if there is one

Nothing private is copied: tables and pinned identities stay where the parties' own files say, and
where the job pins no certificate the party gets a new identity in its own folder.  Servers choose
their own ports and write them down; whoever dials them starts after that.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from parties.config.job import Job
from parties.config.party import Identity, Link, Party
from parties.contract.approval import approve
from parties.crew import Crew
from vfl.errors import ConfigError
from vfl.wire.certificates import create_identity, fingerprint, load_identity, save_identity

LOOPBACK, APPROVALS = "127.0.0.1", "approvals"


@dataclass(frozen=True, slots=True)
class Member:
    """One party of a local run: its own file, whether the job pins it, and its folder under DIR."""

    name: str
    role: str
    pinned: bool
    party: Party
    folder: Path


def run_local(job_path: Path, out: Path, *, echo: TextIO | None = None) -> dict[str, Any]:
    """Train and score with every party of a job; return `out`, the guest's name and its summaries.

    The guest's progress goes to `echo`, stderr by default.  Raises PartyFailedError for the party
    that failed first, with its own words and exit code.  No process outlives the call.
    """
    job = Job.load(job_path)
    members = {name: _member(job, name, job_path.parent, out) for name in job.parties}
    job = _pinned(job, members)
    agreed = out / "job.yaml"
    job.dump(agreed)
    for member in members.values():
        _approve(member, job, out)
    guest = members[job.guest]
    ports: dict[str, int] = {}
    with Crew(agreed, echo or sys.stderr) as crew:
        for name in job.peers_of(job.guest):
            _settle(members[name], job, members, ports, out)
            ports[name] = crew.serve(name, members[name].role, members[name].folder)
        _settle(guest, job, members, ports, out)
        trained = crew.run_guest(guest.name, "train", guest.folder)
        scored = crew.run_guest(guest.name, "score", guest.folder)
    return {"out": str(out), "guest": guest.name, "train": trained, "score": scored}


def _member(job: Job, name: str, beside: Path, out: Path) -> Member:
    role = job.parties[name].role
    path = beside / f"{name}.yaml"
    party = Party.load(path, job)
    if party.party != name:
        raise ConfigError(f"{path}: party", f"is {party.party}, not {name}")
    folder = out / (name if role == "host" else role)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(str(folder), f"cannot be made: {error.strerror}") from None
    return Member(name, role, job.parties[name].certificate is not None, party, folder)


def _pinned(job: Job, members: dict[str, Member]) -> Job:
    """Return the job with a certificate pinned for everybody, made where there was none."""
    parties = dict(job.parties)
    for member in members.values():
        if member.pinned:
            continue
        key, certificate = _identity_paths(member)
        if not key.exists() and not certificate.exists():
            save_identity(create_identity(member.name), member.folder)
        pin = fingerprint(load_identity(member.name, key, certificate).certificate_pem)
        parties[member.name] = parties[member.name].model_copy(update={"certificate": pin})
        for other in job.peers_of(member.name):
            shutil.copyfile(certificate, members[other].folder / certificate.name)
    return job.model_copy(update={"parties": parties})


def _identity_paths(member: Member) -> tuple[Path, Path]:
    return member.folder / f"{member.name}.key", member.folder / f"{member.name}.crt"


def _approve(member: Member, job: Job, out: Path) -> None:
    """Sign a party's approval of the job, as only whoever holds its key can."""
    key, certificate = _identity_paths(member)
    if member.pinned:
        key, certificate = member.party.identity.key, member.party.identity.certificate
    approve(job, load_identity(member.name, key, certificate), out / APPROVALS)


def _settle(member: Member, job: Job, members: dict[str, Member], ports: dict[str, int], out: Path) -> None:
    """Write a party's file for this run: it dials whoever listens already, and listens itself."""
    own = member.party
    key, certificate = _identity_paths(member)
    changes = {
        "identity": own.identity if member.pinned else Identity(certificate=certificate, key=key),
        "peers": {
            name: Link(
                dial=f"{LOOPBACK}:{ports[name]}" if name in ports else None,
                certificate=own.peers[name].certificate
                if members[name].pinned
                else member.folder / f"{name}.crt",
            )
            for name in job.peers_of(member.name)
        },
        "listen": None if member.role == "guest" else f"{LOOPBACK}:0",
        "out": member.folder,
        "approvals": out / APPROVALS,
        "state": member.folder / "state",
    }
    own.model_copy(update=changes).dump(member.folder / "party.yaml")
