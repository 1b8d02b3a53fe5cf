"""A host infers labels from the nodes that rows share.

Who: a host that follows the protocol, and knows the labels of a few customers.  Wants: those of the others.
How: it is told which rows are in the nodes that it sums.  Rows that often share a node are alike to the
model, so labels spread from those it knows; and without any, rows are ranked by how often they are in the
smaller of two children, up or down.  Under GOSS it is told as well which rows have the largest gradients,
that is, which the model gets most wrong: nearly all of the rarer class.
What stops it: GOSS needs the gate of its name.  **Nothing stops the rest in this version**: nodes say what
the guest's columns say of a customer, coarsely, and so no more than the model itself knows.
Pass: AUC <= .60 for samples that hosts are told; for nodes .60 is not met, and the bound is the model's AUC.
"""

from __future__ import annotations

import numpy as np
import pytest
from attacked_runs import Vector, label_auc, report
from grown_runs import Table, grow, places, table

from parties.config.job import Job
from vfl.errors import ContractError
from vfl.trees.boosting import Sampled
from vfl.trees.grow import Rules
from vfl.trees.members import NOWHERE
from vfl.trees.sampling import Goss, Subsample
from vfl.wire.memory import Transcript

KNOWN = 20
"""Customers whose labels the host knows, half of them bad."""


def rarer(run: Transcript) -> Vector:
    """Return how often each row is sampled."""
    told = [s.message.rows for s in run.views["host"] if isinstance(s.message, Sampled)]
    return np.asarray(np.sum(told, axis=0), np.float64)


def best_of_nodes(run: Transcript, people: Table) -> tuple[float, float]:
    """Return the AUC of the better way to rank by small children, and of labels spread from those known."""
    told = places(run)
    small = label_auc(people.y, (told != NOWHERE).sum(axis=0).astype(np.float64))
    draw = np.random.default_rng(9)
    good, bad = (draw.choice(np.flatnonzero(people.y == c), KNOWN // 2, replace=False) for c in (0, 1))
    others = np.setdiff1d(np.arange(len(people.y)), [*good, *bad])
    alike = [
        sum((level[:, None] == level[None, rows]).mean(axis=1) for level in told) for rows in (bad, good)
    ]
    spread = np.asarray(alike[0] - alike[1])
    return max(small, 1 - small), label_auc(people.y[others], spread[others])


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


def test_nodes_tell_a_host_of_labels_what_the_model_knows_and_no_more() -> None:
    people = table(1200)
    for first, whose in ((False, "all"), (True, "guest")):
        run = grow(people, Rules(n_estimators=10, max_depth=3, guest_grows_first=first))
        small, spread = best_of_nodes(run, people)
        model = label_auc(people.y, run.results["guest"].logit)
        report(
            f"labels from the nodes that rows share, first tree: {whose}",
            f"{model:.3f} (the model itself)",
            f"{small:.3f}, {spread:.3f} with {KNOWN} labels known: NOT under .60",
        )
        assert max(small, spread) <= model
