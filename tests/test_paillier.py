"""Laws of the encryption, with python-paillier as the oracle."""

from __future__ import annotations

from collections import Counter

import gmpy2
import numpy as np
import phe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeded import Seeded

from vfl.crypto.fixed_point import centred
from vfl.crypto.modular import from_pairs, to_pairs
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.errors import SecurityError

KEY = PrivateKey.insecure_short_key_for_tests_only(512, Seeded(1))
PUBLIC = KEY.public
RNG = Seeded(2)
VALUES = np.array([0, 1, -1, 2**40, -(2**40), 12345], dtype=np.int64)


def opened(c: Ciphertexts) -> list[int]:
    return [centred(v, PUBLIC.n) for v in KEY.decrypt(c)]


def test_what_is_encrypted_decrypts() -> None:
    assert opened(PUBLIC.encrypt(VALUES, RNG)) == VALUES.tolist()


def test_what_we_encrypt_decrypts_with_python_paillier() -> None:
    oracle = KEY.as_phe()
    got = [oracle.raw_decrypt(c) for c in from_pairs(PUBLIC.encrypt(VALUES, RNG).pairs, PUBLIC.n)]
    assert [centred(v, PUBLIC.n) for v in got] == VALUES.tolist()


def test_what_python_paillier_encrypts_decrypts_with_us() -> None:
    theirs = phe.PaillierPublicKey(PUBLIC.n)
    c = to_pairs([theirs.raw_encrypt(int(v) % PUBLIC.n) for v in VALUES], PUBLIC.n)
    assert opened(Ciphertexts(PUBLIC.fingerprint, c)) == VALUES.tolist()


def test_a_sum_of_ciphertexts_decrypts_to_the_sum() -> None:
    a, b = PUBLIC.encrypt(VALUES, RNG), PUBLIC.encrypt(VALUES[::-1].copy(), RNG)
    assert opened(PUBLIC.randomise(PUBLIC.add(a, b), RNG)) == (VALUES + VALUES[::-1]).tolist()
    assert opened(PUBLIC.randomise(PUBLIC.sum(a), RNG)) == [int(VALUES.sum())]


def test_weighted_sums_and_bins_agree_with_numpy() -> None:
    rng = np.random.default_rng(8)
    r, k, codes = (
        rng.integers(-99, 99, 60),
        rng.integers(-(2**20), 2**20, (60, 2)),
        rng.integers(0, 3, (60, 1)),
    )
    c = PUBLIC.encrypt(r, RNG)
    assert opened(PUBLIC.randomise(PUBLIC.weighted_sums(c, k), RNG)) == (r @ k).tolist()
    binned = PUBLIC.sum_by_bin(c, codes, [3])[0]
    assert opened(PUBLIC.randomise(binned, RNG)) == [int(r[codes[:, 0] == b].sum()) for b in range(3)]
    rows = PUBLIC.row_products(c, k[:30].reshape(20, 3))
    assert opened(PUBLIC.randomise(rows, RNG)) == (k[:30].reshape(20, 3) * r.reshape(20, 3)).sum(1).tolist()


def test_packed_sums_unpack_to_themselves() -> None:
    packing = Packing(count=len(VALUES), bits=44, n=PUBLIC.n)
    packed = PUBLIC.pack(PUBLIC.encrypt(VALUES, RNG), packing)
    assert packing.unpack(KEY.decrypt(PUBLIC.randomise(packed, RNG))) == VALUES.tolist()
    with pytest.raises(OverflowError):
        packing.pack([1 << 42] + [0] * 5)


@settings(max_examples=50, deadline=None)
@given(st.integers(40, 200), st.data())
def test_packing_under_encryption_is_packing(bits: int, data: st.DataObject) -> None:
    most = (1 << (bits - 2)) - 1
    values = data.draw(st.lists(st.sampled_from([-most, most]) | st.integers(-most, most), max_size=30))
    packing = Packing(count=len(values), bits=bits, n=PUBLIC.n)
    packed = PUBLIC.pack(PUBLIC.randomise(PUBLIC.lift(values), RNG), packing)
    assert KEY.decrypt(PUBLIC.randomise(packed, RNG)) == packing.pack(values)
    assert packing.unpack(packing.pack(values)) == values


def test_full_randomisation_keeps_the_plaintexts_and_no_two_are_equal() -> None:
    c = PUBLIC.lift(np.repeat(VALUES, 20))
    full = PUBLIC.randomise_fully(c, RNG)
    assert opened(full) == np.repeat(VALUES, 20).tolist()
    assert len(set(from_pairs(full.pairs, PUBLIC.n))) == len(full)


def characters(c: Ciphertexts) -> Counter[tuple[int, int]]:
    """Count ciphertexts by what the holder of the private key sees of the randomiser: squares mod p and q."""
    numbers = from_pairs(c.pairs, PUBLIC.n)
    return Counter((gmpy2.legendre(v, KEY.p), gmpy2.legendre(v, KEY.q)) for v in numbers)


def test_a_mark_on_a_randomiser_survives_powers_of_h_s_but_not_full_randomisation() -> None:
    root = next(g for g in range(2, 99) if gmpy2.legendre(g, KEY.p) == 1 and gmpy2.legendre(g, KEY.q) == -1)
    mark = pow(root, PUBLIC.n, PUBLIC.n_squared)
    marked = Ciphertexts(PUBLIC.fingerprint, to_pairs([mark] * 400, PUBLIC.n))
    assert set(characters(PUBLIC.randomise(marked, RNG))) == {(1, -1), (-1, 1)}
    found = characters(PUBLIC.randomise_fully(marked, RNG))
    assert len(found) == 4 and all(60 <= count <= 140 for count in found.values())


def test_rerandomised_ciphertexts_keep_their_plaintexts_and_show_either_jacobi_symbol() -> None:
    c = PUBLIC.rerandomise(PUBLIC.lift(np.repeat(VALUES, 40)), RNG)
    assert opened(c) == np.repeat(VALUES, 40).tolist()
    symbols = Counter(gmpy2.jacobi(v, PUBLIC.n) for v in from_pairs(c.pairs, PUBLIC.n))
    assert set(symbols) == {1, -1} and all(count > 0.3 * len(c) for count in symbols.values())


def test_a_root_that_is_no_unit_is_drawn_again() -> None:
    class Scripted(Randomness):
        draws = iter((0, KEY.p, 5 * KEY.q, 3))

        def below(self, bound: int) -> int:
            assert bound == PUBLIC.n
            return next(self.draws)

    full = PUBLIC.randomise_fully(PUBLIC.lift([7]), Scripted())
    want = (1 + 7 * PUBLIC.n) * pow(3, PUBLIC.n, PUBLIC.n_squared) % PUBLIC.n_squared
    assert from_pairs(full.pairs, PUBLIC.n) == [want]


def test_no_two_encryptions_are_equal_and_none_is_bare() -> None:
    c = from_pairs(PUBLIC.encrypt(np.zeros(200, np.int64), RNG).pairs, PUBLIC.n)
    assert len(set(c)) == 200
    assert all((v - 1) % PUBLIC.n for v in c)


def test_what_is_not_randomised_has_no_wire_form() -> None:
    assert not hasattr(PUBLIC.lift([1]), "to_wire")


@pytest.mark.parametrize("bad", [0, PUBLIC.n, KEY.p], ids=["zero", "the modulus", "a factor"])
def test_a_ciphertext_outside_of_the_group_is_refused(bad: int) -> None:
    with pytest.raises(SecurityError, match=r"^host: "):
        PUBLIC.check(Ciphertexts(PUBLIC.fingerprint, to_pairs([bad], PUBLIC.n)), 1, "host")


def test_short_even_prime_and_smooth_moduli_are_refused() -> None:
    for n in (PUBLIC.n, 1 << 2047, (1 << 2203) - 1, 3 * ((1 << 2203) - 1)):
        with pytest.raises(SecurityError):
            PublicKey(n)


def test_a_private_key_shows_nothing_of_itself() -> None:
    assert str(KEY.p) not in repr(KEY) and hex(KEY.p)[2:] not in repr(KEY)


def test_a_generated_key_has_the_length_asked_for() -> None:
    assert PrivateKey.generate(2048, Randomness()).public.n.bit_length() == 2048
