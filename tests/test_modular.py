"""Conformance: what every arithmetic backend must compute, against Python's own integers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threaded_cluster import Threaded

from vfl.crypto.modular import Modular, Pairs, Spread, best, from_pairs, to_ints, to_pairs, width_of
from vfl.crypto.modular.ifma import gate

P, Q = (0xF << 124) + 0x47, (0xF << 124) + 0x41B
N = P * Q
M = N * N
WIDTH = 2 * width_of(N)


def pairs(values: list[int]) -> Pairs:
    return to_pairs(values, N)


def numbers(values: Pairs) -> list[int]:
    return from_pairs(values, N)


@pytest.fixture(params=["gmp", "ifma"], scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "ifma" and (lacking := gate.missing()):
        pytest.skip(lacking)
    return str(request.param)


@pytest.fixture(params=[1, 2, 0], ids=["one worker", "two workers", "a cluster"])
def backend(kind: str, request: pytest.FixtureRequest) -> Modular:
    if not request.param:  # a worth that nothing falls short of: whatever can be sent is
        return Spread(Threaded(), best(1, kind), kind, worth=1e-9)
    return best(request.param, kind)


def units(n: int, seed: int = 1) -> list[int]:
    rng = np.random.default_rng(seed)
    out: list[int] = [1, M - 1, N - 1, N + 1]
    while len(out) < n:
        v = int.from_bytes(rng.bytes(WIDTH), "little") % M
        if math.gcd(v, M) == 1:
            out.append(v)
    return out[:n]


def test_a_product_is_elementwise(backend: Modular) -> None:
    a, b = units(300, 1), units(300, 2)
    got = backend.multiply(pairs(a), pairs(b), N)
    assert numbers(got) == [x * y % M for x, y in zip(a, b, strict=True)]


def test_sums_by_bin_multiply_what_shares_a_bin(backend: Modular) -> None:
    c = units(600)
    codes = np.random.default_rng(3).integers(0, 4, (600, 2))
    got = backend.sum_by_bin(pairs(c), codes, [4, 6], N)
    for j, size in enumerate((4, 6)):
        want = [math.prod(v for v, k in zip(c, codes[:, j], strict=True) if k == b) % M for b in range(size)]
        assert numbers(got[j]) == want


@pytest.mark.parametrize("count", [30, 900], ids=["few", "many"])
def test_fixed_base_powers_are_powers_times_a_factor(backend: Modular, count: int) -> None:
    times = units(count)
    exponents = np.random.default_rng(4).integers(0, 256, (count, 16), dtype=np.uint8)
    got = backend.fixed_base_powers(7, exponents, N, pairs(times))
    assert numbers(got) == [t * pow(7, e, M) % M for t, e in zip(times, to_ints(exponents), strict=True)]


def test_row_powers_take_signed_exponents(backend: Modular) -> None:
    c = units(900)
    k = np.random.default_rng(5).integers(-(2**20), 2**20, (300, 3))
    k[0], k[1], k[2] = 0, -1, -(2**20)
    got = numbers(backend.row_powers(pairs(c).reshape(300, 3, WIDTH), k, N))
    for i in range(300):
        want = math.prod(pow(c[3 * i + j], int(k[i, j]), M) for j in range(3)) % M
        assert got[i] == want


def test_multi_exponentiation_takes_signed_exponents(backend: Modular) -> None:
    c = units(700)
    k = np.random.default_rng(6).integers(-(2**25), 2**25, (700, 3))
    k[:, 2] = 0
    got = numbers(backend.multi_exponentiation(pairs(c), k, N))
    for j in range(3):
        assert got[j] == math.prod(pow(v, int(e), M) for v, e in zip(c, k[:, j], strict=True)) % M


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=40))
def test_any_signed_exponents_give_their_product(kind: str, exponents: list[int]) -> None:
    c = units(len(exponents), 7)
    k = np.array(exponents, dtype=np.int64)[:, None]
    want = math.prod(pow(v, e, M) for v, e in zip(c, exponents, strict=True)) % M
    single = best(1, kind)
    assert numbers(single.multi_exponentiation(pairs(c), k, N)) == [want]
    assert numbers(single.row_powers(pairs(c)[None], k.T, N)) == [want]


def test_a_product_of_all_rows_is_one_row(backend: Modular) -> None:
    c = units(300)
    assert numbers(backend.product(pairs(c), N)) == [math.prod(c) % M]


@pytest.mark.parametrize(
    ("rows", "slots", "bits"),
    [(1, 1, 9), (300, 1, 9), (300, 4, 0), (301, 7, 1), (299, 5, 83), (7, 24, 83), (24, 24, 64), (25, 24, 3)],
)
def test_packed_rows_are_horners_sums_in_the_exponent(
    backend: Modular, rows: int, slots: int, bits: int
) -> None:
    c = units(rows)
    groups = [c[i : i + slots] for i in range(0, rows, slots)]
    want = [math.prod(pow(v, 1 << bits * j, M) for j, v in enumerate(group)) % M for group in groups]
    assert numbers(backend.packed(pairs(c), slots, bits, N)) == want


@pytest.mark.parametrize("count", [1, 8, 30], ids=str)
@pytest.mark.parametrize("exponent", [1, 2, 31, 32, 33, 1 << 64, N, M - 1], ids=hex)
def test_powers_to_one_exponent_are_powers(backend: Modular, count: int, exponent: int) -> None:
    c = units(count)
    assert numbers(backend.powers(pairs(c), exponent, N)) == [pow(v, exponent, M) for v in c]


def test_what_is_no_unit_is_packed_and_raised_as_well(backend: Modular) -> None:
    c = [0, N, P, M - N, 1, P * P, M - 1, N - 1, Q * N]
    want = [pow(c[i + 2], 1 << 16, M) * pow(c[i + 1], 1 << 8, M) * c[i] % M for i in (0, 3, 6)]
    assert numbers(backend.packed(pairs(c), 3, 8, N)) == want
    assert numbers(backend.powers(pairs(c), 77, N)) == [pow(v, 77, M) for v in c]


def test_decryption_returns_what_was_lifted(backend: Modular) -> None:
    plain = [0, 1, P - 1, P, Q, N - 1, *(v % N for v in units(200))]
    c = [(1 + m * N) * pow(5, N * i, M) % M for i, m in enumerate(plain)]
    assert to_ints(backend.crt_decrypt(pairs(c), P, Q)) == plain


def test_what_has_no_inverse_is_not_divided_by(backend: Modular) -> None:
    c, k = pairs([3, P]), np.array([[1], [-1]])
    with pytest.raises(ZeroDivisionError):
        backend.multi_exponentiation(c, k, N)
    with pytest.raises(ZeroDivisionError):
        backend.row_powers(c[:, None], k, N)


def test_nothing_is_computed_from_nothing(backend: Modular) -> None:
    none, codes = pairs([]), np.empty((0, 2), np.int64)
    assert backend.multiply(none, none, N).shape == (0, WIDTH)
    assert numbers(backend.product(none, N)) == [1]
    assert [numbers(s) for s in backend.sum_by_bin(none, codes, [1, 2], N)] == [[1], [1, 1]]
    assert backend.fixed_base_powers(7, np.empty((0, 4), np.uint8), N, none).shape == (0, WIDTH)
    assert backend.row_powers(none.reshape(0, 3, WIDTH), np.empty((0, 3), np.int64), N).shape == (0, WIDTH)
    assert numbers(backend.multi_exponentiation(none, codes, N)) == [1, 1]
    assert backend.packed(none, 24, 83, N).shape == (0, WIDTH)
    assert backend.powers(none, 5, N).shape == (0, WIDTH)
    assert not backend.shares_a_factor(none, N)
    assert len(backend.crt_decrypt(none, P, Q)) == 0


def test_a_factor_in_common_with_the_modulus_is_found(backend: Modular) -> None:
    c = units(600)
    assert not backend.shares_a_factor(pairs(c), N)
    assert backend.shares_a_factor(pairs([*c[:400], 5 * P, *c[400:]]), N)
    assert backend.shares_a_factor(pairs([0]), N)
