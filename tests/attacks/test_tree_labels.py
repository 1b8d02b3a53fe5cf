"""A host infers labels from the nodes that rows share.

Who: a host that follows the protocol, and knows the labels of a few customers.  Wants: those of the others.
How: it is told which rows are in the nodes that it sums, and which nodes its own columns split where.  Rows
that often share a node, or a side, are alike to the model: labels spread from those it knows, or are
regressed on all that it was told; and without any, rows are ranked by how often they are in the smaller of
two children, up or down.  Under GOSS it is told as well which rows have the largest gradients, that is,
which the model gets most wrong: nearly all of the rarer class.
What stops it: `model.node_rows: hidden` shows a host no rows, so that its view of a row is a function of its
own columns.  Where rows are shown, GOSS needs the gate of its name, and nothing stops the rest: nodes say
what the guest's columns say of a customer, coarsely, and so no more than the model itself knows.
Pass: AUC <= .60 for hidden rows, and for samples that hosts are told; where rows are shown the bound is the
model's AUC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from attacked_runs import Vector, label_auc, report
from grown_runs import Table, grow, places, table
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from parties.config.job import Job
from vfl.errors import ContractError
from vfl.trees.boosting import Sides
from vfl.trees.grow import Rules
from vfl.trees.members import NOWHERE
from vfl.trees.sampling import Goss, Subsample
from vfl.trees.shown import Sampled
from vfl.wire.flow import Sent
from vfl.wire.memory import Transcript

KNOWN = 20
"""Customers whose labels the host knows, half of them bad."""


def rarer(run: Transcript) -> Vector:
    """Return how often each row is sampled."""
    told = [s.message.rows for s in run.views["host"] if isinstance(s.message, Sampled)]
    return np.asarray(np.sum(told, axis=0), np.float64)


@dataclass(frozen=True, slots=True)
class Guess:
    """Label AUCs at the host: by small children, by labels spread from known ones, and regressed on them."""

    small: float
    spread: float
    regressed: float

    @property
    def best(self) -> float:
        """The best of them."""
        return max(self.small, self.spread, self.regressed)

    def __str__(self) -> str:
        return f"{self.small:.3f}, {self.spread:.3f} and {self.regressed:.3f} with {KNOWN} labels known"


def sides(run: Transcript, people: Table) -> list[NDArray[np.int64]]:
    """Return the side of every row at each of the host's splits: 2 where its own splits above exclude it."""
    found = []
    for tree in run.results["host"]:
        rows = {1: np.ones(len(people.y), np.bool_)}
        for node in sorted(tree):
            above = node
            while above not in rows:
                above >>= 1
            left = tree[node].left(people.theirs)
            rows[2 * node], rows[2 * node + 1] = rows[above] & left, rows[above] & ~left
            found.append(np.where(rows[2 * node], 0, np.where(rows[2 * node + 1], 1, 2)))
    return found


def guessed(run: Transcript, people: Table, *, seed: int = 9) -> Guess:
    """Return what the host makes of all that it was told, and of its own splits."""
    shown = places(run)
    small = label_auc(people.y, (shown != NOWHERE).sum(axis=0).astype(np.float64)) if len(shown) else 0.5
    told = np.array([*shown, *sides(run, people)])
    draw = np.random.default_rng(seed)
    good, bad = (draw.choice(np.flatnonzero(people.y == c), KNOWN // 2, replace=False) for c in (0, 1))
    known = np.concatenate([good, bad])
    others = np.setdiff1d(np.arange(len(people.y)), known)
    alike = [
        sum((level[:, None] == level[None, rows]).mean(axis=1) for level in told) for rows in (bad, good)
    ]
    spread = np.asarray(alike[0] - alike[1])
    x = np.column_stack([level == k for level in told for k in np.unique(level)]).astype(np.float64)
    fitted = LogisticRegression(C=0.1).fit(x[known], people.y[known])
    return Guess(
        max(small, 1 - small),
        label_auc(people.y[others], spread[others]),
        label_auc(people.y[others], fitted.decision_function(x[others])),
    )


def test_rows_sampled_by_gradient_give_labels_away_and_rows_drawn_evenly_do_not() -> None:
    people = table(600)
    undefended, defended = (
        label_auc(people.y, rarer(grow(people, Rules(n_estimators=10, max_depth=3, sampling=sampling))))
        for sampling in (Goss(), Subsample(0.3))
    )
    report("labels from the rows that are sampled (AUC)", f"{undefended:.3f} (GOSS)", f"{defended:.3f}")
    assert undefended > 0.75
    assert abs(defended - 0.5) <= 0.1


def test_goss_is_refused_unless_the_job_allows_it_by_name() -> None:
    parties = {"bank": {"role": "guest"}, "insurer": {"role": "host"}}
    asked = {"kind": "trees", "top_rate": 0.2, "other_rate": 0.1}
    job = {"vfl": 1, "job": "scores", "purpose": "to test", "parties": parties, "model": asked}
    with pytest.raises(ContractError, match="which rows the model gets most wrong"):
        Job.model_validate(job).open_gates()
    assert Job.model_validate(job | {"gates": {"allow": ["goss"]}}).open_gates().overridden


def test_goss_on_hidden_rows_tells_hosts_nothing_and_needs_no_gate() -> None:
    parties = {"bank": {"role": "guest"}, "insurer": {"role": "host"}}
    asked = {"kind": "trees", "top_rate": 0.2, "other_rate": 0.1, "node_rows": "hidden"}
    job = {"vfl": 1, "job": "scores", "purpose": "to test", "parties": parties, "model": asked}
    assert not Job.model_validate(job).open_gates().overridden
    run = grow(table(300), Rules(n_estimators=3, max_depth=2, sampling=Goss(), hides_rows=True))
    assert not [s for s in run.views["host"] if isinstance(s.message, Sampled)]


@pytest.mark.parametrize("first", [False, True], ids=["all", "guest"])
def test_hidden_rows_tell_a_host_nothing_of_labels_and_shown_ones_what_the_model_knows(first: bool) -> None:
    people = table(1200)
    rules = Rules(n_estimators=10, max_depth=3, guest_grows_first=first)
    run, concealed = grow(people, rules), grow(people, replace(rules, hides_rows=True))
    shown = guessed(run, people)
    hidden = max((guessed(concealed, people, seed=seed) for seed in range(6)), key=lambda guess: guess.best)
    model = label_auc(people.y, run.results["guest"].logit)
    report(
        f"labels from the nodes that rows share, first tree: {'guest' if first else 'all'}",
        f"{shown} (shown; the model itself {model:.3f})",
        f"{hidden} (hidden, the best of six)",
    )
    assert run.results["host"] == concealed.results["host"]
    assert 0.65 < shown.best <= model
    assert hidden.best <= 0.60


def test_a_host_that_sees_no_rows_sees_customers_alike_in_its_columns_alike() -> None:
    people = table(300)
    run = grow(people, Rules(n_estimators=6, max_depth=3, guest_grows_first=False, hides_rows=True))
    told = np.column_stack([s.message.left.reshape(-1, 300).T for s in _answers(run)])
    for same in np.unique(people.theirs, axis=0):
        alike = (people.theirs == same).all(axis=1)
        assert len(np.unique(told[alike], axis=0)) == 1
    kinds = {type(s.message).__name__ for s in run.views["host"] if s.sender == "guest"}
    assert kinds == {"SlotSize", "Next", "HiddenNodes", "EncryptedNodes", "Splits", "Kept"}


def _answers(run: Transcript) -> list[Sent]:
    return [s for s in run.views["host"] if isinstance(s.message, Sides)]
