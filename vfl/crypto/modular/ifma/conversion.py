"""Kernels: wire rows to stored rows and back, and products of wire rows.

`w` is the words of a residue; rows first, ..., end - 1 are done.
"""

from __future__ import annotations

import numpy as np

from vfl.crypto.modular.ifma.arithmetic import Words, accumulators, canonical, clear, limbs_of, scratch, times
from vfl.crypto.modular.ifma.compiled import INTEGER, READ_ONLY, ROWS, entry
from vfl.crypto.modular.ifma.lanes import broadcast, store
from vfl.crypto.modular.ifma.rows import gather, point, put_pair, scatter, take_pair


@entry(ROWS, READ_ONLY, INTEGER, INTEGER, INTEGER, ROWS, ROWS)
def to_stored(out: Words, wire: Words, w: int, first: int, end: int, R2: Words, K: Words) -> None:
    """out = wire R, as stored rows; R2: the plain pair R^2."""
    limbs = limbs_of(K)
    at = np.empty(8, np.int64)
    X, T, W = scratch(16 * limbs), accumulators(K), scratch(16 * w)
    for i in range(first, end, 8):
        point(at, i, end, 2 * w)
        take_pair(X, limbs, wire, at, w, W)
        times(X, X, R2, K, T)
        point(at, i, end, 2 * limbs)
        scatter(out, at, X, 2 * limbs)


@entry(ROWS, READ_ONLY, INTEGER, INTEGER, INTEGER, INTEGER)
def to_limbs(out: Words, wire: Words, w: int, limbs: int, first: int, end: int) -> None:
    """out = wire, in limbs as it stands."""
    at = np.empty(8, np.int64)
    X, W = scratch(16 * limbs), scratch(16 * w)
    for i in range(first, end, 8):
        point(at, i, end, 2 * w)
        take_pair(X, limbs, wire, at, w, W)
        point(at, i, end, 2 * limbs)
        scatter(out, at, X, 2 * limbs)


@entry(ROWS, ROWS, INTEGER, INTEGER, INTEGER, ROWS)
def to_wire(out: Words, rows: Words, w: int, first: int, end: int, K: Words) -> None:
    """out = rows / R, as wire rows."""
    limbs = limbs_of(K)
    at = np.empty(8, np.int64)
    X, T, W = scratch(16 * limbs), accumulators(K), scratch(16 * w)
    unit = scratch(16 * limbs)
    clear(unit, unit.size)
    store(unit, 0, broadcast(1))
    for i in range(first, end, 8):
        point(at, i, end, 2 * limbs)
        gather(X, 0, rows, at, 2 * limbs)
        times(X, X, unit, K, T)
        canonical(X, K, T)
        point(at, i, end, 2 * w)
        put_pair(out, at, w, X, limbs, W)


@entry(ROWS, READ_ONLY, READ_ONLY, INTEGER, INTEGER, INTEGER, ROWS, ROWS)
def multiply(out: Words, a: Words, b: Words, w: int, first: int, end: int, R2: Words, K: Words) -> None:
    """out = a b, all of them wire rows."""
    limbs = limbs_of(K)
    at = np.empty(8, np.int64)
    X, Y, T, W = scratch(16 * limbs), scratch(16 * limbs), accumulators(K), scratch(16 * w)
    for i in range(first, end, 8):
        point(at, i, end, 2 * w)
        take_pair(X, limbs, a, at, w, W)
        times(X, X, R2, K, T)
        take_pair(Y, limbs, b, at, w, W)
        times(X, X, Y, K, T)
        canonical(X, K, T)
        put_pair(out, at, w, X, limbs, W)
