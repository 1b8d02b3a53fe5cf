"""Folds of customers, and which of several penalties their held-out losses speak for.

    fold of an id = SHA-256("vfl fold" 0 id) mod k, of its first 8 bytes, big-endian

A customer is in the same fold in every run of as many folds, whoever asks: who trains twice learns no
difference between other folds.  And a pooled table can be folded alike.

    one standard error   of all penalties whose mean loss is at most the least one's mean and its
                         standard error, sd / sqrt(k), the strongest

Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees" (1984), 3.4.3.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Rule = Literal["best", "one_standard_error"]


def folds_of(ids: Iterable[str], k: int) -> NDArray[np.int64]:
    """Return each normalised id's fold, 0 .. k - 1."""
    digests = (hashlib.sha256(b"vfl fold\0" + id.encode()).digest() for id in ids)
    return np.array([int.from_bytes(digest[:8], "big") % k for digest in digests], np.int64)


def name_of(fold: int, strength: float) -> str:
    """Return what the fit of a fold and a C is called."""
    return f"fold {fold + 1}, C {strength:g}"


def standard_errors(losses: Matrix) -> Vector:
    """Return the standard error of each penalty's mean loss; losses of shape (folds, penalties)."""
    return np.asarray(losses.std(axis=0, ddof=1) / math.sqrt(len(losses)), np.float64)


def choice(losses: Matrix, rule: Rule) -> int:
    """Return the number of the penalty that a rule chooses; the strongest comes first."""
    means = losses.mean(axis=0)
    least = int(np.argmin(means))
    if rule == "best":
        return least
    return int(np.argmax(means <= means[least] + standard_errors(losses)[least]))


def start(fits: Mapping[tuple[int, int], Vector], fold: int, penalty: int) -> Vector | None:
    """Return where a fit begins, of those of the folds and penalties before it; None for the first.

    In the plane of folds and penalties the coefficients are nearly a sum of what the fold makes of them
    and what the penalty does, so that three neighbours foretell the fourth.
    """
    if fold and penalty:
        along, across = fits[fold, penalty - 1], fits[fold - 1, penalty]
        return along + across - fits[fold - 1, penalty - 1]
    if fold:
        return fits[fold - 1, 0]
    return fits[0, penalty - 1] if penalty else None
