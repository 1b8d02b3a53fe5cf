"""A host finds the labels of few rows as the one subset whose sums are right to the last bit.

Who: a host that follows the protocol.  Wants: the labels behind a sum over few rows.
How: where it knows every p_i, as it does when all begin at nought, X^T r = X^T p - X^T y leaves sums of
the x_i of the bads at full precision: a knapsack of n bits with d equations of 60 bits, solved by meeting
in the middle (or, for more rows, by lattice reduction: Lagarias and Odlyzko 1985).
What stops it: the joint fit begins at the guest's own, so that the host knows no p_i; the gates few_rows,
few_events and rare_values keep sums over few rows out of a run.  `disclosure.gradient_bits` bounds what d
columns can say at all: b d bits a gradient, of n labels.  (Less in fact, as a slot is wider than most sums
are: at 24 bits some 18 of a column of 30 rows, and fewer of more rows.)
Pass: no subset fits; or, from a cold start at 24 bits, so many that no label is the same in all of them.
"""

from __future__ import annotations

import numpy as np
from attacked_runs import KEY, Labels, Learnt, Matrix, Portfolio, Vector, fit, portfolio, report

from vfl.crypto.fixed_point import FRACTION, encode
from vfl.linear.logistic import FIRST_ERROR, Rules
from vfl.linear.residuals import fraction
from vfl.linear.sigmoid import Polynomial, declared_range
from vfl.linear.whitening import MATRIX_BITS

ROWS = 24
ONE = Rules(tolerance=1e-9, max_iter=1)
CLOSE = 1e-7


def subsets(x: Matrix) -> Matrix:
    """Return the sum over every subset of the rows: shape (2^n, d), bit i of a subset's number is row i."""
    sums = np.zeros((1, x.shape[1]))
    for row in x:
        sums = np.vstack([sums, sums + row])
    return sums


def bads(x: Matrix, target: Vector, close: float = CLOSE) -> Labels:
    """Return every vector of labels y with X^T y = target, one a row, by meeting in the middle."""
    half = len(x) // 2
    left, right = subsets(x[:half]), subsets(x[half:])
    order = np.argsort(right[:, 0])
    wanted = target - left
    first, last = (np.searchsorted(right[order, 0], wanted[:, 0] + e) for e in (-close, close))
    found = []
    for part in np.array_split(np.flatnonzero(last > first), 64):
        count = (last - first)[part]
        here = np.repeat(part, count)
        there = order[np.arange(len(here)) + np.repeat(first[part] - np.cumsum(count) + count, count)]
        fits = (np.abs(wanted[here, 1:] - right[there, 1:]) <= close).all(axis=1)
        found.append(here[fits] + (there[fits] << half))
    numbers = np.concatenate(found)
    return (numbers[:, None] >> np.arange(len(x)) & 1).astype(np.int8)


def predicted(rows: int) -> float:
    """Return the probability that the joint protocol assigns where both logits are nought."""
    nought = np.zeros(rows)
    polynomial = Polynomial.fitting(nought, *declared_range(nought), FIRST_ERROR)
    c, powers = polynomial.coefficients(nought[:1])[0], polynomial.powers(nought[:1])[0]
    fixed = encode(c[:1], 2 * FRACTION)[0] + encode(c[1:]) @ encode(powers)
    return float(np.ldexp(fixed, -2 * FRACTION))


def attack(people: Portfolio, learnt: Learnt, close: float = CLOSE) -> Labels:
    """Return the labels that explain a first gradient if every p_i is that of a cold start."""
    x = np.ldexp(encode(people.theirs).astype(np.float64), -FRACTION)
    return bads(x, predicted(len(x)) * x.sum(axis=0) - learnt.sums, close)


def test_the_labels_of_few_rows_are_found_from_a_cold_start_and_not_from_the_guests_own_fit() -> None:
    people = portfolio(ROWS, own=2, theirs=3, seed=5)
    cold, warm = (fit(people, ONE, start=start).host.seen[0] for start in (people.cold, people.start))
    undefended, defended = attack(people, cold), attack(people, warm)
    report(
        f"knapsack over {ROWS} rows at full precision (solutions)",
        f"{len(undefended)}, the labels",
        f"{len(defended)}",
    )
    assert undefended.tolist() == [people.y.tolist()]
    assert not len(defended)


MORE = 30
TOLD = 24
AMOUNT = 1024.0
"""Standard deviation of a column that is no standardised one: its sums have more bits than there are rows."""


def test_at_24_bits_so_many_labels_explain_a_gradient_that_none_is_known() -> None:
    people = portfolio(MORE, own=2, theirs=1, seed=5)
    people.theirs *= AMOUNT
    whole = fit(people, ONE, start=people.cold).host.seen[0]
    rounded = fit(people, ONE, start=people.cold, told=TOLD).host
    masking = rounded.masking(KEY, fraction(1))
    unit = np.ldexp(1.0, masking.bits - 1 - masking.told - fraction(1) - FRACTION - rounded._finer)
    half = 0.5 * float(rounded._lower[0, 0]) * unit + np.ldexp(abs(whole.sums[0]), 1 - MATRIX_BITS)
    undefended, defended = attack(people, whole), attack(people, rounded.seen[0], half)
    settled = (defended == defended[0]).all(axis=0)
    report(
        f"knapsack over {MORE} rows, one column of amounts (solutions)",
        f"{len(undefended)}, the labels",
        f"{len(defended)} at {TOLD} bits, {settled.sum()} labels the same in all",
    )
    assert undefended.tolist() == [people.y.tolist()]
    assert people.y.tolist() in defended.tolist()
    assert len(defended) >= 1000
    assert not settled.any()
