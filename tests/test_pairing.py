"""Every two hosts share a secret that the guest, who carries all they say, can neither know nor choose."""

from __future__ import annotations

import ssl
from dataclasses import replace

import numpy as np
import pytest
from hostile import Change, tampered
from hosts_runs import IDENTITIES, NAMES, PINS, pairing_roles

from vfl.errors import SecurityError, VflError
from vfl.linear.pairing import MaskingKey
from vfl.wire.certificates import create_identity, signature
from vfl.wire.memory import run_in_memory


def test_masks_of_all_hosts_add_up_to_nothing_and_those_of_fewer_do_not() -> None:
    masks = [run_in_memory(pairing_roles()).results[name].draw(50) for name in NAMES]
    assert not sum(masks).any()
    for missing in range(3):
        assert (sum(masks) - masks[missing]).all()


def test_every_two_hosts_have_a_secret_of_their_own_and_of_the_run() -> None:
    one, other = (run_in_memory(pairing_roles(run)).results for run in (b"contract/1", b"contract/2"))
    secrets = [s for run in (one, other) for name in NAMES for s in run[name].secrets.values()]
    assert len(secrets) == 12
    assert len(set(secrets)) == 6
    for results in (one, other):
        assert results["host1"].secrets["host3"] == results["host3"].secrets["host1"]


def test_secrets_do_not_show_in_their_repr() -> None:
    masks = run_in_memory(pairing_roles()).results["host1"]
    assert repr(masks) == "Masks(with 2 hosts)"


def of(name: str, run: bytes = b"contract/run") -> Change:
    """Return the change of a key to one that another party has signed as this host's."""
    cheat = create_identity(name)

    def change(message: MaskingKey) -> MaskingKey:
        public = bytes(range(32))
        signed = signature(cheat, b"\n".join((b"vfl masking 1\n" + run, name.encode(), public)))
        return MaskingKey(
            np.frombuffer(public, np.uint8),
            cheat.certificate_pem.decode(),
            np.frombuffer(signed, np.uint8),
        )

    return change


def on_an_unknown_curve(certificate: str) -> str:
    """The certificate with the name of its key's curve changed to one that there is not."""
    der, p256 = ssl.PEM_cert_to_DER_cert(certificate), bytes.fromhex("06082a8648ce3d030107")
    assert der.count(p256) == 1
    return ssl.DER_cert_to_PEM_cert(der.replace(p256, p256[:-1] + b"\x7f"))


CHANGES: dict[str, Change] = {
    "another key under the signature": lambda m: replace(m, key=m.key[::-1].copy()),
    "a signature by another": of("host1"),
    "another certificate": lambda m: replace(
        m, certificate=create_identity("host1").certificate_pem.decode()
    ),
    "a certificate on an unknown curve": lambda m: replace(m, certificate=on_an_unknown_curve(m.certificate)),
    "a certificate in other words": lambda m: replace(m, certificate=m.certificate.rstrip()),
    "no certificate": lambda m: replace(m, certificate="x"),
    "a signature as a table": lambda m: replace(m, signature=m.signature.reshape(1, -1)),
    "no signature": lambda m: replace(m, signature=m.signature[:0]),
    "a short key": lambda m: replace(m, key=m.key[1:]),
    "a key of another run": lambda m: run_in_memory(pairing_roles(b"earlier")).views["host1"][0].message,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("cheater", ["host1", "guest"])
def test_a_key_that_its_owner_has_not_signed_for_the_run_is_refused(cheater: str, change: str) -> None:
    roles = pairing_roles()
    with pytest.raises(VflError, match=f"^{cheater}: sent") as caught:
        run_in_memory(roles | {cheater: tampered(roles[cheater], MaskingKey, CHANGES[change])})
    assert caught.value.exit_code in (4, 6)


def test_a_certificate_that_the_contract_does_not_pin_is_refused() -> None:
    pins = PINS | {"host2": PINS["host1"]}
    with pytest.raises(SecurityError, match="host2: sent a masking key that host2 has not signed"):
        run_in_memory(pairing_roles(pins=pins))


def test_signatures_are_always_the_same() -> None:
    assert signature(IDENTITIES["host1"], b"x") == signature(IDENTITIES["host1"], b"x")
