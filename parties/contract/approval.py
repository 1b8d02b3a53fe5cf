"""A party's approval of a job: a small document that it signs and that everybody can check.

    approvals/JOB/PARTY.json = {
      "approval": {"vfl": 1, "contract": the job's hash, "job": its name, "party", "role",
                   "expires": the last day it holds, in UTC, "runs": trainings and scorings at most,
                   "approved": when, in UTC},
      "certificate": the party's certificate (PEM),
      "signature": base64 of ECDSA P-256 over SHA-256 of "vfl approval 1\\n" and the approval as
                   canonical JSON (keys sorted, no spaces, ASCII)}

The job pins the certificate's fingerprint, so the document and the job are all that a check needs.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, ValidationError

from parties.config.job import Job, Role
from parties.config.schema import Section
from parties.programs.files import publish
from vfl.errors import ConfigError, ContractError
from vfl.wire.certificates import Identity, fingerprint_of, parse_certificate, signature

MAX_BYTES = 16 << 10
"""Bytes of the longest document that is read."""

DAYS, RUNS = 365, 100
"""How long, and for how many runs, an approval holds that does not say."""

_DOMAIN = b"vfl approval 1\n"


class Terms(Section):
    """What a party approves: which contract, for how many runs, until when."""

    vfl: Literal[1]
    contract: str
    job: str
    party: str
    role: Role
    expires: date
    runs: int = Field(ge=1)
    approved: datetime

    @property
    def id(self) -> str:
        """SHA-256 of what is signed: an approval given anew counts its runs anew."""
        return hashlib.sha256(self.signed).hexdigest()

    @property
    def signed(self) -> bytes:
        """The bytes under the signature."""
        return _DOMAIN + self.canonical

    def check_day(self, today: date) -> None:
        """Raise ContractError where the last day is over."""
        if today > self.expires:
            raise ContractError(f"approval of {self.party}", f"expired on {self.expires}", RENEW)


RENEW = "the party gives a new one: vfl approve"


class Approval(Section):
    """A signed document."""

    approval: Terms
    certificate: str
    signature: str

    @classmethod
    def sign(cls, job: Job, identity: Identity, *, expires: date, runs: int, now: datetime) -> Self:
        """Return a party's approval of a job."""
        name = identity.name
        terms = Terms(
            vfl=1,
            contract=job.contract_hash(),
            job=job.job,
            party=name,
            role=job.parties[name].role,
            expires=expires,
            runs=runs,
            approved=now.astimezone(UTC),
        )
        return cls(
            approval=terms,
            certificate=identity.certificate_pem.decode("ascii"),
            signature=signature_of(identity, terms.signed),
        )

    @classmethod
    def verified(cls, text: str, job: Job, party: str) -> Self:
        """Return the approval that a document holds, if it is this party's of exactly this job.

        Raises ContractError for any other document; whether it has expired is not asked here.
        """
        where = f"approval of {party}"
        if not text:
            raise ContractError(where, "is missing", RENEW)
        try:
            document = cls.model_validate_json(text)
        except ValidationError:
            raise ContractError(where, "is no approval of this version", RENEW) from None
        document._check_subject(where, job, party)
        document._check_signature(where, job.pins[party])
        return document

    def text(self) -> str:
        """Return the document's file."""
        return self.model_dump_json(indent=1) + "\n"

    def _check_subject(self, where: str, job: Job, party: str) -> None:
        terms, contract = self.approval, job.contract_hash()
        if terms.party != party or terms.role != job.parties[party].role:
            raise ContractError(where, f"is that of the {terms.role} {terms.party[:40]!r}", RENEW)
        if terms.contract != contract:
            what = f"is of another contract: {terms.contract[:12]!r}, and this job is {contract[:12]!r}"
            raise ContractError(where, what, "compare the job files, then: vfl approve")

    def _check_signature(self, where: str, pin: str) -> None:
        try:
            certificate = parse_certificate(self.certificate.encode(), where)
        except ConfigError as error:
            raise ContractError(where, error.what, RENEW) from None
        if fingerprint_of(certificate) != pin:
            raise ContractError(where, "is signed with a certificate that the job does not pin", RENEW)
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        if not signature_holds(key, self.signature, self.approval.signed):
            raise ContractError(where, "was changed after it was signed, or signed by somebody else", RENEW)


def signature_of(identity: Identity, data: bytes) -> str:
    """Return base64 of a party's signature."""
    return base64.b64encode(signature(identity, data)).decode("ascii")


def signature_holds(key: ec.EllipticCurvePublicKey, signed: str, data: bytes) -> bool:
    """Tell whether a signature is that of a key's owner under these bytes."""
    try:
        key.verify(base64.b64decode(signed, validate=True), data, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def approve(
    job: Job,
    identity: Identity,
    folder: Path,
    *,
    expires: date | None = None,
    runs: int = RUNS,
) -> Approval:
    """Sign a job for a party and put its approval into a folder of approvals."""
    now = datetime.now(UTC)
    until = expires or now.date() + timedelta(days=DAYS)
    approval = Approval.sign(job, identity, expires=until, runs=runs, now=now)
    path = document_path(folder, job, identity.name)
    publish(path.parent, {path.name: approval.text()})
    return approval


def document_path(folder: Path, job: Job, party: str) -> Path:
    """Return where a party's approval of a job lies in a folder of approvals."""
    return folder / job.job / f"{party}.json"


def read_document(folder: Path, job: Job, party: str) -> str:
    """Return a document's text, nothing where there is none."""
    path = document_path(folder, job, party)
    try:
        text = path.read_bytes()[: MAX_BYTES + 1].decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        raise ContractError(str(path), "cannot be read", RENEW) from None
    if len(text) > MAX_BYTES:
        raise ContractError(str(path), "is too long for an approval", RENEW)
    return text
