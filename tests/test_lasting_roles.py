"""Trees and regressions go on where a party died, with the model that they would have had."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crossed_runs import CROSSED_RULES, HOSTS_KEY, ROWS
from hostile import KEY, PRIVATE
from protocol_runs import RULES
from protocol_tables import ARBITER, GUEST, HOST, X, Y
from test_lasting import Stage
from tree_runs import TREE_CODES, TREES

from parties.programs.lasting import Recorded
from vfl.arbitration import Quota
from vfl.linear import crossed, generalised, logistic, residuals
from vfl.linear.columns import Columns
from vfl.linear.family import POISSON, Target
from vfl.trees import boosting, opening
from vfl.trees.histogram import Layout
from vfl.wire.flow import Peer, Role
from vfl.wire.journal import Journal

Roles = dict[str, Callable[[Journal], Role[Any]]]


def trees() -> Roles:
    """Two trees with the host, after one of the guest's own."""

    def guest(journal: Journal) -> Role[Any]:
        rng = Recorded(journal)
        return boosting.guest(
            TREE_CODES[:, :2],
            Layout((4, 4)),
            Y,
            np.ones(len(Y)),
            np.zeros(len(Y)),
            TREES,
            key=KEY,
            rng=rng,
            lots=rng,
            opener=opening.ByArbiter(KEY, rng, ARBITER),
            hosts=(HOST,),
            afford=lambda _: None,
            report=lambda _: None,
            steps=journal,
        )

    def host(journal: Journal) -> Role[Any]:
        rng = Recorded(journal)
        layout = Layout((4, 4, 4))
        return boosting.host(
            TREE_CODES[:, 2:], layout, TREES, key=KEY, rng=rng, guest=GUEST, arbiter=ARBITER, steps=journal
        )

    return {
        "guest": guest,
        "host": host,
        "arbiter": lambda journal: opening.arbiter(
            PRIVATE, Quota(99), guest=GUEST, hosts=(HOST,), steps=journal
        ),
    }


def regression() -> Roles:
    """Three gradients."""

    def guest(journal: Journal) -> Role[Any]:
        return logistic.guest(
            Columns(np.column_stack([np.ones(len(X)), X[:, :2]]), np.array([0.0, 1.0, 1.0]), np.zeros(3)),
            Y,
            RULES,
            key=KEY,
            rng=Recorded(journal),
            hosts=(HOST,),
            arbiter=ARBITER,
            report=lambda *_: None,
            steps=journal,
        )

    def host(journal: Journal) -> Role[Any]:
        columns, rng = Columns(X[:, 2:], np.ones(3), np.zeros(3)), Recorded(journal)
        return logistic.host(columns, RULES, key=KEY, rng=rng, guest=GUEST, arbiter=ARBITER, steps=journal)

    def arbiter(journal: Journal) -> Role[Any]:
        return logistic.arbiter(PRIVATE, (Quota(99), Quota(99)), guest=GUEST, hosts=(HOST,), steps=journal)

    return {"guest": guest, "host": host, "arbiter": arbiter}


def alone() -> Roles:
    """Two gradients without an arbiter."""

    def guest(journal: Journal) -> Role[Any]:
        own = np.column_stack([np.ones(ROWS), X[:ROWS, :2]])
        return crossed.guest(
            Columns(own, np.array([0.0, 1.0, 1.0]), np.zeros(3)),
            Y[:ROWS],
            CROSSED_RULES,
            own=PRIVATE,
            key=HOSTS_KEY.public,
            quota=Quota(99),
            rng=Recorded(journal),
            host=HOST,
            report=lambda *_: None,
            steps=journal,
        )

    def host(journal: Journal) -> Role[Any]:
        return crossed.host(
            Columns(X[:ROWS, 2:], np.ones(3), np.zeros(3)),
            CROSSED_RULES,
            own=HOSTS_KEY,
            key=KEY,
            quota=Quota(99),
            rng=Recorded(journal),
            guest=GUEST,
            steps=journal,
        )

    return {"guest": guest, "host": host}


def two_hosts() -> Roles:
    """Two gradients with two hosts, whose powers pass from one to the other."""
    x, hosts = X[:ROWS], (Peer("host1"), Peer("host2"))

    def guest(journal: Journal) -> Role[Any]:
        own = np.column_stack([np.ones(ROWS), x[:, :2]])
        return logistic.guest(
            Columns(own, np.array([0.0, 1.0, 1.0]), np.zeros(3)),
            Y[:ROWS],
            CROSSED_RULES,
            key=KEY,
            rng=Recorded(journal),
            hosts=hosts,
            arbiter=ARBITER,
            report=lambda *_: None,
            steps=journal,
        )

    def host(place: residuals.Place, column: int, journal: Journal) -> Role[Any]:
        columns, rng = Columns(x[:, [column]], np.ones(1), np.zeros(1)), Recorded(journal)
        return logistic.host(
            columns, CROSSED_RULES, key=KEY, rng=rng, guest=GUEST, arbiter=ARBITER, place=place, steps=journal
        )

    def arbiter(journal: Journal) -> Role[Any]:
        quotas = [Quota(99) for _ in range(3)]
        return logistic.arbiter(PRIVATE, quotas, guest=GUEST, hosts=hosts, steps=journal)

    first, second = partial(host, residuals.Place(0, 1), 2), partial(host, residuals.Place(1, 0), 3)
    return {"guest": guest, "host1": first, "host2": second, "arbiter": arbiter}


def amounts() -> Roles:
    """Two gradients of a Poisson regression."""
    target = Target(np.arange(ROWS) % 3.0, np.ones(ROWS), np.zeros(ROWS))

    def guest(journal: Journal) -> Role[Any]:
        own = np.column_stack([np.ones(ROWS), X[:ROWS, :2]])
        return generalised.guest(
            Columns(own, np.array([0.0, 1.0, 1.0]), np.zeros(3), variance=1.0),
            target,
            CROSSED_RULES,
            family=POISSON,
            key=KEY,
            rng=Recorded(journal),
            hosts=(HOST,),
            arbiter=ARBITER,
            report=lambda *_: None,
            steps=journal,
        )

    def host(journal: Journal) -> Role[Any]:
        return generalised.host(
            Columns(X[:ROWS, 2:], np.ones(3), np.zeros(3), variance=1.0),
            CROSSED_RULES,
            family=POISSON,
            key=KEY,
            rng=Recorded(journal),
            guest=GUEST,
            arbiter=ARBITER,
            steps=journal,
        )

    return {"guest": guest, "host": host, "arbiter": regression()["arbiter"]}


def halves(results: dict[str, Any]) -> list[Any]:
    """Return what all data parties end with, bit for bit."""
    fits = [result for result in results.values() if isinstance(result, logistic.Fit)]
    if fits:
        return [fit.coefficients.tobytes() for fit in fits]
    guest, host = results["guest"], results["host"]
    return [guest.trees, guest.logit.tobytes(), host]


@pytest.mark.parametrize(
    ("model", "victim"),
    [(model, party) for model in (trees, regression, alone, two_hosts) for party in model()]
    + [(amounts, "host")],
)
def test_a_party_that_dies_ends_with_the_model_it_would_have_had(
    model: Callable[[], Roles], victim: str, tmp_path: Path
) -> None:
    wanted = halves(Stage(tmp_path / "alone", roles=model()).play({}))
    for at in (2, 6, 9, 14, 19):
        lives = Stage(tmp_path / str(at), roles=model()).play({victim: [at, at + 1]})
        assert halves(lives) == wanted, f"{victim} died at step {at}"
