"""Laws of residues as bytes, against Python's own integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vfl.crypto.modular import all_below, from_ints, from_signed, to_ints, width_of

moduli = st.integers(65, 300).flatmap(lambda bits: st.integers(1 << (bits - 1), (1 << bits) - 1))


@given(moduli, st.lists(st.integers(-(2**63) + 1, 2**63 - 1)))
def test_signed_integers_are_taken_modulo_the_modulus(modulus: int, values: list[int]) -> None:
    assert to_ints(from_signed(np.array(values, np.int64), modulus)) == [v % modulus for v in values]


@given(moduli, st.data())
def test_residues_are_below_a_bound_when_each_is(bound: int, data: st.DataObject) -> None:
    most = (1 << 8 * width_of(bound)) - 1
    near = st.sampled_from([0, bound - 1, bound, min(bound + 1, most), most])
    values = data.draw(st.lists(near | st.integers(0, most)))
    assert all_below(from_ints(values, width_of(bound)), bound) == all(v < bound for v in values)
