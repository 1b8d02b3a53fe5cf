"""The guest solves scores for the host's rows.

Who: a guest that follows the protocol and knows the host's points table, or its coefficients.  Wants: the
host's row of each customer it scores.
How: an exact logit of a binned scorecard is the sum of one number per column, and hardly two combinations
of bins share a sum: all are tried.  Of a host with one column, value = logit / coefficient.  (Equation
solving: Luo et al., "Feature inference attack on model predictions in vertical federated learning", 2021.)
What stops it: the host rounds its part to one scorecard point; the gate few_host_columns.
Pass: at most one row in five of a binned scorecard, where the guest takes the likeliest combination; not
one value of several columns.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from attacked_runs import Vector, report
from numpy.typing import NDArray
from protocol_tables import GUEST, HOST

from vfl.linear import scoring
from vfl.stats.scorecard import Scorecard
from vfl.wire.memory import run_in_memory

ONE_POINT = Scorecard().one_point
ROWS, COLUMNS, BINS = 500, 5, 6
_draw = np.random.default_rng(6)
TABLE = _draw.normal(0, 0.5, (COLUMNS, BINS))
"""Coefficient times weight of evidence, by column and bin."""
SHARES = _draw.dirichlet(np.full(BINS, 3.0), COLUMNS)
CODES = np.column_stack([_draw.choice(BINS, ROWS, p=share) for share in SHARES])
ROWS_THERE_ARE: NDArray[np.int64] = np.array(list(product(range(BINS), repeat=COLUMNS)))


def learnt(logits: Vector, *, exact: bool) -> Vector:
    """Return the host's part of the scores as the guest gets it."""
    run = run_in_memory(
        {
            "guest": scoring.guest(len(logits), one_point=ONE_POINT, exact=exact, hosts=(HOST,)),
            "host": scoring.host(logits, one_point=ONE_POINT, exact=exact, guest=GUEST),
        }
    )
    return np.asarray(run.results["guest"])


def sums(codes: NDArray[np.int64]) -> Vector:
    """Return the logit of rows of bins."""
    return np.asarray(TABLE[np.arange(COLUMNS), codes].sum(axis=1))


def solved(logits: Vector, resolution: float) -> NDArray[np.int64]:
    """Return the likeliest row of bins for each logit that is known to this resolution."""
    likelihood = np.log(SHARES)[np.arange(COLUMNS), ROWS_THERE_ARE].sum(axis=1)
    order = np.lexsort((likelihood, np.rint(sums(ROWS_THERE_ARE) / resolution)))
    places = np.rint(sums(ROWS_THERE_ARE)[order] / resolution)
    last = np.searchsorted(places, np.rint(logits / resolution), side="right") - 1
    return ROWS_THERE_ARE[order[np.maximum(last, 0)]]


def rows_read(*, exact: bool) -> float:
    """Return the share of the host's rows that are read whole."""
    logits = learnt(sums(CODES), exact=exact)
    return float((solved(logits, 1e-9 if exact else ONE_POINT) == CODES).all(axis=1).mean())


def test_exact_logits_of_a_scorecard_are_whole_rows_and_points_are_few() -> None:
    undefended, defended = rows_read(exact=True), rows_read(exact=False)
    report("whole host rows read from scores", f"{undefended:.1%} (exact)", f"{defended:.1%} (to one point)")
    assert undefended > 0.99
    assert defended <= 0.2


def values_read(columns: int, *, exact: bool) -> float:
    """Return the share of the host's values that a guest finds as the shortest rows with these logits."""
    draw = np.random.default_rng(columns)
    w, x = draw.normal(1.0, 0.2, columns), draw.normal(size=(ROWS, columns))
    logits = learnt(x @ w, exact=exact)
    return float(np.isclose(logits[:, None] * w / (w @ w), x, rtol=0, atol=1e-6).mean())


def test_one_column_is_its_logit_and_three_are_not() -> None:
    undefended, defended = values_read(1, exact=True), values_read(3, exact=False)
    report(
        "host values from scores and coefficients", f"{undefended:.1%} (1 column, exact)", f"{defended:.1%}"
    )
    assert undefended == 1.0
    assert defended == 0.0
