"""Kernels that are almost squarings alone: Horner's rule for packing, powers to one public exponent.

    pack     prod_j c_j^(2^(L j)) = (..(c_(S-1)^(2^L) c_(S-2))^(2^L) ..)^(2^L) c_0,   L (S - 1) squarings
    power    c^e, by fixed windows of e as `decryption` has them

Every row is used once, so rows go from wire to lanes and back here, with no stored rows between.
Operands are below 2^(64 w) <= R / 2^16 as they come in and below 3 M + 5 in Montgomery form; `arithmetic`
bounds the rest.
"""

from __future__ import annotations

import numpy as np

from vfl.crypto.modular.ifma.arithmetic import (
    Words,
    accumulators,
    canonical,
    clear,
    limbs_of,
    scratch,
    square,
    times,
)
from vfl.crypto.modular.ifma.compiled import INTEGER, READ_ONLY, ROWS, SIGNED, device, entry
from vfl.crypto.modular.ifma.decryption import WINDOW, raise_pair
from vfl.crypto.modular.ifma.lanes import broadcast, store
from vfl.crypto.modular.ifma.rows import Integers, point, put_pair, take_pair


@device
def take_slot(
    X: Words,
    wire: Words,
    at: Integers,
    rows: int,
    slots: int,
    j: int,
    w: int,
    first: int,
    end: int,
    one: Words,
    R2: Words,
    K: Words,
    T: Words,
    W: Words,
) -> None:
    """X = row j of groups first, first + 1, ... in Montgomery form; one where the last group lacks it."""
    for k in range(8):
        at[k] = min(min(first + k, end - 1) * slots + j, rows - 1) * 2 * w
    take_pair(X, limbs_of(K), wire, at, w, W)
    times(X, X, R2, K, T)
    for k in range(8):
        if min(first + k, end - 1) * slots + j >= rows:
            for b in range(k, X.size, 8):
                X[b] = one[b]


@device
def put_stored(out: Words, at: Integers, w: int, X: Words, B: Words, K: Words, T: Words, W: Words) -> None:
    """Wire rows = X / R; B: scratch of a pair."""
    clear(B, B.size)
    store(B, 0, broadcast(1))
    times(X, X, B, K, T)
    canonical(X, K, T)
    put_pair(out, at, w, X, limbs_of(K), W)


@entry(ROWS, READ_ONLY, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, ROWS, ROWS, ROWS)
def pack(
    out: Words,
    wire: Words,
    rows: int,
    slots: int,
    bits: int,
    w: int,
    first: int,
    end: int,
    one: Words,
    R2: Words,
    K: Words,
) -> None:
    """out[i] = prod_j wire[slots i + j]^(2^(bits j)), of `rows` wire rows; out: wire rows."""
    limbs = limbs_of(K)
    X, B, D = scratch(16 * limbs), scratch(16 * limbs), scratch(16 * limbs)
    T, W, at = accumulators(K), scratch(16 * w), np.empty(8, np.int64)
    for i in range(first, end, 8):
        take_slot(X, wire, at, rows, slots, slots - 1, w, i, end, one, R2, K, T, W)
        for j in range(slots - 2, -1, -1):
            for _ in range(bits):
                square(X, X, K, T, D)
            take_slot(B, wire, at, rows, slots, j, w, i, end, one, R2, K, T, W)
            times(X, X, B, K, T)
        point(at, i, end, 2 * w)
        put_stored(out, at, w, X, B, K, T, W)


@entry(ROWS, READ_ONLY, SIGNED, INTEGER, INTEGER, INTEGER, ROWS, ROWS)
def power(
    out: Words, wire: Words, digits: Integers, w: int, first: int, end: int, R2: Words, K: Words
) -> None:
    """out = wire^e, e by its digits from the highest down, which is not zero: wire rows."""
    limbs = limbs_of(K)
    at, table = np.empty(8, np.int64), scratch(16 * limbs << WINDOW)
    X, B, T, W = scratch(16 * limbs), scratch(16 * limbs), accumulators(K), scratch(16 * w)
    for i in range(first, end, 8):
        point(at, i, end, 2 * w)
        take_pair(X, limbs, wire, at, w, W)
        times(X, X, R2, K, T)
        raise_pair(X, digits, K, T, table)
        put_stored(out, at, w, X, B, K, T, W)
