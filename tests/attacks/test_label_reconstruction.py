"""A host solves its gradients for labels.

Who: a host that follows the protocol and keeps its gradients X^T r_k.  Wants: the labels, as r = p - y.
How: each gradient is d equations on the n residuals; their solution of least norm, X (X^T X)^-1 X^T r,
is known to the host, and -r + p guesses y.  Enough equations on the same residuals give all of them:
batches drawn anew in each pass supply such equations, and so do tables with hardly more rows than
columns.  (Residue reconstruction: Tan et al., "Residue-based label protection mechanisms in vertical
logistic regression", 2022; accumulation over batches: Hu et al., "Is vertical logistic regression
privacy-preserving?", 2022.)
What stops it: batches are whole, so that a pass adds no equation; the gate few_rows, which counts the columns
of all runs.
Pass: AUC on the labels <= .60 from the full transcript where the host's columns say nothing of them,
and no more than a regression on these columns where they do.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from attacked_runs import Fitted, Labels, Matrix, Portfolio, Vector, fit, label_auc, portfolio, report
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from parties.programs.earlier import Earlier
from vfl.errors import ContractError
from vfl.gates import SPREAD_PER_COLUMN, Gates
from vfl.linear.logistic import Rules

WHOLE = Rules(tolerance=1e-5, max_iter=8)
ONE = Rules(tolerance=1e-9, max_iter=1)


def residuals(x: Matrix, sums: Vector) -> Vector:
    """Return the residuals of least norm with X^T r = sums."""
    return np.asarray(np.linalg.pinv(x).T @ sums)


def best_guess(x: Matrix, y: Labels, fitted: Fitted) -> float:
    """Return the AUC of the best of a host's guesses: from each iteration, and from all together."""
    guesses = []
    for learnt in fitted.host.seen:
        r = residuals(x, learnt.sums)
        guesses += [-r, expit(x @ learnt.w) - r]
    guesses += [np.mean(guesses[0::2], axis=0), np.mean(guesses[1::2], axis=0)]
    return max(label_auc(y, guess) for guess in guesses)


def alone(people: Portfolio) -> float:
    """Return the AUC on its training rows of a regression on the host's columns, labels known."""
    model = LogisticRegression().fit(people.theirs, people.y)
    return label_auc(people.y, model.decision_function(people.theirs))


# --- full transcript ---


def test_with_as_many_columns_as_rows_every_label_is_read() -> None:
    people = portfolio(60, own=2, theirs=60)
    assert best_guess(people.theirs, people.y, fit(people, ONE)) == 1.0


def test_columns_that_say_nothing_yield_no_labels() -> None:
    few, many = portfolio(60, own=2, theirs=60), portfolio(900, own=3, theirs=6)
    fitted = fit(many, WHOLE)
    assert len(fitted.host.seen) >= 5
    undefended, defended = (
        best_guess(few.theirs, few.y, fit(few, ONE)),
        best_guess(many.theirs, many.y, fitted),
    )
    report(
        "labels from all of a host's gradients (AUC)",
        f"{undefended:.3f} (60 rows, 60 columns)",
        f"{defended:.3f} (900 rows, 6 columns)",
    )
    assert undefended == 1.0
    assert defended <= 0.60


def guessed_by_chance(rows: int, columns: int) -> tuple[float, float]:
    """Return the mean AUC of a host whose columns say nothing, and what the formula of few_rows foretells."""
    drawn = [portfolio(rows, own=3, theirs=columns, seed=seed) for seed in range(3)]
    got = [best_guess(people.theirs, people.y, fit(people, ONE)) for people in drawn]
    spread = np.mean([people.y.mean() * (1 - people.y.mean()) for people in drawn])
    return float(np.mean(got)), float(norm.cdf(np.sqrt(columns / (2 * rows * spread))))


def test_at_the_limit_of_few_rows_chance_gives_no_more_than_it_may() -> None:
    beyond, expected = guessed_by_chance(10 * 20, 20)
    at_the_limit, bound = guessed_by_chance(4 * SPREAD_PER_COLUMN * 20, 20)
    report(
        f"labels by chance at the limit of few_rows, {4 * SPREAD_PER_COLUMN} rows a column",
        f"{beyond:.3f} (10 rows a column; {expected:.3f} foretold)",
        f"{at_the_limit:.3f} ({bound:.3f} foretold)",
    )
    assert beyond > 0.63
    assert at_the_limit <= 0.60
    assert bound <= 0.60


@pytest.mark.parametrize("bads", [0.5, 0.2, 0.04])
def test_the_guests_bound_holds_chance_under_its_number_whatever_the_bad_rate(bads: float) -> None:
    rows = SPREAD_PER_COLUMN / (bads * (1 - bads))
    assert norm.cdf(np.sqrt(1 / (2 * rows * bads * (1 - bads)))) <= 0.60


def test_columns_that_say_something_yield_what_they_say_and_no_more() -> None:
    people = portfolio(900, own=3, theirs=6, strength=0.4)
    got, own = best_guess(people.theirs, people.y, fit(people, WHOLE)), alone(people)
    report(
        "the same where the host's columns tell of labels", f"{own:.3f} (these columns alone)", f"{got:.3f}"
    )
    assert own > 0.7
    assert got <= own + 0.005


# --- runs ---


def test_new_columns_in_every_run_give_all_labels_away_and_are_refused_from_the_second_on(
    tmp_path: Path,
) -> None:
    many = portfolio(120, own=2, theirs=120, seed=4)
    runs = [Portfolio(many.own, many.theirs[:, k : k + 12], many.y, many.start) for k in range(0, 120, 12)]
    sums = np.concatenate([fit(people, ONE).host.seen[0].sums for people in runs])
    undefended = label_auc(many.y, -residuals(many.theirs, sums))
    earlier, ids = Earlier(tmp_path), np.array([f"c{k}" for k in range(120)], object)
    refused = []
    for k, people in enumerate(runs):
        columns = {"host": {str(earlier.mark(ids, people.theirs)): 12}}
        record = replace(earlier.record(f"run {k}", ids, many.y), columns=columns)
        try:
            earlier.check_columns(record, "host", Gates(frozenset()))
            earlier.keep(record)
        except ContractError:
            refused.append(k)
    report(
        "labels from ten runs with new columns each (AUC)",
        f"{undefended:.3f}",
        f"{len(refused)} runs refused",
    )
    assert undefended == 1.0
    assert refused == list(range(1, 10))


# --- batches ---

ROWS, BATCH, PASSES = 200, 50, 18


def solved(people: Portfolio, passes: list[list[np.ndarray]]) -> float:  # type: ignore[type-arg]
    """Return the AUC of the residuals of least norm that satisfy the gradients of all these batches.

    The guest stands still: near the optimum it does, and any step would be small.
    """
    equations, sums = [], []
    for batch in (batch for one_pass in passes for batch in one_pass):
        part = people.take(batch)
        rows = np.zeros((len(people.y), part.theirs.shape[1]))
        rows[batch] = part.theirs
        equations.append(rows)
        sums.append(fit(part, ONE).host.seen[0].sums)
    return label_auc(people.y, -residuals(np.hstack(equations), np.concatenate(sums)))


def test_batches_drawn_anew_in_each_pass_give_all_labels_away_and_whole_ones_nothing() -> None:
    people = portfolio(ROWS, own=2, theirs=4, seed=2)
    draw = np.random.default_rng(3)
    anew = [np.split(draw.permutation(ROWS), ROWS // BATCH) for _ in range(PASSES)]
    everything = [np.arange(ROWS)]
    reshuffled = solved(people, anew)
    fixed = solved(people, [anew[0]] * 3)
    whole = solved(people, [everything] * 3)
    report(
        f"labels from batches drawn anew, {PASSES} passes (AUC)",
        f"{reshuffled:.3f}",
        f"{whole:.3f} (whole; {fixed:.3f} in one fixed partition)",
    )
    assert reshuffled == 1.0
    assert fixed < 0.75
    assert whole <= 0.60
