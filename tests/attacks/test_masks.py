"""The arbiter reads what it decrypts; and a party has it decrypt what it should not.

Who: the arbiter, which follows the protocol and keeps what it decrypts.  Wants: gradients.
How: a mask that is nought leaves the sums as they are; one used twice leaves their differences; one
shorter than the modulus leaves the sums in the high slots.
What stops it: a mask uniform in [0, N) for each plaintext, never from a pool.
Pass: not one sum.  (That what the arbiter sees is uniform is tested for sums and for trees.)

The arbiter as an oracle.  Who: a host that departs from the protocol.  Wants: labels.
How: in place of its sums it sends the guest's E(r_i), as many to a plaintext as fit, and has the arbiter
undo the encryption; MaskedSums from anybody look alike.
What bounds it: the quota of decryptions, beyond which the arbiter refuses and names the party; the audit.
The promise is against parties that follow the protocol: within the quota such a host reads labels.
Pass: nothing beyond the quota.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from attacked_runs import ARBITER, KEY, PRIVATE, Fitted, fit, portfolio, report
from protocol_runs import logistic_roles
from protocol_tables import Y
from seeded import Seeded
from test_arbitration import Reused, Unmasked

from vfl import arbitration
from vfl.arbitration import MaskedSums, Quota
from vfl.crypto.fixed_point import FRACTION, decode
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts
from vfl.errors import ContractError
from vfl.linear.logistic import Rules
from vfl.linear.residuals import EncryptedResiduals
from vfl.wire.flow import Peer
from vfl.wire.memory import run_in_memory

RULES = Rules(tolerance=1e-6, max_iter=4)
PEOPLE = portfolio(120, own=2, theirs=8, seed=4)
CLOSE = 1e-6


def decrypted(fitted: Fitted) -> list[tuple[list[int], Packing]]:
    """Return what the arbiter knows of the host's sums, request by request."""
    asked = [s.message for s in fitted.run.views["arbiter"] if s.sender == "host"]
    sums = [m for m in asked if isinstance(m, MaskedSums)]
    return [(PRIVATE.decrypt(m.values), Packing(m.sums, m.bits, KEY.n)) for m in sums]


def _read(plain: list[int], packing: Packing) -> list[float]:
    try:
        return [decode(v, 3 * FRACTION) for v in packing.unpack(plain)]
    except OverflowError:
        return []


def as_they_are(seen: list[tuple[list[int], Packing]]) -> list[list[float]]:
    """Return the sums of each request if nothing masks them."""
    return [_read(plain, packing) for plain, packing in seen]


def differences(seen: list[tuple[list[int], Packing]]) -> list[list[float]]:
    """Return the differences of each request's sums from the first one's if one mask served for all."""
    first = seen[0][0]
    return [
        _read([(v - u) % KEY.n for v, u in zip(plain, first, strict=True)], packing)
        for plain, packing in seen[1:]
    ]


def high_slots(seen: list[tuple[list[int], Packing]]) -> list[list[float]]:
    """Return the sum in the highest slot of each plaintext if masks do not reach it."""
    found = []
    for plain, packing in seen:
        top = packing.slots - 1
        centred = [v - KEY.n if v > KEY.n // 2 else v for v in plain]
        found.append([decode(v >> packing.bits * top, 3 * FRACTION) for v in centred])
    return found


def hits(guesses: list[list[float]], truth: list[list[float]]) -> int:
    """Return how many of the true numbers stand where they were guessed."""
    pairs = [p for guess, true in zip(guesses, truth, strict=True) for p in zip(guess, true, strict=False)]
    return sum(abs(g - t) <= CLOSE * max(1.0, abs(t)) for g, t in pairs)


def the_sums(fitted: Fitted) -> list[list[float]]:
    return [learnt.sums.tolist() for learnt in fitted.host.seen]


def their_differences(fitted: Fitted) -> list[list[float]]:
    first, *rest = (learnt.sums for learnt in fitted.host.seen)
    return [(sums - first).tolist() for sums in rest]


def those_in_high_slots(fitted: Fitted) -> list[list[float]]:
    _, packing = decrypted(fitted)[0]
    return [learnt.sums[packing.slots - 1 :: packing.slots].tolist() for learnt in fitted.host.seen]


class HalfAsLong(Seeded):
    """Masks of half the modulus's bits."""

    def below(self, bound: int) -> int:
        return super().below(bound >> bound.bit_length() // 2)


Attack = Callable[[list[tuple[list[int], Packing]]], list[list[float]]]
ATTACKS: dict[str, tuple[type[Seeded], Attack, Callable[[Fitted], list[list[float]]]]] = {
    "no mask": (Unmasked, as_they_are, the_sums),
    "one mask for all": (Reused, differences, their_differences),
    "masks half as long": (HalfAsLong, high_slots, those_in_high_slots),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_arbiter_reads_sums_behind_poor_masks_and_none_behind_uniform_ones(name: str) -> None:
    kind, attack, truth = ATTACKS[name]
    got = []
    for masks in (kind(3), Seeded(3)):
        fitted = fit(PEOPLE, RULES, rngs=(Seeded(2), masks))
        wanted = truth(fitted)
        got.append((hits(attack(decrypted(fitted)), wanted), sum(map(len, wanted))))
    (undefended, all_of_them), (defended, _) = got
    report(f"sums that the arbiter reads: {name}", f"{undefended} of {all_of_them}", f"{defended}")
    assert undefended == all_of_them
    assert defended == 0


# --- the arbiter as an oracle ---

LABEL_BITS = 2 * FRACTION + 4
"""A slot for one residual."""
HONEST = 1
"""Ciphertexts that a host of so few columns needs for a gradient."""


def oracle(requests: int, quota: int) -> tuple[list[float], list[int]]:
    """Return the residuals that a host has decrypted in place of its sums, and the labels."""
    run = run_in_memory(logistic_roles(rules=Rules(1e-9, 1)))
    (r,) = (s.message.values for s in run.views["host"] if isinstance(s.message, EncryptedResiduals))
    slots = (KEY.n.bit_length() - 2) // LABEL_BITS
    read: list[float] = []

    async def host() -> None:
        for k in range(requests):
            part: Ciphertexts = r[k * slots : (k + 1) * slots]
            packing = Packing(len(part), LABEL_BITS, KEY.n)
            sums = await arbitration.learn(
                KEY.pack(part, packing), packing, key=KEY, rng=Seeded(k), arbiter=ARBITER
            )
            read.extend(decode(v, 2 * FRACTION) for v in sums)

    async def arbiter() -> None:
        allowed = Quota(quota)
        for _ in range(requests):
            await allowed.answer(PRIVATE, party=Peer("host"))

    try:
        run_in_memory({"host": host(), "arbiter": arbiter()})
    except ContractError as error:
        assert str(error).startswith("host: asked for more decryptions than agreed")
    return read, [int(v < 0) for v in read]


def test_a_host_reads_labels_through_the_arbiter_up_to_its_quota_and_none_beyond() -> None:
    slots = (KEY.n.bit_length() - 2) // LABEL_BITS
    _, undefended = oracle(requests=8, quota=99)
    _, defended = oracle(requests=8, quota=HONEST)
    at_2048 = 2046 // LABEL_BITS
    report(
        "labels a cheating host reads through the arbiter",
        f"{len(undefended)} of {len(Y)}",
        f"{len(defended)}, the quota's ({at_2048} a decryption at 2048 bits)",
    )
    assert undefended == Y[: 8 * slots].tolist()
    assert defended == Y[: HONEST * slots].tolist()
    assert np.unique(undefended).tolist() == [0, 1]
