"""Chebyshev polynomials of a sum of logits, from those of the sum so far: how powers pass along hosts.

    s_k = sum_{i <= k} (b_i - c_i) / (h_1 + ... + h_k)      in [-1, 1]
    s_k = alpha s_{k-1} + beta,    alpha = h' / (h' + h_k),    beta = (b_k - c_k) / (h' + h_k)
    T_j(s_k) = sum_{i <= j} m_ji(beta) T_i(s_{k-1})

c_k and h_k are centre and half width of the range that host k declares, h' = h_1 + ... + h_{k-1}.
Host k knows its beta row by row, and alpha is one number: given E(T_i(s_{k-1})) it forms E(T_j(s_k))
as a row-wise linear map, without learning what it maps.  As |alpha| + |beta| <= 1 every T_j(s_k)
stays within [-1, 1] and every |m_ji| <= 2, where the terms of the binomial formula in b would cancel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.fixed_point import FRACTION, encode, raised
from vfl.crypto.paillier import Ciphertexts, PublicKey, Unrandomised

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def polynomials_of_sum(alpha: float, beta: Vector, degree: int) -> list[Matrix]:
    """Return m_j for j = 1, ..., degree: shape (n, j + 1), so that T_j(alpha s + beta) = m_j . T(s).

    By T_{j+1}(z) = 2 z T_j(z) - T_{j-1}(z), and s T_i(s) = (T_{i+1}(s) + T_{|i-1|}(s)) / 2.
    """
    n = len(beta)
    before, last = np.zeros((n, 0)), np.ones((n, 1))
    found = []
    for j in range(1, degree + 1):
        new = np.zeros((n, j + 1))
        new[:, :j] = beta[:, None] * last
        new[:, 1:] += 0.5 * alpha * last
        new[:, : j - 1] += 0.5 * alpha * last[:, 1:]
        new[:, 1:2] += 0.5 * alpha * last[:, :1]
        if j > 1:
            new *= 2.0
            new[:, : j - 1] -= before
        before, last = last, new
        found.append(new)
    return found


def passed_on(
    powers: Ciphertexts, alpha: float, beta: Vector, degree: int, *, hosts_before: int, key: PublicKey
) -> Unrandomised:
    """Return E(T_j(s_k)) of E(T_i(s_{k-1})), both row-major of shape (n, degree).

    Fractional bits: FRACTION for each host before, and FRACTION more of what is returned.
    """
    n = len(beta)
    starts = degree * np.arange(n)[:, None]
    parts = []
    for j, m in enumerate(polynomials_of_sum(alpha, beta, degree), start=1):
        lower = powers.take((starts + np.arange(j)).reshape(-1))
        known = raised(encode(m[:, 0]), FRACTION * hosts_before)
        parts.append(key.add(key.row_products(lower, encode(m[:, 1:])), key.lift(known)))
    by_row = np.arange(n * degree).reshape(degree, n).T.reshape(-1)
    return key.joined(parts).take(by_row)
