"""Training together equals training pooled, and every role follows its ladder."""

from __future__ import annotations

import numpy as np
import pytest
from hostile import PRIVATE
from hosts_runs import ROWS, A, Y, residuals_roles, several_logistic_roles
from seeded import Seeded
from sklearn.linear_model import LogisticRegression
from test_views import differing, in_the_clear

from vfl.arbitration import Quota
from vfl.crypto.fixed_point import centred, decode
from vfl.linear import logistic, residuals
from vfl.linear.columns import Columns
from vfl.linear.sigmoid import sigmoid
from vfl.wire.flow import Peer
from vfl.wire.ladder import follows_ladder
from vfl.wire.memory import run_in_memory

MANY = 8
GUEST, HOST, ARBITER = Peer("guest"), Peer("host"), Peer("arbiter")
RULES = logistic.Rules(tolerance=1e-5, max_iter=30)


@pytest.mark.parametrize("told", [None, 24])
def test_training_together_equals_training_pooled(told: int | None) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 4)).round(1)
    x[:, 1] = x[:, 1] > 0
    y = (rng.random(300) < sigmoid(x @ np.array([0.8, -0.5, 0.6, 0.4]))).astype(np.int8)
    own = np.column_stack([np.ones(300), x[:, :2]])
    run = run_in_memory(
        {
            "guest": logistic.guest(
                Columns(own, np.array([0.0, 1, 1]), np.zeros(3), told),
                y,
                RULES,
                key=PRIVATE.public,
                rng=Seeded(2),
                hosts=(HOST,),
                arbiter=ARBITER,
                report=lambda *_: None,
            ),
            "host": logistic.host(
                Columns(x[:, 2:], np.ones(2), np.zeros(2), told),
                RULES,
                key=PRIVATE.public,
                rng=Seeded(3),
                guest=GUEST,
                arbiter=ARBITER,
            ),
            "arbiter": logistic.arbiter(
                PRIVATE, [Quota(99, told=told) for _ in range(2)], guest=GUEST, hosts=(HOST,)
            ),
        }
    )
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x, y)
    joint = np.concatenate([run.results["guest"].coefficients, run.results["host"].coefficients])
    assert run.results["guest"].converged
    np.testing.assert_allclose(joint, [*pooled.intercept_, *pooled.coef_[0]], atol=1e-4)
    for role in ("guest", "host", "arbiter"):
        assert follows_ladder(logistic.__doc__ or "", role, run.views[role])


def test_eight_hosts_together_equal_the_pooled_fit() -> None:
    y = Y[:30]
    run = run_in_memory(several_logistic_roles(MANY, y, rules=logistic.Rules(1e-4, 30)))
    x = np.random.default_rng(7).normal(scale=0.4, size=(len(y), MANY + 1)).round(1)
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x, y)
    names = ["guest", *(f"host{k + 1}" for k in range(MANY))]
    joint = np.concatenate([run.results[name].coefficients for name in names])
    assert all(run.results[name].converged for name in names)
    np.testing.assert_allclose(joint, [*pooled.intercept_, *pooled.coef_[0]], atol=1e-4)


@pytest.mark.parametrize("hosts", [1, 2])
def test_rows_count_together_what_they_count_pooled(hosts: int) -> None:
    weight = np.random.default_rng(4).choice([0.0, 0.3, 1.0, 5.0], len(Y))
    weight /= weight.mean()
    run = run_in_memory(several_logistic_roles(hosts, rules=RULES, weight=weight))
    x = np.random.default_rng(7).normal(scale=0.4, size=(len(Y), hosts + 1)).round(1)
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x, Y, sample_weight=weight)
    names = ["guest", *(f"host{k + 1}" for k in range(hosts))]
    joint = np.concatenate([run.results[name].coefficients for name in names])
    assert all(run.results[name].converged for name in names)
    np.testing.assert_allclose(joint, [*pooled.intercept_, *pooled.coef_[0]], atol=1e-4)


def test_a_fit_of_which_signs_alone_count_ends_once_none_is_in_doubt() -> None:
    hosts = 5
    x = np.random.default_rng(7).normal(scale=0.4, size=(len(Y), hosts + 1)).round(1)
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(x, Y).coef_[0]
    gradients = []
    for rough in (0.0, 0.1):
        rules = logistic.Rules(1e-6, 30, rough=rough)
        fits = run_in_memory(several_logistic_roles(hosts, rules=rules)).results
        joint = np.concatenate(
            [fits[n].coefficients for n in ("guest", *(f"host{k + 1}" for k in range(hosts)))]
        )
        assert fits["guest"].converged
        np.testing.assert_array_equal(np.sign(joint[1:]), np.sign(pooled))
        np.testing.assert_allclose(joint[1:], pooled, rtol=logistic.SURE, atol=1e-6)
        gradients.append(fits["guest"].gradients)
    assert gradients[1] < gradients[0] / 2
    assert np.abs(pooled).min() < 0.02  # a step of 0.1 would leave its sign open


@pytest.mark.parametrize(
    ("rough", "w", "change", "met"),
    [
        (0.0, 1.0, 1e-3, True),
        (0.0, 1.0, 1.1e-3, False),
        (0.05, 0.3, 0.03, True),  # a tenth of its size
        (0.05, -0.3, -0.031, False),
        (0.05, 9.0, 0.05, True),
        (0.05, 9.0, 0.051, False),
        (0.05, 1e-4, 1e-3, True),  # as good as 0: the tolerance
        (0.05, 1e-4, 1.1e-3, False),
    ],
)
def test_a_step_is_the_last_by_the_tolerance_or_by_a_part_of_what_it_moves(
    rough: float, w: float, change: float, met: bool
) -> None:
    rules = logistic.Rules(1e-3, 9, rough=rough)
    assert rules.are_met(np.array([0.0, change]), np.array([1.0, w]), np.ones(2)) is met
    intercept = rules.are_met(np.array([rough, 0.0]), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert intercept  # of which no sign is asked


def test_weights_leave_the_guest_in_sums_alone() -> None:
    rules = logistic.Rules(1e-12, 3)
    weight = np.random.default_rng(4).permutation(np.repeat([0.5, 1.5], len(Y) // 2))
    views = [
        in_the_clear(run_in_memory(several_logistic_roles(2, rules=rules, weight=w)).views["host2"])
        for w in (weight, weight[::-1])
    ]
    later = {("LogitRange", "lo"), ("LogitRange", "hi"), ("Approximation", "before")}
    later |= {("Approximation", "centre")}
    depends = {("GradientProducts", "values"), ("Step", "coefficients"), ("Approximation", "degree")}
    assert differing(*views) <= depends | later
    assert {message for message, _ in differing(*views)} >= {"GradientProducts", "Step"}


@pytest.mark.parametrize("hosts", [1, 3])
def test_a_straight_line_for_the_sigmoid_is_solved_as_the_pooled_least_squares(hosts: int) -> None:
    run = run_in_memory(several_logistic_roles(hosts, rules=logistic.Rules(1e-7, 40, taylor=True)))
    x = np.random.default_rng(7).normal(scale=0.4, size=(len(Y), hosts + 1)).round(1)
    x = np.column_stack([np.ones(len(Y)), x])
    # sum_i x_i (x_i w / 4 + 1/2 - y_i) + P w = 0, without a penalty on the intercept
    penalty = np.diag([0.0, *np.ones(hosts + 1)])
    pooled = np.linalg.solve(x.T @ x / 4 + penalty, x.T @ (Y - 0.5))
    names = ["guest", *(f"host{k + 1}" for k in range(hosts))]
    joint = np.concatenate([run.results[name].coefficients for name in names])
    assert all(run.results[name].converged for name in names)
    assert set(run.results["guest"].degrees) == {1}
    np.testing.assert_allclose(joint, pooled, atol=1e-5)


@pytest.mark.parametrize("hosts", [1, 2, 5])
def test_residuals_are_those_of_the_sum_of_all_logits(hosts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residuals, "BLOCK", 20)
    run = run_in_memory(residuals_roles(hosts))
    b = np.random.default_rng(9).uniform(-1, 2, (hosts, ROWS)).sum(axis=0)
    for name in ("guest", f"host{hosts}"):
        r, _ = run.results[name]
        plain = [centred(v, PRIVATE.public.n) for v in PRIVATE.decrypt(r)]
        found = [decode(v, residuals.fraction(hosts)) for v in plain]
        np.testing.assert_allclose(found, sigmoid(A + b) - Y, atol=1e-2)


def test_no_host_meets_a_plaintext_that_depends_on_another_but_the_width_of_ranges() -> None:
    run = run_in_memory(residuals_roles(3))
    plain = {type(s.message).__name__ for s in run.views["host2"] if s.message.disclosed().numbers}
    assert plain == {"LogitRange", "Approximation"}
