"""Kernel: Paillier's decryption by the Chinese remainder theorem (Paillier 1999, section 7).

    c = x0 + x1 n,    n = p q,    R = 2^(52 l) for l limbs of p and of q
    x0 = u0 + u1 R,   x1 = v0 + v1 R
    c R = u0 R + u1 R^2 + v0 n R + v1 n R^2   modulo p^2, as pairs to the base p
    c^(p-1) = 1 + L p,    m mod p = L h,    h = ((p - 1) q)^-1 mod p
    m = mp + p ((mq - mp) / p mod q)

L is the second number of a pair as it stands.  The exponent goes by windows of five bits, the same
steps for every ciphertext; which entries are read depends on the key alone.
"""

from __future__ import annotations

import numpy as np

from vfl.crypto.modular.ifma.arithmetic import (
    Words,
    accumulators,
    carried,
    clear,
    copy,
    less_modulus,
    limbs_of,
    scratch,
    square,
    times,
)
from vfl.crypto.modular.ifma.compiled import INTEGER, READ_ONLY, ROWS, SIGNED, device, entry
from vfl.crypto.modular.ifma.lanes import broadcast, high, load, low, never_inlined, store
from vfl.crypto.modular.ifma.rows import Integers, gather, limbs_to_words, point, scatter, words_to_limbs

WINDOW = 5


@device
def add(r: Words, x: Words, limbs: int) -> None:
    """r += x, both numbers of the pairs."""
    for j in range(0, 16 * limbs, 8):
        store(r, j, load(r, j) + load(x, j))
    carried(r, 0, r, 0, limbs)
    carried(r, 8 * limbs, r, 8 * limbs, limbs)


@device
def number(X: Words, source: Words, start: int, limbs: int) -> None:
    """X = the pair (number of `limbs` limbs at source[start:], 0)."""
    copy(X, 0, source, start, 8 * limbs)
    for j in range(8 * limbs, 16 * limbs, 8):
        store(X, j, broadcast(0))


@device
def reduce_pair(X: Words, Y: Words, shifts: Words, K: Words, T: Words, A: Words) -> None:
    """X = c R to the base p, from u0, u1, v0, v1 in Y; below 8 p + 20.

    shifts: the pairs R^2, R^3, n R^2, n R^3; each product by one of them is below 2 p + 5.
    """
    limbs = limbs_of(K)
    B = scratch(16 * limbs)
    clear(X, X.size)
    for i in range(4):
        number(A, Y, 8 * limbs * i, limbs)
        copy(B, 0, shifts, 16 * limbs * i, B.size)
        times(A, A, B, K, T)
        add(X, A, limbs)


@device
def raise_pair(X: Words, digits: Integers, K: Words, T: Words, table: Words) -> None:
    """X = X^e in Montgomery form, e by its digits from the highest down, which is not zero."""
    never_inlined()
    pair = X.size
    A, D = scratch(pair), scratch(pair)
    copy(table, pair, X, 0, pair)
    copy(A, 0, X, 0, pair)
    for d in range(2, 1 << WINDOW):
        times(A, A, X, K, T)
        copy(table, pair * d, A, 0, pair)
    copy(X, 0, table, pair * digits[0], pair)
    for i in range(1, digits.size):
        for _ in range(WINDOW):
            square(X, X, K, T, D)
        if digits[i]:
            copy(A, 0, table, pair * digits[i], pair)
            times(X, X, A, K, T)


@device
def half(
    m: Words, Y: Words, shifts: Words, h: Words, digits: Integers, K: Words, T: Words, table: Words
) -> None:
    """m = the plaintexts modulo p, l limbs in [0, p); Y: the ciphertexts as u0, u1, v0, v1."""
    never_inlined()
    limbs = limbs_of(K)
    X, A = scratch(16 * limbs), scratch(16 * limbs)
    reduce_pair(X, Y, shifts, K, T, A)
    raise_pair(X, digits, K, T, table)
    clear(A, A.size)
    store(A, 0, broadcast(1))
    times(X, X, A, K, T)  # (1, L), or (1 + p, L - 1)
    less_modulus(X, 0, K, T, 8 * limbs)
    carried(X, 8 * limbs, X, 8 * limbs, limbs)
    number(A, X, 8 * limbs, limbs)
    times(A, A, h, K, T)
    less_modulus(A, 0, K, T, -1)
    copy(m, 0, A, 0, 8 * limbs)


@device
def join(P: Words, mp: Words, mq: Words, quotient: Words, Kp: Words, Kq: Words, T: Words) -> None:
    """P = mp + p ((mq - mp) / p mod q), 2 l limbs; quotient: (R / p mod q, 0) and (-R / p mod q, 0)."""
    never_inlined()
    limbs = limbs_of(Kq)
    X, A, B = scratch(16 * limbs), scratch(16 * limbs), scratch(16 * limbs)
    number(X, mq, 0, limbs)
    copy(B, 0, quotient, 0, B.size)
    times(X, X, B, Kq, T)
    number(A, mp, 0, limbs)
    copy(B, 0, quotient, B.size, B.size)
    times(A, A, B, Kq, T)
    add(X, A, limbs)  # below 2 q + q / 64
    less_modulus(X, 0, Kq, T, -1)
    less_modulus(X, 0, Kq, T, -1)
    number(P, mp, 0, limbs)
    add_product(P, X, Kp, limbs)


@device
def add_product(P: Words, X: Words, Y: Words, limbs: int) -> None:
    """P += X Y, of `limbs` limbs each; P of twice as many takes at most 4 l numbers below 2^52 a limb."""
    for i in range(limbs):
        b = load(Y, 8 * i)
        c = load(P, 8 * i)
        for j in range(limbs):
            a = load(X, 8 * j)
            store(P, 8 * (i + j), low(c, a, b))
            c = high(load(P, 8 * (i + j + 1)), a, b)
        store(P, 8 * (i + limbs), c)
    carried(P, 0, P, 0, 2 * limbs)


@entry(ROWS, READ_ONLY, INTEGER, INTEGER, INTEGER, ROWS, ROWS, SIGNED, ROWS, ROWS, ROWS, SIGNED, ROWS, ROWS)
def decrypt(
    out: Words,
    wire: Words,
    w: int,
    first: int,
    end: int,
    shifts_p: Words,
    h_p: Words,
    digits_p: Integers,
    K_p: Words,
    shifts_q: Words,
    h_q: Words,
    digits_q: Integers,
    K_q: Words,
    quotient: Words,
) -> None:
    """out = the plaintexts, w words each."""
    limbs = limbs_of(K_p)
    at = np.empty(8, np.int64)
    Y, W, P = scratch(32 * limbs), scratch(16 * w), scratch(16 * limbs + 8)
    T, table = accumulators(K_p), scratch(16 * limbs << WINDOW)
    mp, mq = scratch(8 * limbs), scratch(8 * limbs)
    for i in range(first, end, 8):
        point(at, i, end, 2 * w)
        gather(W, 0, wire, at, 2 * w)
        words_to_limbs(Y, 0, 2 * limbs, W, 0, w)
        words_to_limbs(Y, 16 * limbs, 2 * limbs, W, 8 * w, w)
        half(mp, Y, shifts_p, h_p, digits_p, K_p, T, table)
        half(mq, Y, shifts_q, h_q, digits_q, K_q, T, table)
        join(P, mp, mq, quotient, K_p, K_q, T)
        limbs_to_words(W, 0, w, P, 0, 2 * limbs)
        point(at, i, end, w)
        scatter(out, at, W, w)
