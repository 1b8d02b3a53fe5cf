"""A key that is none, or that differs between two parties, is noticed, and its maker is named."""

from __future__ import annotations

import gmpy2
import numpy as np
import pytest
from hostile import KEY, OTHER
from protocol_runs import logistic_roles, woe_roles
from protocol_tables import GUEST, Roles
from seeded import Seeded

from vfl import arbitration
from vfl.arbitration import SharedKey
from vfl.crypto.paillier import PublicKey
from vfl.errors import SecurityError
from vfl.features import woe
from vfl.gates import Gates
from vfl.wire.flow import Peer
from vfl.wire.memory import run_in_memory

BITS = 2048
ARBITER, PARTY = Peer("arbiter"), Peer("party")


def prime(bits: int) -> int:
    """Return a prime of so many bits."""
    return int(gmpy2.next_prime(3 << (bits - 2)))


P, Q = prime(BITS // 2), int(gmpy2.next_prime(prime(BITS // 2)))

BAD: dict[str, int] = {
    "small": KEY.n,
    "of one bit too few": (1 << (BITS - 1)) - 1,
    "of one bit too many": (1 << BITS) + 1,
    "even": P * Q + 1,
    "prime": prime(BITS),
    "a square": P * P,
    "a fourth power": prime(BITS // 4) ** 4,
    "with a factor 3": 3 * prime(BITS - 2),
    "with the largest small factor": 65521 * (3 << (BITS - 18) | 1),
    "nought": 0,
    "one": 1,
}


async def given(modulus: int) -> None:
    """Send a modulus as the arbiter does."""
    data = modulus.to_bytes(max(1, -(-modulus.bit_length() // 8)), "big")
    await PARTY.send(SharedKey(np.frombuffer(data, np.uint8)))


async def taken() -> PublicKey:
    """Take a key as a party does."""
    modulus = await arbitration.receive_key(BITS, arbiter=ARBITER)
    return PublicKey(modulus, source=ARBITER.name)


def test_a_good_key_is_taken() -> None:
    run = run_in_memory({"arbiter": given(P * Q), "party": taken()})
    assert run.results["party"].n == P * Q


@pytest.mark.parametrize("what", BAD)
def test_an_arbiter_whose_key_is_none_is_named(what: str) -> None:
    with pytest.raises(SecurityError, match=r"^arbiter: sent a (key|modulus) "):
        run_in_memory({"arbiter": given(BAD[what]), "party": taken()})


@pytest.mark.parametrize("modulus", [P * Q << 8, P * Q], ids=["with noughts behind", "with noughts before"])
def test_a_key_of_another_form_is_refused(modulus: int) -> None:
    async def padded() -> None:
        data = modulus.to_bytes(BITS // 8 + 1, "big")
        await PARTY.send(SharedKey(np.frombuffer(data, np.uint8)))

    with pytest.raises(SecurityError, match=r"^arbiter: sent a key "):
        run_in_memory({"arbiter": padded(), "party": taken()})


def only(roles: Roles, *names: str) -> Roles:
    """Return some of the roles; the others are never begun."""
    for name in roles.keys() - set(names):
        roles[name].close()
    return {name: roles[name] for name in names}


def other() -> PublicKey:
    """Another key, of the same arbiter."""
    return PublicKey(OTHER.n, minimum_bits=512, source=ARBITER.name)


def test_a_host_that_was_given_another_key_than_the_guest_notices_at_the_first_ciphertext() -> None:
    codes = [np.zeros(90, np.int64)]
    misled = woe.host(
        codes, [1], key=other(), rng=Seeded(1), gates=Gates(frozenset()), guest=GUEST, arbiter=ARBITER
    )
    with pytest.raises(SecurityError, match="under another key than the one of arbiter") as caught:
        run_in_memory(only(woe_roles(), "guest", "arbiter") | {"host": misled})
    assert caught.value.where == "guest"


def test_a_guest_that_was_given_another_key_than_the_host_notices_at_the_first_ciphertext() -> None:
    with pytest.raises(SecurityError, match=r"^host: sent ciphertexts under another key than the one of "):
        run_in_memory(only(logistic_roles(), "host", "arbiter") | only(logistic_roles(key=other()), "guest"))


def test_parties_that_were_all_given_anothers_key_notice_that_the_arbiter_has_none_of_it() -> None:
    roles = only(logistic_roles(key=other()), "guest", "host") | only(logistic_roles(), "arbiter")
    with pytest.raises(SecurityError, match=r"^guest: sent ciphertexts under another key"):
        run_in_memory(roles)
