"""Identities and their certificates: made, kept, pinned, and refused when they are no good."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from network_fixtures import GUEST, HOST, dial_free_port

from vfl.errors import ConfigError, SecurityError
from vfl.wire import certificates
from vfl.wire.certificates import (
    create_identity,
    fingerprint,
    load_certificate,
    load_identity,
    save_identity,
)


def test_an_identity_comes_back_from_its_files(tmp_path):
    key, certificate = save_identity(GUEST, tmp_path / "keys")
    assert load_identity("guest", key, certificate) == GUEST
    assert load_certificate(certificate) == GUEST.certificate_pem
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match=r"guest\.key: exists already"):
        save_identity(GUEST, tmp_path / "keys")


def test_an_identity_shows_no_key():
    assert repr(GUEST) == "Identity(name='guest')"


def test_a_pin_is_the_hash_of_the_der_form():
    der = ssl.PEM_cert_to_DER_cert(GUEST.certificate_pem.decode())
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    assert fingerprint(GUEST.certificate_pem) == f"sha256:{digest.finalize().hex()}"


@pytest.mark.parametrize("name", ["", "a b", "../host", "-x", "x" * 64, "naïve"])
def test_a_name_that_no_certificate_can_hold_is_refused(name):
    with pytest.raises(ConfigError, match="cannot name a party"):
        create_identity(name)


def test_files_that_are_no_identity_are_refused_with_the_reason(tmp_path):
    key, certificate = save_identity(GUEST, tmp_path)
    other, _ = save_identity(HOST, tmp_path)
    sealed = tmp_path / "sealed.key"
    private = load_pem_private_key(GUEST.key_pem, None)
    sealed.write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    for name, one, two, complaint in [
        ("guest", tmp_path / "none.key", certificate, r"none\.key: no such file"),
        ("guest", key, tmp_path / "none.crt", r"none\.crt: no such file"),
        ("guest", tmp_path, certificate, "cannot be read"),
        ("guest", other, certificate, r"host\.key: does not belong to the certificate"),
        ("guest", certificate, certificate, r"guest\.crt: is not a PEM private key"),
        ("guest", sealed, certificate, "is encrypted"),
        ("guest", key, key, r"guest\.key: is not a PEM certificate"),
        ("bank", key, certificate, r"is not made out to bank\.vfl"),
    ]:
        with pytest.raises(ConfigError, match=complaint):
            load_identity(name, one, two)


def test_a_file_of_two_certificates_is_refused(tmp_path):
    both = tmp_path / "both.crt"
    both.write_bytes(GUEST.certificate_pem + HOST.certificate_pem)
    with pytest.raises(ConfigError, match="holds 2 certificates, expected one"):
        load_certificate(both)


def test_a_certificate_over_an_rsa_key_is_refused(tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "guest")])
    start = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), 1, start, start + timedelta(days=1)
    ).sign(key, hashes.SHA256())
    path = tmp_path / "guest.crt"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    with pytest.raises(ConfigError, match="not a certificate over an ECDSA P-256 key"):
        load_certificate(path)


class Later(datetime):
    """A clock two days ahead."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(days=2)


def test_an_expired_certificate_is_refused(tmp_path, monkeypatch):
    identity = create_identity("host", days=1)
    _, path = save_identity(identity, tmp_path)
    monkeypatch.setattr(certificates, "datetime", Later)
    with pytest.raises(SecurityError, match=r"host\.crt: expired on"):
        load_certificate(path)
    with pytest.raises(SecurityError, match="certificate of host: expired on"):
        dial_free_port(1, certificate=identity.certificate_pem)
