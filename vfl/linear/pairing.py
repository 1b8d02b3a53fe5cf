"""Secrets that every two hosts share, and the guest does not, though it carries all they say.

    repeat, host by host
        host -> guest: MaskingKey
    repeat, for every host the keys of all others
        guest -> host: MaskingKey

Diffie-Hellman on X25519 with keys made for the run.  Each is signed with the key of the certificate
that the contract pins, together with the run and the host's name: a guest that put a key of its own in
place of a host's, or one of another run, would be found out.  From the secrets come masks that cancel in
the sum over all hosts (Bonawitz et al. 2017, section 4): host k adds

    m_k = sum_{l > k} s_kl - sum_{l < k} s_kl    mod 2^64

s_kl the AES-256-CTR stream of HKDF-SHA256(secret of k and l, the run).  A secret is good for one vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from vfl.crypto.randomness import Randomness
from vfl.errors import SecurityError
from vfl.wire.certificates import Identity, is_signed, signature
from vfl.wire.flow import Peer
from vfl.wire.message import Message

SIZE = 32
"""Bytes of a key, of a secret and of its stream's key."""

_DOMAIN = b"vfl masking 1\n"


@dataclass(frozen=True, slots=True)
class MaskingKey(Message):
    """A host's public key for this run, its certificate, and its signature under the key.

    Reveals: nothing about data.
    """

    key: NDArray[np.uint8]
    certificate: str
    signature: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, repr=False)
class Masks:
    """What one host shares with each other one: the secrets by the others' names."""

    own: str
    secrets: dict[str, bytes]

    def __repr__(self) -> str:
        return f"Masks(with {len(self.secrets)} hosts)"

    def draw(self, n: int) -> NDArray[np.uint64]:
        """Return m_k for n numbers: those of all hosts add up to 0 modulo 2^64.  To be used once."""
        total = np.zeros(n, np.uint64)
        for name, secret in self.secrets.items():
            stream = Cipher(AES(secret), CTR(bytes(16))).encryptor().update(bytes(8 * n))
            shared = np.frombuffer(stream, "<u8").astype(np.uint64)
            total = total + shared if self.own < name else total - shared
        return total


async def guest(pins: Mapping[str, str], run: bytes, *, hosts: tuple[Peer, ...]) -> None:
    """Bring every host the others' keys; `pins`: the fingerprints of certificates, `run`: its name."""
    keys = []
    for host in hosts:
        keys.append(await host.receive(MaskingKey))
        _check(keys[-1], pins, run, owner=host.name, sender=host)
    for host in hosts:
        for owner, key in zip(hosts, keys, strict=True):
            if owner != host:
                await host.send(key)


async def host(
    identity: Identity,
    pins: Mapping[str, str],
    run: bytes,
    *,
    hosts: tuple[str, ...],
    rng: Randomness,
    guest: Peer,
) -> Masks:
    """Return what we share with each other host; `hosts`: the names of all, in the guest's order."""
    private = X25519PrivateKey.from_private_bytes(rng.bytes(SIZE))
    public = private.public_key().public_bytes_raw()
    signed = signature(identity, _signed(run, identity.name, public))
    await guest.send(
        MaskingKey(
            np.frombuffer(public, np.uint8),
            identity.certificate_pem.decode("ascii"),
            np.frombuffer(signed, np.uint8),
        )
    )
    secrets = {}
    for other in hosts:
        if other != identity.name:
            key = await guest.receive(MaskingKey)
            _check(key, pins, run, owner=other, sender=guest)
            names = "/".join(sorted((identity.name, other)))
            try:
                shared = private.exchange(X25519PublicKey.from_public_bytes(key.key.tobytes()))
            except ValueError:
                raise guest.blame(f"brought a key of {other} that shares no secret") from None
            secrets[other] = HKDF(SHA256(), SIZE, None, _DOMAIN + run + names.encode()).derive(shared)
    return Masks(identity.name, secrets)


def _signed(run: bytes, name: str, public: bytes) -> bytes:
    return b"\n".join((_DOMAIN + run, name.encode(), public))


def _check(key: MaskingKey, pins: Mapping[str, str], run: bytes, *, owner: str, sender: Peer) -> None:
    """Raise SecurityError, which names the sender, unless the owner has signed its key for this run."""
    public = key.key.tobytes()
    if key.key.shape != (SIZE,) or key.signature.ndim != 1:
        raise sender.blame(f"sent no masking key of {owner}")
    data = _signed(run, owner, public)
    if not is_signed(key.certificate, pins[owner], data, key.signature.tobytes()):
        raise SecurityError(sender.name, f"sent a masking key that {owner} has not signed for this run")
