"""Digests: what is common by them is what is common, whatever their bytes, and they survive the wire."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psi.digests import AT_ONCE, Digests, ascending, common_places, repeated, width
from psi.lists import MAX_IDS


@pytest.mark.parametrize(
    ("n", "m", "bytes_"), [(0, 0, 8), (1000, 1000, 8), (10**6, 10**6, 10), (MAX_IDS, MAX_IDS, 12)]
)
def test_different_ids_have_equal_digests_in_fewer_than_one_of_a_million_million_runs(n, m, bytes_):
    assert width(n, m) == bytes_
    assert n * m < 2 ** (8 * bytes_ - 40)


def test_digests_that_differ_only_at_their_ends_are_told_apart():
    rows = np.zeros((3, 10), dtype=np.uint8)
    rows[1, 9], rows[2, 0] = 1, 1
    left, right = common_places(rows, rows[[2, 0]])
    assert (left.tolist(), right.tolist()) == ([0, 2], [1, 0])
    assert [places.tolist() for places in common_places(rows[:0], rows[:0])] == [[], []]


@given(st.sets(st.integers(0, 200)), st.sets(st.integers(0, 200)), st.randoms())
def test_common_places_are_those_of_plain_sets_in_ascending_order(left, right, random):
    sides = [random.sample(sorted(side), len(side)) for side in (left, right)]
    rows = [np.array(side, ">u8").reshape(-1, 1).view(np.uint8).reshape(-1, 8) for side in sides]
    found = [
        np.array(side)[places].tolist() for side, places in zip(sides, common_places(*rows), strict=True)
    ]
    assert found == [sorted(left & right)] * 2


@pytest.mark.parametrize("repeats", [2, 3])
def test_whoever_repeats_a_digest_is_told(repeats):
    one, other = np.arange(8, dtype=np.uint8)[None], np.arange(20, dtype=np.uint8).reshape(2, 10)[:, :8]
    many = np.repeat(one, repeats, axis=0)
    assert repeated(many)
    assert not repeated(one)
    for rows in (one, other[1:]):
        with pytest.raises(ValueError, match="left"):
            common_places(many, rows)
        with pytest.raises(ValueError, match="right"):
            common_places(rows, many)


def test_digests_survive_the_wire_and_nothing_else_does():
    sent = Digests(np.arange(30, dtype=np.uint8).reshape(3, 10))
    header, data = sent.to_wire()
    np.testing.assert_array_equal(Digests.from_wire(header, data).rows, sent.rows)
    assert repr(sent) == "Digests(3 of 10 bytes)"
    for wrong in (
        {"count": 2, "width": 10},
        {"count": 3, "width": 9},
        {"count": 3, "width": 0},
        {"count": 1, "width": 33},
        {"count": 3, "width": "10"},
        {"count": 3},
        header | {"more": 1},
    ):
        with pytest.raises(ValueError, match="digests"):
            Digests.from_wire(wrong, data)


def test_long_lists_are_compared_share_by_share_as_short_ones_are():
    rng = np.random.default_rng(1)
    rows = np.unique(rng.integers(0, 1 << 63, AT_ONCE, np.int64).astype(">u8"))
    left, right = rng.permutation(rows), rng.permutation(rows[::2])
    ours, theirs = common_places(as_digests(left), as_digests(right))
    np.testing.assert_array_equal(left[ours], rows[::2])
    np.testing.assert_array_equal(right[theirs], rows[::2])
    both = np.concatenate([left, rows[:-1] + 1])
    np.testing.assert_array_equal(both[ascending(as_digests(both))], np.sort(both))
    assert not repeated(as_digests(np.concatenate([left, right + 1])))
    assert repeated(as_digests(np.concatenate([left, right])))


def as_digests(numbers):
    return numbers.astype(">u8").reshape(-1, 1).view(np.uint8)
