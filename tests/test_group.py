"""Every backend of the group: the standard's vectors, libsodium's bytes, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from threaded_cluster import Threaded

from psi.group import ORDER, SIZE, UNIFORM, Group, Rows, Sodium, Spread, best
from psi.group.ifma.field import P
from vfl.crypto.modular.ifma import gate
from vfl.errors import ConfigError

VECTORS = json.loads((Path(__file__).parent / "vectors" / "ristretto255.json").read_text())
MULTIPLES = [bytes.fromhex(point) for point in VECTORS["generator_multiples"]]
IDENTITY, GENERATOR = MULTIPLES[:2]
MANY = 20_000


@pytest.fixture(params=["sodium", "ifma"], scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "ifma" and (lacking := gate.missing()):
        pytest.skip(lacking)
    return str(request.param)


@pytest.fixture(params=[1, 2, 7, 0], ids=["one worker", "2 workers", "7 workers", "a cluster"])
def group(kind: str, request: pytest.FixtureRequest) -> Group:
    if not request.param:  # a worth that nothing falls short of: whatever can be sent is
        return Spread(Threaded(), best(1, kind), kind, worth=1e-9)
    return best(request.param, kind)


@pytest.fixture(scope="module")
def single(kind: str) -> Group:
    return best(1, kind)


@pytest.fixture(scope="module")
def fast() -> Group:
    if lacking := gate.missing():
        pytest.skip(lacking)
    return best(1, "ifma")


def rows(*data: bytes) -> Rows:
    return np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1)


def stream(size: int, seed: str) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def uniform_rows(n: int, seed: str = "") -> Rows:
    return np.frombuffer(stream(UNIFORM * n, seed), np.uint8).reshape(n, UNIFORM)


def is_refused(group: Group, row: bytes) -> bool:
    try:
        group.raised(rows(row), 3)
    except ValueError:
        return True
    return False


def test_powers_of_the_generator_are_those_of_the_standard(single: Group) -> None:
    for exponent, encoding in enumerate(MULTIPLES[1:], 1):
        assert single.raised(rows(GENERATOR), exponent).tobytes() == encoding


@pytest.mark.parametrize("size", [0, 12, 46, 47, 100, 117, 118, 253, 255, 256, 1000])
def test_messages_of_any_lengths_expand_as_by_hashlib(group: Group, size: int) -> None:
    dst = stream(size, "dst")
    messages = [stream(k % 300, f"{k}") for k in range(600)] + [stream(k * k, f"{k}") for k in range(60)]
    np.testing.assert_array_equal(group.expanded(messages, dst), Sodium().expanded(messages, dst))
    for n in (0, 1, 7, 8, 9):
        assert group.expanded(messages[:n], dst).tobytes() == Sodium().expanded(messages[:n], dst).tobytes()


def test_uniform_bytes_map_to_the_elements_of_the_standard(single: Group) -> None:
    vectors = VECTORS["from_uniform_bytes"]
    mapped = single.mapped(rows(*(bytes.fromhex(vector["uniform"]) for vector in vectors)))
    assert mapped.tobytes().hex() == "".join(vector["element"] for vector in vectors)


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda v: v["why"])
def test_an_invalid_encoding_is_refused_with_its_index(single: Group, vector: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="point 1 is"):
        single.raised(rows(GENERATOR, bytes.fromhex(vector["encoding"])), 5)


def test_a_bit_beyond_the_number_is_refused(single: Group) -> None:
    with pytest.raises(ValueError, match="point 0 is"):
        single.raised(rows(GENERATOR[:-1] + bytes([GENERATOR[-1] | 128])), 5)


def test_the_identity_is_refused(single: Group) -> None:
    with pytest.raises(ValueError, match="point 2 is the identity"):
        single.raised(rows(GENERATOR, GENERATOR, IDENTITY), 5)


def test_the_first_bad_point_is_named_whatever_the_threads(group: Group) -> None:
    points = [GENERATOR] * 5000
    points[2600] = points[4900] = IDENTITY
    with pytest.raises(ValueError, match="point 2600 is"):
        group.raised(rows(*points), 5)


def test_no_element_has_no_power(single: Group) -> None:
    assert single.raised(np.empty((0, SIZE), np.uint8), 2).shape == (0, SIZE)
    assert single.mapped(np.empty((0, UNIFORM), np.uint8)).shape == (0, SIZE)
    assert single.mapped_and_raised(np.empty((0, UNIFORM), np.uint8), 2).shape == (0, SIZE)


def test_threads_change_nothing(group: Group) -> None:
    uniform = uniform_rows(5003)
    mapped = group.mapped(uniform)
    np.testing.assert_array_equal(mapped, Sodium().mapped(uniform))
    np.testing.assert_array_equal(group.raised(mapped, 7), group.mapped_and_raised(uniform, 7))


@pytest.mark.parametrize("scalar", [1, 2, 3, 8, 16, 2**128, ORDER // 2, ORDER - 2, ORDER - 1])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 17])
def test_any_power_of_any_number_of_elements_undoes(single: Group, scalar: int, n: int) -> None:
    elements = Sodium().mapped(uniform_rows(n))
    raised = single.raised(elements, scalar)
    np.testing.assert_array_equal(raised, Sodium().raised(elements, scalar))
    np.testing.assert_array_equal(single.raised(raised, pow(scalar, -1, ORDER)), elements)


def test_bytes_that_lie_anywhere_in_memory_are_read(single: Group) -> None:
    shifted = np.frombuffer(b"\0" + GENERATOR * 3, np.uint8)[1:].reshape(3, SIZE)
    assert single.raised(shifted, 2).tobytes() == MULTIPLES[2] * 3
    assert single.raised(shifted[::2], 2).tobytes() == MULTIPLES[2] * 2


def root_modulo_p(x: int) -> int:
    """A square root of x modulo p, which is 5 modulo 8 (Atkin)."""
    root = pow(2 * x, (P - 5) // 8, P)
    root = x * root * (2 * x * root**2 - 1) % P
    assert root * root % P == x % P
    return root


def test_uniform_bytes_that_map_to_the_identity_are_refused_and_map_to_it(single: Group) -> None:
    d, i = -121665 * pow(121666, -1, P), pow(2, (P - 1) // 4, P)
    t = root_modulo_p(i * d).to_bytes(SIZE, "little")
    uniform = np.concatenate([uniform_rows(3), rows(t + t), uniform_rows(30, "more")])
    assert single.mapped(uniform)[3].tobytes() == IDENTITY
    np.testing.assert_array_equal(single.mapped(uniform), Sodium().mapped(uniform))
    with pytest.raises(ValueError, match="point 3 is the identity"):
        single.mapped_and_raised(uniform, 5)


def test_many_random_elements_are_libsodiums_to_the_byte(fast: Group) -> None:
    uniform, scalar = uniform_rows(MANY), int.from_bytes(stream(32, "scalar"), "little") % ORDER
    elements = Sodium().mapped(uniform)
    want = Sodium().raised(elements, scalar)
    np.testing.assert_array_equal(fast.mapped(uniform), elements)
    np.testing.assert_array_equal(fast.raised(elements, scalar), want)
    np.testing.assert_array_equal(fast.mapped_and_raised(uniform, scalar), want)


def test_uniform_bytes_at_the_edges_map_as_libsodiums(fast: Group) -> None:
    edges = [0, 1, 2, P - 2, P - 1, P, P + 1, P + 18, 2**254, 2**255 - 1, 2**255, 2**255 + P, 2**256 - 1]
    halves = [edge.to_bytes(SIZE, "little") for edge in edges]
    uniform = rows(*(first + second for first in halves for second in halves))
    np.testing.assert_array_equal(fast.mapped(uniform), Sodium().mapped(uniform))


def test_the_same_bytes_are_refused_as_by_libsodium(fast: Group) -> None:
    numbers = [2 * (int.from_bytes(stream(SIZE, f"{k}"), "little") % (P // 2)) for k in range(200)]
    numbers += [0, 1, 2, P - 1, P - 2, P, P + 1, P + 2, 2**255 - 2, 2**255 + 2, 2**256 - 2, 2**256 - 19]
    encodings = [number.to_bytes(SIZE, "little") for number in numbers] + MULTIPLES
    encodings += [(2**255 + int.from_bytes(e, "little")).to_bytes(SIZE, "little") for e in MULTIPLES]
    encodings += [(P - int.from_bytes(e, "little")).to_bytes(SIZE, "little") for e in MULTIPLES]
    encodings += [(P + int.from_bytes(e, "little")).to_bytes(SIZE, "little") for e in MULTIPLES]
    refused = [is_refused(Sodium(), encoding) for encoding in encodings]
    assert [is_refused(fast, encoding) for encoding in encodings] == refused
    assert 100 < sum(refused) < len(refused) - 60


def test_a_bad_element_spoils_no_other(fast: Group) -> None:
    from psi.group.ifma import kernels
    from psi.group.ifma.curve import digit_masks

    elements = Sodium().mapped(uniform_rows(600)).copy()
    bad = [0, 5, 8, 255, 256, 300, 599]
    elements[bad] = 1
    out, good = np.zeros((600, SIZE), np.uint8), np.zeros(600, np.uint64)
    words = elements.reshape(-1).view(np.uint64)
    half = digit_masks(pow(2, -1, ORDER))
    kernels.raise_elements(out.reshape(-1).view(np.uint64), good, words, half, 0, 600)
    assert np.flatnonzero(good == 0).tolist() == bad
    np.testing.assert_array_equal(np.delete(out, bad, 0), np.delete(elements, bad, 0))


def test_digits_make_up_their_scalar() -> None:
    from psi.group.ifma.curve import DIGIT, WINDOWS, digit_masks

    for scalar in (0, 1, 8, 15, 2**253 - 1, ORDER, ORDER // 3):
        masks = digit_masks(scalar).reshape(WINDOWS, DIGIT) != 0
        assert (masks[:, 1:].sum(1) == 1).all()
        digits = np.where(masks[:, 0], -1, 1) * masks[:, 1:].argmax(1)
        assert sum(int(digit) * 16**t for t, digit in enumerate(digits)) == scalar


def test_without_the_instructions_libsodium_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "missing", lambda: "the CPU has no avx512ifma")
    assert repr(best()) == "Sodium(workers=1)"
    with pytest.raises(ConfigError, match="group: the CPU has no avx512ifma"):
        best(1, "ifma")
    with pytest.raises(ConfigError, match="group: nacl is unknown"):
        best(1, "nacl")


def test_where_nothing_can_be_kept_libsodium_computes(fast: Group, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert repr(best(1, cache=tmp_path / "file")) == "Sodium(workers=1)"
    with pytest.raises(ConfigError, match="could not be compiled and kept"):
        best(1, "ifma", tmp_path / "file")
