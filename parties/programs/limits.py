"""A party's own table against the gates of the run.

What peers are told of a closed gate has numbers for the party's columns; their names stand in the
hint, which stays with the party's operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from parties.config.models import TreeRules
from vfl.errors import DataError
from vfl.gates import (
    FEW_EVENTS,
    FEW_HOST_COLUMNS,
    FEW_VALUES,
    LARGE_SHARE,
    LARGE_VALUE,
    RARE_ROWS,
    ROWS_PER_COLUMN,
    ROWS_PER_NODE,
    SPREAD_PER_COLUMN,
    Gates,
)
from vfl.linear.family import Family, Target
from vfl.table.table import Table

if TYPE_CHECKING:
    from parties.programs.run import Run

Matrix = NDArray[np.float64]


def check_events(gates: Gates, training: Table) -> None:
    """Ask few_events of the guest's training rows, without those of weight 0."""
    counted = training.counted
    if not len(counted):
        hint = "give the rows that count a weight above 0: data.weight"
        raise DataError(training.source, "every training row has the weight 0", hint)
    events = int(counted.sum())
    fewest = min(events, len(counted) - events)
    if not fewest:
        what = f"every training row has the label {min(events, 1)}"
        raise DataError(training.source, what, "a model needs both")
    if fewest < FEW_EVENTS:
        what = f"fewer than {FEW_EVENTS} training rows are in the rarer class"
        gates.refuse("few_events", "labels", what, f"the rarer has {fewest};")


def check_outcomes(gates: Gates, source: str, family: Family, target: Target) -> None:
    """Refuse outcomes that the family has not; ask few_events of rows whose residuals dominate all sums.

    `target`: of the training rows.
    """
    y = target.y
    wrong = y < 0 if family.power == 1 else y <= 0 if family.power == 2 else np.zeros(len(y), np.bool_)
    if wrong.any():
        bound = "below 0" if family.power == 1 else "not above 0"
        what = f"{int(wrong.sum())} outcomes are {bound}, which kind {family.name} has none of"
        raise DataError(source, what, "leave their rows out, or fit another kind of model")
    if not target.weight.any():
        hint = "give the rows that count a weight above 0: data.weight"
        raise DataError(source, "every training row has the weight 0", hint)
    squares = family.residual(target, family.level(target)) ** 2
    if not squares.sum() > 0:
        raise DataError(source, "every training row has the same outcome", "a model needs several")
    if (others := _others(y[target.weight > 0])) < FEW_EVENTS:
        what = f"fewer than {FEW_EVENTS} training rows have another outcome than most"
        gates.refuse("few_events", "outcomes", what, f"there are {others};")
    _check_share(gates, "outcomes", squares, "cap large outcomes")


def check_weights(gates: Gates, where: str, training: Table) -> None:
    """Ask few_events of labels of which a few count so much that their residuals dominate all sums."""
    y, weight = training.label, training.weight
    if weight is not None:
        assert y is not None
        _check_share(gates, where, (weight * (np.average(y, weights=weight) - y)) ** 2, "cap large weights")


def _check_share(gates: Gates, where: str, squares: NDArray[np.float64], mend: str) -> None:
    if squares.max() > LARGE_SHARE * squares.sum():
        share = float(squares.max() / squares.sum())
        what = f"a training row has more than {LARGE_SHARE:.0%} of the sum of all squared residuals"
        gates.refuse("few_events", where, what, f"its share is {share:.0%}: {mend};")


def check_outcome_spread(run: Run, y: NDArray[np.float64], columns: int) -> None:
    """Ask few_rows of the training outcomes and the model columns that a host brings.

    As of labels, with the rows that have not the commonest outcome for bads: of counts mostly those above 0.
    """
    others = _others(y)
    share = min(0.5, others / len(y))
    if len(y) * share * (1 - share) < SPREAD_PER_COLUMN * columns:
        what = f"too few training rows have another outcome than most for {columns} model columns"
        run.gates.refuse("few_rows", "outcomes", what, f"{others} of {len(y)} have;")


def _others(y: NDArray[np.float64]) -> int:
    """Return how many rows have not the commonest outcome."""
    return len(y) - int(np.unique(y, return_counts=True)[1].max())


def check_columns_count(run: Run, columns: int) -> None:
    """Ask few_host_columns of the host's columns."""
    if columns < FEW_HOST_COLUMNS:
        run.gates.refuse("few_host_columns", "columns", f"{columns} take part")


def check_leaves(gates: Gates, rules: TreeRules, rows: int, old: Sequence[int] = ()) -> None:
    """Ask many_leaves of the trees that were agreed on, and so many training rows.

    `old`: the depths of the trees to go on from; each counts at least as one of the new.
    """
    before = sum(1 << (max(depth, rules.max_depth) - 1) for depth in old)
    nodes = before + (rules.n_estimators << (rules.max_depth - 1))
    if 2 * nodes * ROWS_PER_NODE >= rows:
        more = f" after {len(old)} earlier ones" if old else ""
        what = f"{rules.n_estimators} trees of depth {rules.max_depth}{more} on {rows} training rows"
        most = max(0, (rows - 1) // (2 * ROWS_PER_NODE) - before) >> (rules.max_depth - 1)
        mend = f"at this depth {most} can be grown;" if most else ""
        gates.refuse("many_leaves", "model.n_estimators", what, mend)


def check_width(run: Run, rows: int, columns: int, width: int) -> None:
    """Ask few_host_columns of the host's columns, and few_rows of the columns that they become."""
    check_columns_count(run, columns)
    if rows < ROWS_PER_COLUMN * width:
        run.gates.refuse("few_rows", "columns", f"{rows} training rows for {width} model columns")


def check_spread(gates: Gates, y: NDArray[np.int8], columns: int) -> None:
    """Ask few_rows of the training labels and the model columns that a host brings."""
    spread = len(y) * float(y.mean()) * (1 - float(y.mean()))
    if spread < SPREAD_PER_COLUMN * columns:
        what = f"too few training rows of the rarer class for {columns} model columns"
        gates.refuse("few_rows", "labels", what, f"{int(y.sum())} of {len(y)} are bad;")


def check_pairs(run: Run, rows: int, columns: int) -> None:
    """Ask few_rows of the sums of products of two columns that standard errors are made of."""
    pairs = columns * (columns + 1) // 2
    if rows < ROWS_PER_COLUMN * pairs:
        what = f"{rows} training rows for the {pairs} pairs of {columns} model columns"
        run.gates.refuse("few_rows", "disclosure.standard_errors", what)


def check_cells(run: Run, x: Matrix) -> None:
    """Ask rare_values of pairs of a party's columns of two values each: a sum over a cell is of its rows.

    x: the training rows, shape (n, d).
    """
    two = [j for j, column in enumerate(x.T) if len(np.unique(column)) == 2]
    high = x[:, two] == x[:, two].max(axis=0, initial=-np.inf)
    # All four cells of two columns: from one sum and the columns' own follow the other three.
    cells = [a.T.astype(np.float64) @ b for a in (high, ~high) for b in (high, ~high)]
    rare = np.argwhere(np.any([(cell > 0) & (cell < RARE_ROWS) for cell in cells], axis=0))
    if len(rare):
        first, second = (two[k] + 1 for k in rare[0])
        what = f"fewer than {RARE_ROWS} training rows share the values of model columns {first} and {second}"
        run.gates.refuse("rare_values", "disclosure.standard_errors", what)


def check_values(run: Run, names: tuple[str, ...], numbers: tuple[str, ...], x: Matrix) -> None:
    """Ask large_values and rare_values of the training rows of standardised columns, shape (n, d)."""
    for name, number, values in zip(names, numbers, x.T, strict=True):
        mend = f"it is {name!r}: drop or transform it, or"
        large = np.abs(values) > LARGE_VALUE
        if large.any():
            what = f"{int(large.sum())} training rows lie beyond {LARGE_VALUE:g} standard deviations"
            run.gates.refuse("large_values", number, what, mend)
        _check_shared(run.gates, number, values, mend)


def check_shared_values(gates: Gates, x: Matrix) -> None:
    """Ask rare_values of columns of any kind, shape (n, d)."""
    for j, values in enumerate(x.T):
        _check_shared(gates, f"model column {j + 1}", values, "")


def _check_shared(gates: Gates, where: str, values: NDArray[np.float64], mend: str) -> None:
    counts = np.unique(values, return_counts=True)[1]
    if len(counts) <= FEW_VALUES and counts.min() < RARE_ROWS:
        what = f"a value that fewer than {RARE_ROWS} training rows share"
        gates.refuse("rare_values", where, what, mend)
