"""Sums learnt through the arbiter: exact for who asked, uniform for the arbiter, and never too many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hostile import INVALID, KEY, OTHER, PRIVATE, ciphertexts, forged, integers, tampered, with_ciphertexts
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest
from seeded import Seeded

from vfl import arbitration
from vfl.arbitration import DecryptedSums, MaskedPlaintexts, MaskedSums, Quota, Shape, SharedKey
from vfl.crypto.masking import GUARD
from vfl.crypto.modular import from_ints, to_ints, width_of
from vfl.crypto.packing import Packing
from vfl.errors import ContractError, ProtocolError, SecurityError
from vfl.wire.flow import Peer, Role
from vfl.wire.memory import Transcript, run_in_memory

PARTY, ARBITER = Peer("party"), Peer("arbiter")
BITS = 40


def learner(sums: list[int], rng: Seeded) -> Role[list[int]]:
    """A party that wants to know some sums."""
    packing = Packing(len(sums), BITS, KEY.n)
    packed = KEY.lift(packing.pack(sums))
    return arbitration.learn(packed, packing, key=KEY, rng=rng, arbiter=ARBITER)


def both(sums: list[int], rng: Seeded, *, quota: int = 1000) -> dict[str, Role[object]]:
    """The party and the arbiter."""
    return {"party": learner(sums, rng), "arbiter": Quota(quota).answer(PRIVATE, party=PARTY)}


def seen_by_the_arbiter(run: Transcript) -> list[int]:
    """What the arbiter knows once it has decrypted."""
    asked = [s.message for s in run.views["arbiter"] if isinstance(s.message, MaskedSums)]
    return [plain for message in asked for plain in PRIVATE.decrypt(message.values)]


@settings(max_examples=30)
@given(st.lists(st.integers(1 - 2 ** (BITS - 2), 2 ** (BITS - 2) - 1), min_size=1, max_size=30))
def test_the_party_learns_its_sums_exactly(sums: list[int]) -> None:
    assert run_in_memory(both(sums, Seeded(4))).results["party"] == sums


# --- statistical: what the arbiter sees says nothing ---


def looks_uniform(values: Iterable[int], n: int) -> bool:
    """Tell whether numbers may be uniform in [0, n): as a whole, in their low bits, and in a row."""
    given_values = list(values)
    share = np.array([v * 10**9 // n for v in given_values]) / 1e9
    low = np.bincount([v % 16 for v in given_values], minlength=16)
    high = np.bincount((share * 16).astype(np.int64), minlength=16)
    turns = np.bincount((np.diff(share) % 1.0 * 16).astype(np.int64), minlength=16)
    p_values = [kstest(share, "uniform").pvalue, *(chisquare(c).pvalue for c in (low, high, turns))]
    return len(set(given_values)) == len(given_values) and min(p_values) > 1e-3


class Unmasked(Seeded):
    """Masks that are nought."""

    def below(self, bound: int) -> int:
        return 0


class Short(Seeded):
    """Masks of 64 bits less than the modulus: enough for many a proof, not for perfect hiding."""

    def below(self, bound: int) -> int:
        return super().below(bound >> 64)


class Even(Seeded):
    """Masks whose lowest bit is known."""

    def below(self, bound: int) -> int:
        return super().below(bound) & ~1


class Reused(Seeded):
    """One mask for everything: differences of sums are in the open."""

    def below(self, bound: int) -> int:
        return Seeded(7).below(bound)


class Counted(Seeded):
    """Masks that follow each other at one distance."""

    def below(self, bound: int) -> int:
        self._calls += 1
        return (self._calls * bound * 89 // 144) % bound


def arbiters_view(kind: type[Seeded], sums: list[int]) -> list[int]:
    """What the arbiter sees of 60 runs with the same sums, which take ten plaintexts each."""
    runs = [run_in_memory(both(sums, kind(seed))) for seed in range(60)]
    return [value for run in runs for value in seen_by_the_arbiter(run)]


@pytest.mark.parametrize("sums", [[0] * 120, [1] * 120, [2**37, -(2**37)] * 60], ids=["0", "1", "large"])
def test_the_arbiter_sees_uniform_numbers_whatever_the_sums(sums: list[int]) -> None:
    seen = arbiters_view(Seeded, sums)
    assert len(seen) == 600
    assert looks_uniform(seen, KEY.n)


@pytest.mark.parametrize("kind", [Unmasked, Short, Even, Reused, Counted])
def test_masks_that_hide_less_would_be_noticed(kind: type[Seeded]) -> None:
    assert not looks_uniform(arbiters_view(kind, [1] * 120), KEY.n)


def test_the_same_sums_asked_twice_look_unrelated_to_the_arbiter() -> None:
    first, second = (seen_by_the_arbiter(run_in_memory(both([3] * 6000, Seeded(s)))) for s in (1, 2))
    assert len(first) == len(second) == 500
    assert looks_uniform([(b - a) % KEY.n for a, b in zip(first, second, strict=True)], KEY.n)


def test_the_arbiters_answer_is_told_only_to_who_knows_the_masks() -> None:
    run = run_in_memory(both([5, -5], Seeded(3)))
    (answer,) = (s.message for s in run.views["party"] if isinstance(s.message, DecryptedSums))
    (seen,) = seen_by_the_arbiter(run)
    assert to_ints(answer.values.residues) == [seen % (1 << (2 * BITS + GUARD))]
    assert run.results["party"] == [5, -5]


# --- hostile: who departs from the protocol is named ---


def residues(values: list[int]) -> MaskedPlaintexts:
    """Return numbers as an answer of the arbiter."""
    return MaskedPlaintexts(from_ints(values, width_of(KEY.n)))


ARBITERS_CHEATS = {
    "fewer": lambda m: replace(m, values=MaskedPlaintexts(m.values.residues[1:])),
    "none": lambda m: replace(m, values=MaskedPlaintexts(m.values.residues[:0])),
    "one more": lambda m: replace(m, values=residues([*to_ints(m.values.residues), 1])),
    "N": lambda m: replace(m, values=residues([*to_ints(m.values.residues)[1:], KEY.n])),
    "of other sums": lambda m: replace(m, sums=m.sums - 1),
    "of other bits": lambda m: replace(m, bits=m.bits + 1),
    "narrow": lambda m: replace(m, values=MaskedPlaintexts(m.values.residues.reshape(-1, 8))),
    "wide": lambda m: replace(m, values=MaskedPlaintexts(m.values.residues.reshape(1, -1))),
}


@pytest.mark.parametrize("cheat", ARBITERS_CHEATS)
def test_an_arbiter_that_answers_something_else_is_blamed(cheat: str) -> None:
    roles = both([1] * 24, Seeded(1))
    roles["arbiter"] = tampered(roles["arbiter"], DecryptedSums, ARBITERS_CHEATS[cheat])
    with pytest.raises(ProtocolError, match="sent other decryptions than were asked for") as caught:
        run_in_memory(roles)
    assert caught.value.peer == "arbiter"


def test_an_arbiter_that_answers_at_random_is_blamed() -> None:
    roles = both([1] * 24, Seeded(1))
    wrong = residues([Seeded(8).below(KEY.n), Seeded(9).below(KEY.n)])
    roles["arbiter"] = tampered(roles["arbiter"], DecryptedSums, lambda m: replace(m, values=wrong))
    with pytest.raises(ProtocolError) as caught:
        run_in_memory(roles)
    assert caught.value.peer == "arbiter"


def test_an_arbiter_that_answers_with_another_kind_is_blamed() -> None:
    roles = both([1], Seeded(1))
    key = SharedKey(np.zeros(3, np.uint8))
    roles["arbiter"] = tampered(roles["arbiter"], DecryptedSums, lambda _: key)
    with pytest.raises(ProtocolError, match="arbiter: sent SharedKey, expected DecryptedSums"):
        run_in_memory(roles)


@pytest.mark.parametrize("cheat", INVALID)
def test_what_is_no_ciphertext_is_never_decrypted(cheat: str) -> None:
    change, complaint = INVALID[cheat]
    roles = both([1] * 24, Seeded(1))
    roles["party"] = tampered(roles["party"], MaskedSums, with_ciphertexts("values", change))
    with pytest.raises(SecurityError, match=complaint):
        run_in_memory(roles)


@pytest.mark.parametrize("cheat", INVALID)
def test_who_sends_the_arbiter_no_ciphertexts_is_named(cheat: str) -> None:
    roles = both([1] * 24, Seeded(1))
    change = with_ciphertexts("values", INVALID[cheat][0])
    roles["party"] = tampered(roles["party"], MaskedSums, change)
    with pytest.raises(SecurityError, match=r"^party: "):
        run_in_memory(roles)


def test_decryptions_beyond_the_quota_are_refused_by_name() -> None:
    with pytest.raises(ContractError, match=r"^party: asked for more decryptions than agreed"):
        run_in_memory(both([1] * 24, Seeded(1), quota=1))
    assert run_in_memory(both([1] * 24, Seeded(1), quota=2)).results["party"] == [1] * 24


@pytest.mark.parametrize("most", [Shape(23, BITS), Shape(24, BITS - 1)], ids=["fewer sums", "smaller sums"])
def test_more_than_another_party_allowed_is_refused_by_name(most: Shape) -> None:
    arbiter = Quota(99, most=most).answer(PRIVATE, party=PARTY)
    roles: dict[str, Role[object]] = {"party": learner([1] * 24, Seeded(1)), "arbiter": arbiter}
    agreed = f"{most.sums} of {most.bits} were agreed"
    with pytest.raises(ContractError, match=f"^party: asked for 24 sums of {BITS} bits, {agreed}"):
        run_in_memory(roles)


def test_a_quota_of_requests_lasts_for_as_many() -> None:
    quota = Quota.of_requests(2, Shape(24, BITS), KEY.n)

    async def asks() -> list[list[int]]:
        return [await learner([1] * 24, Seeded(k)) for k in range(3)]

    async def answers() -> None:
        for _ in range(3):
            await quota.answer(PRIVATE, party=PARTY)

    with pytest.raises(ContractError, match=r"^party: asked for more decryptions than agreed"):
        run_in_memory({"party": asks(), "arbiter": answers()})
    assert quota.left == -2


@pytest.mark.parametrize(("quota", "times"), [(2, 3), (5, 6)])
def test_one_ciphertext_asked_for_again_and_again_is_counted_each_time(quota: int, times: int) -> None:
    one = KEY.randomise(KEY.lift([1]), Seeded(1))
    repeated = MaskedSums(ciphertexts(integers(one) * times), times, KEY.n.bit_length() - 2)

    async def asks() -> None:
        await ARBITER.send(repeated)
        await ARBITER.receive(DecryptedSums)

    with pytest.raises(ContractError, match=r"^party: asked for more decryptions than agreed"):
        run_in_memory({"party": asks(), "arbiter": Quota(quota).answer(PRIVATE, party=PARTY)})


def test_a_quota_is_spent_over_all_requests_of_a_party() -> None:
    quota = Quota(3)

    async def twice() -> None:
        await quota.answer(PRIVATE, party=PARTY)
        await quota.answer(PRIVATE, party=PARTY)

    async def asks_twice() -> None:
        for _ in range(2):
            await learner([1] * 24, Seeded(1))

    with pytest.raises(ContractError, match=r"^party: asked for more decryptions"):
        run_in_memory({"party": asks_twice(), "arbiter": twice()})


@pytest.mark.parametrize("said", [{"sums": 1}, {"sums": -1}, {"sums": 10**6}, {"bits": 0}], ids=str)
def test_a_party_that_misstates_its_sums_to_the_ledger_is_blamed(said: dict[str, int]) -> None:
    roles = both([1] * 24, Seeded(1))
    roles["party"] = tampered(roles["party"], MaskedSums, lambda m: forged(m, **said))
    with pytest.raises((ProtocolError, SecurityError), match=r"^party: "):
        run_in_memory(roles)


def test_sums_under_another_key_are_not_even_asked_for() -> None:
    packing = Packing(1, BITS, KEY.n)
    role = arbitration.learn(OTHER.lift([1]), packing, key=KEY, rng=Seeded(1), arbiter=ARBITER)
    with pytest.raises(AssertionError, match="another key"):
        run_in_memory({"party": role})


# --- the key ---


def test_every_party_is_given_the_same_key() -> None:
    parties = {name: arbitration.receive_key(512, arbiter=ARBITER) for name in ("guest", "host")}
    share = arbitration.share_key(PRIVATE, parties=(Peer("guest"), Peer("host")))
    run = run_in_memory({**parties, "arbiter": share})
    assert run.results == {"guest": KEY.n, "host": KEY.n, "arbiter": None}


@pytest.mark.parametrize("modulus", [[], [0] * 64, [1] * 63, [0, *[255] * 63], [1, *[255] * 64]], ids=len)
def test_an_arbiter_whose_key_has_another_size_is_named(modulus: list[int]) -> None:
    async def arbiter() -> None:
        await PARTY.send(SharedKey(np.array(modulus, np.uint8)))

    with pytest.raises(SecurityError, match=r"^arbiter: sent a key of \d+ bits, 512 were agreed"):
        run_in_memory({"party": arbitration.receive_key(512, arbiter=ARBITER), "arbiter": arbiter()})
