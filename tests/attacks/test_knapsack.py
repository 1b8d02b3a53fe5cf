"""A host finds the labels of few rows as the one subset whose sums are right to the last bit.

Who: a host that follows the protocol.  Wants: the labels behind a sum over few rows.
How: where it knows every p_i, as it does when all begin at nought, X^T r = X^T p - X^T y leaves sums of
the x_i of the bads at full precision: a knapsack of n bits with d equations of 60 bits, solved by meeting
in the middle (or, for more rows, by lattice reduction: Lagarias and Odlyzko 1985).
What stops it: the joint fit begins at the guest's own, so that the host knows no p_i; the gates few_rows,
few_events and rare_values keep sums over few rows out of a run.
Pass: no subset fits.
"""

from __future__ import annotations

import numpy as np
from attacked_runs import Learnt, Matrix, Portfolio, Vector, fit, portfolio, report
from numpy.typing import NDArray

from vfl.crypto.fixed_point import FRACTION, encode
from vfl.linear.logistic import FIRST_ERROR, Rules
from vfl.linear.sigmoid import Polynomial, declared_range

ROWS = 24
ONE = Rules(tolerance=1e-9, max_iter=1)
CLOSE = 1e-7


def subsets(x: Matrix) -> Matrix:
    """Return the sum over every subset of the rows: shape (2^n, d), bit i of a subset's number is row i."""
    sums = np.zeros((1, x.shape[1]))
    for row in x:
        sums = np.vstack([sums, sums + row])
    return sums


def bads(x: Matrix, target: Vector) -> list[NDArray[np.int8]]:
    """Return every vector of labels y with X^T y = target, by meeting in the middle."""
    half = len(x) // 2
    left, right = subsets(x[:half]), subsets(x[half:])
    order = np.argsort(right[:, 0])
    wanted = target - left
    first, last = (np.searchsorted(right[order, 0], wanted[:, 0] + e) for e in (-CLOSE, CLOSE))
    found = []
    for k in np.flatnonzero(last > first):
        for j in order[first[k] : last[k]]:
            if np.allclose(left[k] + right[j], target, rtol=0, atol=CLOSE):
                bits = [k >> i & 1 for i in range(half)] + [j >> i & 1 for i in range(len(x) - half)]
                found.append(np.array(bits, np.int8))
    return found


def predicted(rows: int) -> float:
    """Return the probability that the joint protocol assigns where both logits are nought."""
    nought = np.zeros(rows)
    polynomial = Polynomial.fitting(nought, *declared_range(nought), FIRST_ERROR)
    c, powers = polynomial.coefficients(nought[:1])[0], polynomial.powers(nought[:1])[0]
    return float(c[0] + c[1:] @ powers)


def attack(people: Portfolio, learnt: Learnt) -> list[NDArray[np.int8]]:
    """Return the labels that explain a first gradient if every p_i is that of a cold start."""
    x = np.ldexp(encode(people.theirs).astype(np.float64), -FRACTION)
    return bads(x, predicted(len(x)) * x.sum(axis=0) - learnt.sums)


def test_the_labels_of_few_rows_are_found_from_a_cold_start_and_not_from_the_guests_own_fit() -> None:
    people = portfolio(ROWS, own=2, theirs=3, seed=5)
    cold, warm = (fit(people, ONE, start=start).host.seen[0] for start in (people.cold, people.start))
    undefended, defended = attack(people, cold), attack(people, warm)
    report(
        f"knapsack over {ROWS} rows at full precision (solutions)",
        f"{len(undefended)}, the labels",
        f"{len(defended)}",
    )
    assert [found.tolist() for found in undefended] == [people.y.tolist()]
    assert defended == []
