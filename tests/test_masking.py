"""Masked sums come back as far as they may, and say nothing else to anybody."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hostile import KEY, PRIVATE
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from seeded import Seeded

from vfl import arbitration
from vfl.arbitration import DecryptedSums, MaskedSums, Quota
from vfl.crypto.masking import GUARD, HIDING, Masking, Rounded, Whole
from vfl.crypto.packing import Packing
from vfl.errors import ProtocolError, VflError
from vfl.wire.flow import Peer, Role
from vfl.wire.memory import Transcript, run_in_memory

BITS, TOLD = 40, 12
N = KEY.n
MOST = (1 << (BITS - 2)) - (1 << (BITS - TOLD))
SUMS = st.lists(st.integers(-MOST, MOST), min_size=1, max_size=30)


def rounded(count: int, told: int = TOLD) -> Rounded:
    """Return masks for sums of which some bits are told."""
    return Rounded(count, BITS, told, N)


def masked(masking: Masking, sums: list[int], masks: list[int]) -> list[int]:
    """Return what who decrypts sees."""
    plain = masking.packing.pack(sums)
    return [(p + r) % N for p, r in zip(plain, masking.added(masks), strict=True)]


@given(SUMS, st.integers(0, 99))
def test_rounded_sums_are_told_to_half_a_unit_of_their_last_bit(sums: list[int], seed: int) -> None:
    masking = rounded(len(sums))
    masks = masking.draw(Seeded(seed))
    answer = masking.answer(masked(masking, sums, masks))
    assert all(0 <= a < 1 << TOLD for a in answer)
    error = np.array(masking.remove(answer, masks)) - np.array(sums)
    assert masking.dropped == BITS - 1 - TOLD
    assert np.abs(error).max() <= 1 << (masking.dropped - 1)


@given(SUMS, st.integers(0, 99), st.integers(BITS - 1, 99))
def test_as_many_bits_as_there_are_tell_sums_exactly(sums: list[int], seed: int, told: int) -> None:
    for masking in (rounded(len(sums), told), Whole(Packing(len(sums), BITS, N))):
        masks = masking.draw(Seeded(seed))
        assert masking.remove(masking.answer(masked(masking, sums, masks)), masks) == sums


@pytest.mark.parametrize("mask", [0, 1, 2**20, N - 2**20, N - 1])
@pytest.mark.parametrize("sums", [[0], [5], [-5], [MOST], [-MOST]], ids=str)
def test_a_mask_at_the_end_of_its_range_comes_off_as_well(mask: int, sums: list[int]) -> None:
    masking = Whole(Packing(1, BITS, N))
    assert masking.limits == [1 << (BITS + GUARD)]
    assert masking.remove(masking.answer(masked(masking, sums, [mask])), [mask]) == sums


def test_the_error_of_rounding_is_uniform_and_does_not_depend_on_the_sum() -> None:
    masking = rounded(12)
    for value in (0, 1, MOST, -MOST // 3):
        errors = []
        for seed in range(60):
            masks = masking.draw(Seeded(seed))
            back = masking.remove(masking.answer(masked(masking, [value] * 12, masks)), masks)
            errors += [(v - value) / (1 << masking.dropped) + 0.5 for v in back]
        assert kstest(errors, "uniform").pvalue > 1e-3


class HalfAsLong(Seeded):
    """Masks of half the bits."""

    def below(self, bound: int) -> int:
        return super().below(bound >> bound.bit_length() // 2)


def seen(value: int, kind: type[Seeded]) -> list[float]:
    """Return what is seen of one sum under many masks, as parts of the masks' range."""
    masking = rounded(4)
    return [
        m / (1 << (BITS + HIDING))
        for seed in range(150)
        for m in masking.packing.unpack(masked(masking, [value] * 4, masking.draw(kind(seed))))
    ]


@pytest.mark.parametrize("value", [0, MOST, -MOST], ids=["0", "large", "small"])
def test_what_is_seen_of_a_rounded_sum_is_uniform_whatever_the_sum(value: int) -> None:
    assert kstest(seen(value, Seeded), "uniform").pvalue > 1e-3
    assert kstest(seen(value, HalfAsLong), "uniform").pvalue < 1e-9
    assert math.log2((1 << (BITS - 1)) / (1 << (BITS + HIDING))) <= -HIDING


# --- between a party and the arbiter ---


def both(masking: Masking, sums: list[int], told: int | None) -> dict[str, Role[object]]:
    """A party that masks sums in one way, and an arbiter that was told of so many bits."""
    packed = KEY.lift(masking.packing.pack(sums))
    learner = arbitration.learn_masked(packed, masking, key=KEY, rng=Seeded(1), arbiter=Peer("arbiter"))
    return {"party": learner, "arbiter": Quota(99, told=told).answer(PRIVATE, party=Peer("party"))}


def answers(run: Transcript) -> list[DecryptedSums]:
    """Return what the arbiter answered."""
    return [s.message for s in run.views["party"] if isinstance(s.message, DecryptedSums)]


def test_the_ledger_counts_the_bits_that_are_told() -> None:
    sums = [7 << 30, -(5 << 30), 0, 1]
    (told,) = answers(run_in_memory(both(rounded(4), sums, TOLD)))
    assert (told.disclosed().numbers, told.disclosed().bits) == (4, 4 * TOLD)
    assert told.values.residues.size == 4 * 2
    (whole,) = answers(run_in_memory(both(Whole(Packing(4, BITS, N)), sums, None)))
    assert whole.disclosed().bits == 4 * BITS


def test_a_party_cannot_ask_for_more_bits_than_were_agreed() -> None:
    with pytest.raises(ProtocolError, match="arbiter: sent other decryptions than were asked for"):
        run_in_memory(both(rounded(4, told=TOLD + 8), [1] * 4, TOLD))
    with pytest.raises(ProtocolError, match="party: sent what holds no masked sums"):
        run_in_memory(both(Whole(Packing(4, BITS, N)), [1] * 4, TOLD))


@settings(max_examples=20)
@given(st.integers(1, 3), st.integers(2, 500))
def test_no_answer_holds_more_than_its_bits_whatever_is_in_the_plaintext(count: int, bits: int) -> None:
    junk = [Seeded(k).below(N) for k in range(count)]

    async def asks() -> None:
        await Peer("arbiter").send(MaskedSums(KEY.randomise(KEY.lift(junk), Seeded(9)), count, bits))
        await Peer("arbiter").receive(DecryptedSums)

    arbiter = Quota(99).answer(PRIVATE, party=Peer("party"))
    try:
        (answer,) = answers(run_in_memory({"party": asks(), "arbiter": arbiter}))
    except VflError:
        return
    for row in answer.values.residues:
        size = int.from_bytes(row.tobytes(), "little").bit_length()
        assert size <= count * bits + GUARD or count * bits + GUARD + HIDING >= N.bit_length()
