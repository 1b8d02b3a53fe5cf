"""Joint linear, Poisson and gamma regressions equal scikit-learn's on the pooled table."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from family_runs import OWN, Outcomes, generalised_roles, units_roles
from hostile import tampered
from sklearn.linear_model import GammaRegressor, PoissonRegressor, Ridge
from test_views import differing, in_the_clear

from vfl.errors import ProtocolError
from vfl.linear import family as families
from vfl.linear.alone import fitted
from vfl.linear.family import FAMILIES, Family, Target
from vfl.linear.generalised import ResidualScale
from vfl.linear.logistic import Rules
from vfl.linear.residuals import LogitRange
from vfl.linear.units import Units
from vfl.wire.memory import run_in_memory

ROWS = 200
NAMES = get_args(families.Name)


def pooled(name: str, data: Outcomes) -> np.ndarray:
    """Fit the pooled table as an analyst would: rates by exposure, C = 1."""
    x, y, w = data.x, data.y, data.weight
    fit: Ridge | PoissonRegressor | GammaRegressor
    if name == "linear":
        fit = Ridge(alpha=1.0, solver="cholesky").fit(x, y - data.offset, sample_weight=w)
    elif name == "poisson":
        exposed = w * np.exp(data.offset)
        fit = PoissonRegressor(alpha=1 / exposed.sum(), solver="newton-cholesky", tol=1e-10)
        fit.fit(x, y / np.exp(data.offset), sample_weight=exposed)
    else:
        fit = GammaRegressor(alpha=1 / w.sum(), solver="newton-cholesky", tol=1e-10)
        fit.fit(x, y, sample_weight=w)
    return np.array([fit.intercept_, *fit.coef_])


@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_a_regression_together_equals_the_pooled_one(name: str, hosts: int) -> None:
    data = Outcomes.of(name, hosts, ROWS)
    unit = Units.of(FAMILIES[name], data.target).scale
    start = fitted(FAMILIES[name], data.x[:, :OWN], data.target, 1.0) / unit
    roles = generalised_roles(name, hosts, ROWS, rules=Rules(1e-5, 30), data=data, start=start)
    results = run_in_memory(roles).results
    parties = ["guest", *(f"host{k + 1}" for k in range(hosts))]
    joint = np.concatenate([results[party].coefficients for party in parties])
    assert all(results[party].converged for party in parties)
    np.testing.assert_allclose(joint, pooled(name, data) / unit, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_guests_own_fit_is_that_of_its_table(name: str) -> None:
    data = Outcomes.of(name, 0, ROWS)
    wanted = pooled(name, data)
    np.testing.assert_allclose(fitted(FAMILIES[name], data.x, data.target, 1.0), wanted, rtol=1e-6)
    level = FAMILIES[name].level(data.target)
    assert FAMILIES[name].residual(data.target, level).sum() == pytest.approx(0.0, abs=1e-6 * level.max())


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_a_residual_is_the_slope_of_half_the_deviance(family: Family) -> None:
    rng = np.random.default_rng(1)
    a, b, y = rng.normal(size=40), rng.uniform(-1.0, 2.0, 40), rng.gamma(1.0, size=40)
    c0, c1 = family.terms(a, y, -1.0, 2.0)
    v = family.factor(b, -1.0, 2.0)
    mu = family.mean(a + b)
    assert np.abs(v).max() <= 1.0
    variance, slope = mu**family.power, mu if family.is_log else np.ones(40)
    np.testing.assert_allclose(c0 + c1 * v, (mu - y) / variance * slope, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_outcomes_and_weights_leave_the_guest_in_units_scales_and_sums_alone(name: str) -> None:
    data = Outcomes.of(name, 2, 60)
    order = np.random.default_rng(8).permutation(60)
    other = replace(data, y=data.y[order], weight=data.weight[order], offset=data.offset[order])
    views = [
        in_the_clear(
            run_in_memory(generalised_roles(name, 2, rules=Rules(1e-12, 3), data=each)).views["host2"]
        )
        for each in (data, other)
    ]
    depends = {("ResidualScale", "exponent"), ("GradientProducts", "values"), ("Step", "coefficients")}
    later = {("LogitRange", "lo"), ("LogitRange", "hi"), ("ResidualScale", "before")}
    assert differing(*views) <= depends | later
    assert {message for message, _ in differing(*views)} >= {"GradientProducts", "Step"}


@pytest.mark.parametrize(
    ("cheater", "kind", "change"),
    [
        ("guest", ResidualScale, {"exponent": 501}),
        ("guest", ResidualScale, {"before": 0.5}),
        ("guest", ResidualScale, {"before": -1.0}),
        ("host1", LogitRange, {"hi": 999.0}),
    ],
)
def test_whoever_tells_an_impossible_scale_or_range_is_blamed(
    cheater: str, kind: type, change: dict[str, float]
) -> None:
    roles = generalised_roles("poisson", rules=Rules(1e-9, 1))
    changed = tampered(roles[cheater], kind, lambda m: replace(m, **change))
    with pytest.raises(ProtocolError, match=cheater):
        run_in_memory(roles | {cheater: changed})


def test_units_beyond_all_outcomes_are_blamed() -> None:
    roles = units_roles()
    changed = tampered(roles["guest"], Units, lambda m: replace(m, unit=201))
    with pytest.raises(ProtocolError, match="units that no outcomes have"):
        run_in_memory(roles | {"guest": changed})


def test_units_say_how_amounts_scatter_and_how_many_claims_there_are() -> None:
    def told(name: str, *outcomes: float) -> Units:
        return Units.of(FAMILIES[name], Target(np.array(outcomes), np.ones(4), np.zeros(4)))

    assert told("linear", 0, 0, 2000, 2000) == Units(unit=10)
    assert told("poisson", 0, 0, 0, 1) == Units(variance=-2)
    assert told("gamma", 5, 1, 7, 1) == Units()
