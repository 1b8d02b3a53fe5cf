"""From rows in memory to lanes and back, eight rows at a time.

    wire row     a pair as the seam has it: 2 w words of 64 bits, x0 in the first w
    stored row   a pair in Montgomery form: 2 l limbs, one in each word; l is a multiple of four, so
                 that rows which start on a cache line fill whole ones

`at` holds the first word of the row of each lane.  Where fewer than eight rows are left the last one is
done in all lanes that are left over: it is written more than once, always the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.arithmetic import MASK, Words
from vfl.crypto.modular.ifma.compiled import device
from vfl.crypto.modular.ifma.lanes import (
    broadcast,
    lanes_to_rows,
    load,
    never_inlined,
    rows_to_lanes,
    store,
)

Integers = NDArray[np.int64]


@device
def point(at: Integers, first: int, end: int, width: int) -> None:
    """Point at the rows first, first + 1, ... of `width` words, at most end - 1."""
    for k in range(8):
        at[k] = min(first + k, end - 1) * width


@device
def gather(lanes: Words, start: int, rows: Words, at: Integers, words: int) -> None:
    """lanes[start:] = the first `words` of eight rows."""
    never_inlined()
    whole = words & ~7
    for k in range(0, whole, 8):
        rows_to_lanes(lanes, start + 8 * k, rows, at, k)
    for k in range(whole, words):
        for j in range(8):
            lanes[start + 8 * k + j] = rows[at[j] + k]


@device
def scatter(rows: Words, at: Integers, lanes: Words, words: int) -> None:
    """The first `words` of eight rows = lanes."""
    never_inlined()
    whole = words & ~7
    for k in range(0, whole, 8):
        lanes_to_rows(rows, at, k, lanes, 8 * k)
    for k in range(whole, words):
        for j in range(8):
            rows[at[j] + k] = lanes[8 * k + j]


@device
def words_to_limbs(X: Words, x: int, limbs: int, W: Words, w: int, words: int) -> None:
    """X[x:] = the `limbs` limbs of the numbers of `words` words at W[w:], lane by lane."""
    never_inlined()
    mask = broadcast(MASK)
    for k in range(limbs):
        i, s = (52 * k) >> 6, (52 * k) & 63
        v = broadcast(0)
        if i < words:
            v = load(W, w + 8 * i) >> s
        if s > 12 and i + 1 < words:
            v = v | (load(W, w + 8 * (i + 1)) << (64 - s))
        store(X, x + 8 * k, v & mask)


@device
def limbs_to_words(W: Words, w: int, words: int, X: Words, x: int, limbs: int) -> None:
    """W[w:] = the `words` words of the numbers of `limbs` limbs at X[x:], lane by lane."""
    never_inlined()
    for k in range(words):
        i = 64 * k // 52
        s = 64 * k - 52 * i
        v = load(X, x + 8 * i) >> s if i < limbs else broadcast(0)
        if i + 1 < limbs:
            v = v | (load(X, x + 8 * (i + 1)) << (52 - s))
        if i + 2 < limbs and s > 40:
            v = v | (load(X, x + 8 * (i + 2)) << (104 - s))
        store(W, w + 8 * k, v)


@device
def take_pair(X: Words, limbs: int, rows: Words, at: Integers, words: int, W: Words) -> None:
    """X = the pairs in wire rows; W: scratch of 8 * 2 w words, `words` is w."""
    gather(W, 0, rows, at, 2 * words)
    words_to_limbs(X, 0, limbs, W, 0, words)
    words_to_limbs(X, 8 * limbs, limbs, W, 8 * words, words)


@device
def put_pair(rows: Words, at: Integers, words: int, X: Words, limbs: int, W: Words) -> None:
    """Wire rows = the pairs X, in plain and canonical form."""
    limbs_to_words(W, 0, words, X, 0, limbs)
    limbs_to_words(W, 8 * words, words, X, 8 * limbs, limbs)
    scatter(rows, at, W, 2 * words)
