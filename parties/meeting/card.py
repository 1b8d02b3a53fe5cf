"""A party's card: its certificate, and above it in plain words who it is and where it is reached.

    vfl party insurer
    role host
    address insurer.example.org:7443

    -----BEGIN CERTIFICATE-----
    ...

That is a PEM file with explanatory text (RFC 7468, section 2), so whatever reads certificates reads
it.  The words are a convenience that nothing vouches for: a false address leads to a certificate
that is not the pinned one.  What counts is the fingerprint, which people compare by telephone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from vfl.errors import ConfigError
from vfl.wire.certificates import fingerprint, load_certificate

SPOKEN = 32
"""Digits that are read aloud: 128 bits, which no second certificate can be made to share.  Digits
and not words, since a list of words is of one language."""

_HEAD = "vfl party"


@dataclass(frozen=True, slots=True)
class Card:
    """What a party hands to the others; role and address None where the file does not say them."""

    name: str
    fingerprint: str
    certificate_pem: bytes
    role: str | None
    address: str | None

    def text(self) -> str:
        """Return the file's text."""
        said = {_HEAD: self.name, "role": self.role, "address": self.address}
        head = "".join(f"{word} {value}\n" for word, value in said.items() if value)
        return f"{head}\n{self.certificate_pem.decode('ascii')}"


def read_card(path: Path) -> Card:
    """Return the card, or the bare certificate, in a file."""
    pem = load_certificate(path)
    subject = x509.load_pem_x509_certificate(pem).subject
    names = [str(part.value) for part in subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    if len(names) != 1:
        raise ConfigError(str(path), "is the certificate of no party", "`vfl init` makes one")
    head = path.read_bytes().partition(b"-----BEGIN")[0].decode("utf-8", errors="replace")
    said = dict(re.findall(r"^(role|address) (\S+)\s*$", head, flags=re.MULTILINE))
    return Card(names[0], fingerprint(pem), pem, said.get("role"), said.get("address"))


def spoken(pin: str) -> str:
    """Return the first digits of a fingerprint as they are read aloud, in groups of four."""
    digits = pin.removeprefix("sha256:")[:SPOKEN]
    return " ".join(digits[k : k + 4] for k in range(0, SPOKEN, 4))


def heard(text: str, pin: str) -> bool:
    """Tell whether what somebody heard or was sent is this fingerprint: its first 32 digits or more."""
    digits = re.sub(r"[\s:-]", "", text.strip().lower().removeprefix("sha256:"))
    if not re.fullmatch(r"[0-9a-f]{32,64}", digits):
        what = "must be the first 32 digits of 0-9a-f of a fingerprint, or more of them"
        raise ConfigError("--fingerprint", what, "blanks between them do not count")
    return pin.removeprefix("sha256:").startswith(digits)
