"""The group: published vectors, laws of blinding, and what is refused."""

import json
from dataclasses import dataclass
from hashlib import sha512
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeded import Seeded

from psi.group import ORDER, SIZE
from psi.ristretto import DST, REFERENCE, Blinder, Hashed, Points, hash_to_group
from vfl.crypto.randomness import Randomness
from vfl.wire.message import Message, field_types

VECTORS = json.loads((Path(__file__).parent / "vectors" / "ristretto255.json").read_text())
IDENTITY, GENERATOR = (bytes.fromhex(point) for point in VECTORS["generator_multiples"][:2])


class Fixed(Randomness):
    """Draws one known scalar."""

    __slots__ = ("scalar",)

    def __init__(self, scalar):
        self.scalar = scalar

    def below(self, bound):
        return self.scalar - 1


def power(scalar):
    return Blinder(Fixed(scalar))


def points(*rows):
    return Points(np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, SIZE))


@pytest.mark.parametrize("vector", VECTORS["hash_to_group"], ids=lambda v: v["input"])
def test_hash_to_group_and_blinding_are_those_of_the_standard(vector):
    expanded = REFERENCE.expanded([bytes.fromhex(vector["input"])], bytes.fromhex(vector["dst"]))
    hashed = Hashed(expanded)
    scalars = [int.from_bytes(bytes.fromhex(vector[name]), "little") for name in ("blind", "key")]
    blinded = power(scalars[0]).blind(hashed)
    assert blinded.rows.tobytes().hex() == vector["blinded_element"]
    assert power(scalars[1]).blind(blinded).rows.tobytes().hex() == vector["evaluation_element"]


def test_points_that_have_no_power_are_refused_with_their_index():
    with pytest.raises(ValueError, match="point 2 is the identity"):
        power(5).blind(points(GENERATOR, GENERATOR, IDENTITY))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"))), st.integers(0, 99), st.integers(100, 199))
def test_blinding_by_two_parties_commutes(ids, one, other):
    a, b = Blinder(Seeded(one)), Blinder(Seeded(other))
    hashed = hash_to_group(ids, b"contract")
    ab, ba = b.blind(a.blind(hashed)), a.blind(b.blind(hashed))
    np.testing.assert_array_equal(ab.rows, ba.rows)
    assert len(ab) == len(ids)


def test_the_inverse_power_unblinds():
    a = 1 + Seeded(7).below(ORDER - 1)
    blinded = power(a).blind(hash_to_group(["x"], b""))
    unblinded = power(pow(a, -1, ORDER)).blind(blinded)
    np.testing.assert_array_equal(unblinded.rows, hash_to_group(["x"], b"").elements())


def test_domains_give_unrelated_elements_and_a_long_one_is_hashed():
    x = [hash_to_group(["x"], domain).uniform.tobytes() for domain in (b"", b"a", b"b", b"a" * 300)]
    assert len(set(x)) == 4
    long = sha512(b"H2C-OVERSIZE-DST-" + DST + b"a" * 300).digest()
    assert REFERENCE.expanded([b"x"], long).tobytes() == x[3]


def test_points_survive_the_wire_and_nothing_else_does():
    sent = points(GENERATOR, GENERATOR)
    header, data = sent.to_wire()
    np.testing.assert_array_equal(Points.from_wire(header, data).rows, sent.rows)
    assert len(Points.from_wire({"count": 0}, b"")) == 0
    for wrong, size in [
        ({"count": 1}, 64),
        ({"count": 3}, 64),
        ({"count": 2}, 63),
        ({"count": 2}, 65),
        ({}, 0),
    ]:
        with pytest.raises(ValueError, match="not the points announced"):
            Points.from_wire(wrong, bytes(size))


def test_hashed_ids_fit_in_no_message():
    @dataclass(frozen=True, slots=True)
    class Leak(Message):
        """Reveals: every id, to who tries them all."""

        points: Hashed

    with pytest.raises(TypeError, match="may not cross a wire"):
        field_types(Leak)


def test_reprs_show_sizes_and_no_secret():
    blinder = Blinder(Seeded(1))
    hashed = hash_to_group(["x", "y"], b"")
    assert [repr(blinder), repr(hashed), repr(blinder.blind(hashed))] == [
        "Blinder()",
        "Hashed(2)",
        "Points(2)",
    ]


def test_secret_powers_are_fresh_and_within_the_order():
    drawn = {Blinder(Randomness())._scalar for _ in range(50)}
    assert len(drawn) == 50
    assert all(0 < scalar < ORDER for scalar in drawn)
