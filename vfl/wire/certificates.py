"""The keys and self-signed certificates by which parties know each other.

A party's certificate is an X.509 v3 certificate over ECDSA P-256, signed by itself, made out to
``<name>.vfl``.  Its pin is ``sha256:`` and the hexadecimal SHA-256 of its DER form.  Parties
exchange certificates once, compare pins by another channel, and trust those and nothing else.

Only P-256 keys are accepted: that no certificate holds an RSA key is what lets `channel` forbid
every version of TLS but 1.3.

Files: ``<name>.key`` is a PKCS #8 private key in PEM (mode 0600), ``<name>.crt`` one certificate
in PEM.
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from vfl.errors import ConfigError, SecurityError

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Identity:
    """A party's name, its private key and the certificate that the others know it by."""

    name: str
    key_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)


def server_name(party: str) -> str:
    """Return the DNS name that a party's certificate is made out to."""
    return f"{party}.vfl"


def create_identity(name: str, days: int = 825) -> Identity:
    """Return a new key and a certificate over it, valid from an hour ago for so many days."""
    if not _NAME.fullmatch(name):
        raise ConfigError("name", f"{name!r} cannot name a party", "use letters, digits, '-' and '_'")
    if days < 1:
        raise ConfigError("days", f"a certificate cannot be valid for {days} days")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(server_name(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Identity(name, key_pem, certificate.public_bytes(Encoding.PEM))


def fingerprint(certificate_pem: bytes) -> str:
    """Return a certificate's pin: ``sha256:`` and 64 hexadecimal digits."""
    return fingerprint_of(parse_certificate(certificate_pem, "certificate"))


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the pin of a parsed certificate."""
    return _pin(certificate.public_bytes(Encoding.DER))


def parse_certificate(pem: bytes, where: str) -> x509.Certificate:
    """Return the one certificate of a PEM text; raise ConfigError on anything else.

    One and no more: each side uses the text as its trust roots, where a second one would count.
    """
    try:
        certificates = x509.load_pem_x509_certificates(pem)
        is_p256 = all(_is_p256(c.public_key()) for c in certificates)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise ConfigError(where, "is not a PEM certificate that can be read") from None
    if len(certificates) != 1:
        raise ConfigError(where, f"holds {len(certificates)} certificates, expected one")
    if not is_p256:
        raise ConfigError(where, "is not a certificate over an ECDSA P-256 key")
    return certificates[0]


def signature(identity: Identity, data: bytes) -> bytes:
    """Return a party's ECDSA signature over SHA-256 of these bytes: always the same one (RFC 6979)."""
    key = load_pem_private_key(identity.key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def is_signed(certificate: str, pin: str, data: bytes, signed: bytes) -> bool:
    """Tell whether a signature over these bytes is that of the pinned certificate's owner.

    The certificate must be written as `create_identity` writes one, to the byte.
    """
    # The pin comes first: nothing that a stranger made up is parsed.
    try:
        der = ssl.PEM_cert_to_DER_cert(certificate)
    except ValueError:
        return False
    if ssl.DER_cert_to_PEM_cert(der) != certificate or _pin(der) != pin:
        return False
    key = parse_certificate(certificate.encode(), "certificate").public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(signed, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def trusted_pem(pem: bytes, party: str) -> bytes:
    """Return a certificate as trust root of a party, once it is valid today and made out to it."""
    where = f"certificate of {party}"
    certificate = parse_certificate(pem, where)
    _require_valid(certificate, where)
    if server_name(party) not in _names(certificate):
        raise ConfigError(where, f"is not made out to {server_name(party)}")
    return certificate.public_bytes(Encoding.PEM)


def save_identity(identity: Identity, folder: Path, stem: str = "") -> tuple[Path, Path]:
    """Write the key and the certificate, under the party's name or another stem; return their paths.

    Overwrites nothing.
    """
    key_path, certificate_path = (folder / f"{stem or identity.name}.{end}" for end in ("key", "crt"))
    for path in (key_path, certificate_path):
        if path.exists():
            raise ConfigError(str(path), "exists already", "move it away before you make a new one")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(key_path, identity.key_pem, 0o600)
        _write_new(certificate_path, identity.certificate_pem, 0o644)
    except OSError as error:
        raise ConfigError(str(folder), f"cannot be written: {error.strerror}") from None
    return key_path, certificate_path


def load_identity(name: str, key_path: Path, certificate_path: Path) -> Identity:
    """Read a party's own key and certificate and check that they belong together and to it."""
    certificate_pem = load_certificate(certificate_path)
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    key_pem = _read(key_path)
    try:
        key = load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise ConfigError(str(key_path), "is encrypted; a plain PEM key is needed") from None
    except ValueError:
        raise ConfigError(str(key_path), "is not a PEM private key") from None
    if key.public_key() != certificate.public_key():
        raise ConfigError(str(key_path), f"does not belong to the certificate {certificate_path}")
    if server_name(name) not in _names(certificate):
        raise ConfigError(str(certificate_path), f"is not made out to {server_name(name)}")
    return Identity(name, key_pem, certificate_pem)


def load_certificate(path: Path) -> bytes:
    """Read a certificate as PEM; raise SecurityError where it is not valid today."""
    certificate = parse_certificate(_read(path), str(path))
    _require_valid(certificate, str(path))
    return certificate.public_bytes(Encoding.PEM)


def _pin(der: bytes) -> str:
    return "sha256:" + sha256(der).hexdigest()


def _is_p256(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.DNSName)


def _require_valid(certificate: x509.Certificate, where: str) -> None:
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        raise SecurityError(where, f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if now < certificate.not_valid_before_utc:
        start = certificate.not_valid_before_utc
        raise SecurityError(where, f"is not valid before {start:%Y-%m-%d %H:%M} UTC")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            str(path), "no such file", "see `identity` and `peers` in the party's file"
        ) from None
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from None


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
