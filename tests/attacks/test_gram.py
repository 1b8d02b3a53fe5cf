"""The guest reconstructs which of the host's rows are alike: the Gram matrix of its columns.

Who: a guest that follows the protocol.  Wants: K = Z Z^T, Z the host's (whitened) columns, from which
distances between customers, and clusters, follow.
How: a step moves the host's logits by K v, v a combination of residuals.  A guest that sees logits knows
both sides; as many steps as the host has columns give K = B (V^T B)^+ B^T.  (Hu et al., "Is vertical
logistic regression privacy-preserving?", 2022.)
What stops it: the host's logits travel as encrypted powers; the guest sees its own gradients, and after the
fit the logits once, to one point.
Pass: relative error >= .9, with the best scale granted to it, for a host of ten columns.  (A matrix of rank
one is already within sqrt(1 - 1 / d) of one of rank d: .82 for the three columns of few_host_columns.)
"""

from __future__ import annotations

import numpy as np
from attacked_runs import Fitted, Matrix, Portfolio, Vector, fit, portfolio, report
from scipy.special import expit

from vfl.linear.logistic import Rules, Step
from vfl.stats.scorecard import Scorecard

ONE_POINT = Scorecard().one_point


def gram(fitted: Fitted) -> Matrix:
    """Return K as it is."""
    z = np.linalg.solve(fitted.host._lower, fitted.host.x.T)
    return np.asarray(z.T @ z)


def steps(fitted: Fitted) -> list[Vector]:
    """Return the coefficients of each step, which the guest hands out."""
    return [s.message.coefficients for s in fitted.run.views["guest"] if isinstance(s.message, Step)]


def reconstructed(logits: list[Vector], residuals: list[Vector], told: list[Vector]) -> Matrix:
    """Return K from the host's logits and the residuals of each iteration, as far as they are known."""
    moved = np.diff(np.array(logits), axis=0)
    v = np.array([c @ np.array(residuals[: len(c)]) for c in told[: len(moved)]])
    return np.asarray(moved.T @ np.linalg.pinv(v @ moved.T, rcond=1e-6) @ moved)


def error(guess: Matrix, truth: Matrix) -> float:
    """Return the relative error of a guess, in the Frobenius norm, at its best scale."""
    cosine = float((guess * truth).sum() / (np.linalg.norm(guess) * np.linalg.norm(truth)))
    return float(np.sqrt(max(0.0, 1.0 - cosine**2)))


def seen(fitted: Fitted, people: Portfolio) -> Matrix:
    """Return K if the host showed its logits in each iteration."""
    b = [people.theirs @ learnt.w for learnt in fitted.host.seen]
    a = [fitted.guest.x @ learnt.w for learnt in fitted.guest.seen]
    residuals = [expit(own + theirs) - people.y for own, theirs in zip(a, b, strict=True)]
    return reconstructed(b, residuals, steps(fitted))


def guessed(fitted: Fitted, people: Portfolio) -> Matrix:
    """Return K with the shortest logits, in the guest's own columns, that explain the guest's gradients."""
    x, logits, residuals = fitted.guest.x, [], []
    for learnt in fitted.guest.seen:
        p = expit(x @ learnt.w)
        missing = learnt.sums - x.T @ (p - people.y)
        logits.append(x @ np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]), missing))
        residuals.append(expit(x @ learnt.w + logits[-1]) - people.y)
    return reconstructed(logits, residuals, steps(fitted))


def from_points(fitted: Fitted, people: Portfolio) -> Matrix:
    """Return K as the one logit per row says that the guest is told in the end."""
    b = np.rint(people.theirs @ fitted.host.w / ONE_POINT) * ONE_POINT
    return np.outer(b, b)


def test_shown_logits_are_the_gram_matrix_and_encrypted_ones_are_not() -> None:
    few = portfolio(200, own=2, theirs=3, strength=0.5)
    shown = fit(few, Rules(1e-6, 7), host_penalty=1e-6)
    many = portfolio(300, own=3, theirs=10, strength=0.25)
    hidden = fit(many, Rules(1e-5, 8))
    undefended = error(seen(shown, few), gram(shown))
    attempts = [error(guess(hidden, many), gram(hidden)) for guess in (guessed, from_points)]
    report(
        "Gram matrix of the host's rows (relative error)",
        f"{undefended:.4f} (logits shown)",
        f"{attempts[0]:.3f} from gradients, {attempts[1]:.3f} from the points of scores",
    )
    assert undefended < 0.1
    assert min(attempts) >= 0.9
