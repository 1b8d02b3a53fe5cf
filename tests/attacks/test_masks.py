"""The arbiter reads what it decrypts; and a party has it decrypt what it should not.

Who: the arbiter, which follows the protocol and keeps what it decrypts.  Wants: gradients.
How: a mask that is nought leaves the sums as they are; one used twice leaves their differences; one
shorter than the modulus leaves the sums in the high slots.
What stops it: a mask uniform in [0, N) for each plaintext, never from a pool.
Pass: not one sum.  (That what the arbiter sees is uniform is tested for sums and for trees.)

The arbiter as an oracle.  Who: a host that departs from the protocol.  Wants: labels.
How: in place of its sums it sends the guest's E(r_i), as many to a plaintext as fit, and has the arbiter
undo the encryption; MaskedSums from anybody look alike.
What bounds it: the guest tells the arbiter how many sums of how many bits the host's gradient has; the
arbiter refuses others and names the party, answers with as many bits and no more, and that max_iter times
at most.  The promise is against parties that follow the protocol: one that puts residuals in the place of
its sums reads as many as fit into its own gradient's bits (one a column, with `disclosure.gradient_bits`).
Pass: nothing beyond these bits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from attacked_runs import ARBITER, HOST, KEY, PRIVATE, Fitted, Labels, fit, portfolio, report
from protocol_runs import logistic_roles
from protocol_tables import X, Y
from seeded import Seeded
from test_arbitration import Reused, Unmasked

from vfl import arbitration
from vfl.arbitration import DecryptedSums, MaskedSums, Quota
from vfl.crypto.fixed_point import FRACTION, centred, decode
from vfl.crypto.masking import GUARD
from vfl.crypto.modular import to_ints
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts
from vfl.errors import ContractError
from vfl.linear import residuals
from vfl.linear.columns import Columns
from vfl.linear.logistic import Rules
from vfl.linear.residuals import EncryptedResiduals
from vfl.wire.flow import Role
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
FINE = residuals.fraction(1)
HOSTS = Columns(X[:, 2:], np.ones(3), np.zeros(3))
"""The columns of which the host has a gradient to ask for."""


def encrypted_residuals() -> Ciphertexts:
    """Return what the guest sends in the first iteration: all begin at nought, so the signs are labels."""
    run = run_in_memory(logistic_roles(rules=Rules(1e-9, 1)))
    (r,) = (s.message.values for s in run.views["host"] if isinstance(s.message, EncryptedResiduals))
    return r


def decrypted_labels(
    r: Ciphertexts, quota: Quota, asks: Callable[[int, Ciphertexts], Role[list[int]]]
) -> Labels:
    """Return the labels that a host reads in eight requests; `asks`: one of them, for some residuals."""
    slots, read = (KEY.n.bit_length() - 2) // LABEL_BITS, list[int]()

    async def host() -> None:
        for k in range(8):
            read.extend(await asks(k, r[k * slots : (k + 1) * slots]))

    async def arbiter() -> None:
        for _ in range(8):
            await quota.answer(PRIVATE, party=HOST)

    try:
        run_in_memory({"host": host(), "arbiter": arbiter()})
    except ContractError as error:
        assert str(error).startswith("host: asked for ")
    return (np.array(read) < 0).astype(np.int8)


async def openly(k: int, part: Ciphertexts) -> list[int]:
    """Ask for as many residuals as fit into a plaintext."""
    packing = Packing(len(part), LABEL_BITS, KEY.n)
    return await arbitration.learn(KEY.pack(part, packing), packing, key=KEY, rng=Seeded(k), arbiter=ARBITER)


async def disguised(k: int, part: Ciphertexts) -> list[int]:
    """Ask for the sums that were agreed, with residuals in their place."""
    masking = HOSTS.masking(KEY, FINE)
    (limit,), (mask,) = masking.limits, masking.draw(Seeded(k))
    packing = Packing(min(len(part), (limit.bit_length() - 1) // LABEL_BITS), LABEL_BITS, KEY.n)
    packed = KEY.add(KEY.pack(part[: packing.count], packing), KEY.lift([mask]))
    shape = HOSTS.shape(KEY, FINE)
    await ARBITER.send(MaskedSums(KEY.randomise(packed, Seeded(k)), shape.sums, shape.bits))
    (told,) = to_ints((await ARBITER.receive(DecryptedSums)).values.residues)
    return packing.unpack([centred((told - mask) % limit, limit) % KEY.n])


def test_a_host_reads_labels_through_the_arbiter_no_further_than_its_own_gradients_bits() -> None:
    r, shape = encrypted_residuals(), HOSTS.shape(KEY, FINE)
    slots = (KEY.n.bit_length() - 2) // LABEL_BITS
    undefended = decrypted_labels(r, Quota(99), openly)
    refused = decrypted_labels(r, Quota.of_requests(1, shape, KEY.n), openly)
    within = decrypted_labels(r, Quota.of_requests(1, shape, KEY.n), disguised)
    fitting = (shape.sums * shape.bits + GUARD) // LABEL_BITS
    report(
        "labels a cheating host reads through the arbiter",
        f"{len(undefended)} of {len(Y)}",
        f"{len(refused)} (other sums); {len(within)} in the place of its {shape.sums} sums",
    )
    assert undefended.tolist() == Y[: 8 * slots].tolist()
    assert not len(refused)
    assert within.tolist() == Y[:fitting].tolist()
    assert np.unique(undefended).tolist() == [0, 1]
