"""Rows are cut into blocks so that none is lost, none comes twice, and none is too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vfl.wire.blocks import blocks, rows_of


@given(n=st.integers(0, 300), most=st.integers(1, 50))
def test_blocks_are_all_rows_in_order_and_all_but_the_last_are_full(n: int, most: int) -> None:
    found = blocks(n, most)
    assert [row for block in found for row in range(n)[block]] == list(range(n))
    assert all(rows_of(block) == most for block in found[:-1])
    assert sum(map(rows_of, found)) == n
    assert all(0 < rows_of(block) <= most for block in found)
