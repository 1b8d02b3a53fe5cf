"""A host brings a column that singles customers out.

Who: a host that chose its columns with a purpose.  Wants: the labels of customers it picked.
How: the gradient of a column that is 1 for one customer and 0 for all others is that customer's residual,
p - y, at full precision: its sign is the label.
What stops it: the gate rare_values, for bins small_bins: a value shared by fewer than 50 rows is refused.
(Each party asks them of its own columns: what a host fits on cannot be seen from outside.)
Pass: a gradient of a column that passes is a sum over 50 rows at least, and the label of none of them.
"""

from __future__ import annotations

import numpy as np
import pytest
from attacked_runs import Labels, Matrix, Portfolio, fit, label_auc, portfolio, report
from program_runs import job, run_of

from parties.programs.limits import check_values
from vfl.errors import ContractError
from vfl.gates import RARE_ROWS
from vfl.linear.logistic import Rules

ONE = Rules(tolerance=1e-9, max_iter=1)
ROWS, PICKED = 300, 12


def indicators(size: int) -> Matrix:
    """Return columns, each 1 for the next `size` rows."""
    columns = PICKED if size == 1 else ROWS // size
    return np.asarray(np.arange(ROWS)[:, None] // size == np.arange(columns), np.float64)


def inferred(columns: Matrix, y: Labels, people: Portfolio) -> tuple[int, float]:
    """Return of how many customers in a column the sign of its gradient is the label, and their AUC."""
    sums = fit(Portfolio(people.own, columns, y, people.start), ONE).host.seen[0].sums
    inside = columns.any(axis=1)
    guess = (columns @ -(sums / columns.sum(axis=0)))[inside]
    return int(((guess > 0) == y[inside]).sum()), label_auc(y[inside], guess)


def test_a_column_of_one_customer_is_its_label_and_one_of_fifty_is_nobodys() -> None:
    people = portfolio(ROWS, own=3, theirs=1, seed=3)
    right, auc = inferred(indicators(1), people.y, people)
    _, defended = inferred(indicators(RARE_ROWS), people.y, people)
    report(
        "labels of customers with a column of their own (AUC)",
        f"{auc:.3f}, {right} of {PICKED} right",
        f"{defended:.3f} (columns of {RARE_ROWS} rows)",
    )
    assert (right, auc) == (PICKED, 1.0)
    assert defended <= 0.60


@pytest.mark.parametrize("size", [1, RARE_ROWS - 1])
def test_such_a_column_is_refused(size: int) -> None:
    x = indicators(size)[:, :1]
    run = run_of(job("features: {kind: standard}"), "insurer")
    standard = (x - x.mean()) / x.std()
    with pytest.raises(ContractError) as refusal:
        check_values(run, ("picked",), ("column 1",), standard)
    assert "rare_values" in refusal.value.hint or "large_values" in refusal.value.hint
    passing = indicators(RARE_ROWS)[:, :1]
    check_values(run, ("picked",), ("column 1",), (passing - passing.mean()) / passing.std())
