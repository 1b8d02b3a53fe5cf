"""Joint linear, Poisson and gamma regressions, small and in memory: parts of `protocol_runs`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hostile import KEY, PRIVATE
from numpy.typing import NDArray
from protocol_tables import ARBITER, GUEST, Roles
from seeded import Seeded

from vfl.arbitration import Quota
from vfl.linear import generalised, logistic, units
from vfl.linear.columns import Columns
from vfl.linear.family import FAMILIES, Family, Target
from vfl.linear.residuals import Place
from vfl.linear.units import Units
from vfl.wire.flow import Peer, Role

Vector = NDArray[np.float64]
OWN = 2
"""The guest's columns, and each host's."""


@dataclass(frozen=True)
class Outcomes:
    """A pooled table of insurance: the guest's columns first, then each host's."""

    x: NDArray[np.float64]
    y: Vector
    weight: Vector
    offset: Vector

    @property
    def target(self) -> Target:
        """What the guest knows of the rows."""
        return Target(self.y, self.weight, self.offset)

    @classmethod
    def of(cls, family: str, hosts: int, rows: int) -> Outcomes:
        """Claims a year of exposure, their mean sizes by number, or sums insured with a known part."""
        rng = np.random.default_rng(3)
        x = rng.normal(size=(rows, OWN * (1 + hosts))).round(2)
        u = x @ rng.uniform(-0.5, 0.5, x.shape[1])
        weight = rng.integers(1, 4, rows).astype(np.float64)
        weight /= weight.mean()
        exposure = rng.uniform(0.2, 1.0, rows)
        match family:
            case "linear":
                known = rng.normal(size=rows) * 1e5
                return cls(x, known + 1e6 * (0.4 + u) + rng.normal(size=rows) * 5e5, weight, known)
            case "poisson":
                counts = rng.poisson(exposure * np.exp(u - 1.0)).astype(np.float64)
                return cls(x, counts, weight, np.log(exposure))
        return cls(x, rng.gamma(weight) / weight * np.exp(7.0 + u), weight, np.zeros(rows))


def generalised_roles(
    name: str,
    hosts: int = 1,
    rows: int = 50,
    *,
    rules: logistic.Rules,
    data: Outcomes | None = None,
    start: Vector | None = None,
) -> Roles:
    """A joint fit of an intercept and two columns of the guest with two of each host."""
    family, data = FAMILIES[name], data or Outcomes.of(name, hosts, rows)
    told = Units.of(family, data.target)
    peers = tuple(Peer(f"host{k + 1}") for k in range(hosts))
    own = np.column_stack([np.ones(len(data.y)), data.x[:, :OWN]])
    variance = told.mean_variance
    if start is None:
        start = np.array([np.log(data.y.mean()) if family.is_log else 0.0, 0.0, 0.0])
    target = Target(data.y / told.scale, data.weight, data.offset / told.scale)
    roles: Roles = {
        "guest": generalised.guest(
            Columns(own, np.array([0.0, 1.0, 1.0]), start, variance=variance),
            target,
            rules,
            family=family,
            key=KEY,
            rng=Seeded(50),
            hosts=peers,
            arbiter=ARBITER,
            report=lambda *_: None,
        ),
        "arbiter": logistic.arbiter(
            PRIVATE, [Quota(999) for _ in range(hosts + 1)], guest=GUEST, hosts=peers
        ),
    }
    return roles | {
        peer.name: _host(family, data.x[:, OWN * (k + 1) : OWN * (k + 2)], variance, k, hosts, rules)
        for k, peer in enumerate(peers)
    }


def units_roles() -> Roles:
    """Two hosts that learn the units of a fit."""
    peers = (Peer("host1"), Peer("host2"))
    return {"guest": units.guest(Units(20, -3), hosts=peers)} | {
        peer.name: units.host(guest=GUEST) for peer in peers
    }


def _host(
    family: Family, x: NDArray[np.float64], variance: float, k: int, hosts: int, rules: logistic.Rules
) -> Role[logistic.Fit]:
    return generalised.host(
        Columns(x, np.ones(OWN), np.zeros(OWN), variance=variance),
        rules,
        family=family,
        key=KEY,
        rng=Seeded(51 + k),
        guest=GUEST,
        arbiter=ARBITER,
        place=Place(k, hosts - 1 - k),
    )
