"""Rows travel in blocks: no message is too long, and a peer works on one block while we make the next."""

from __future__ import annotations


def blocks(n: int, most: int) -> list[slice]:
    """Return the rows of each block of n rows, in order: `most`, of the last one what is left."""
    return [slice(start, min(start + most, n)) for start in range(0, n, most)]


def rows_of(block: slice) -> int:
    """Return how many rows a block has."""
    return int(block.stop - block.start)
