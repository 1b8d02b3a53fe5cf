"""Protocols of a regression with several hosts, once, small and in memory: parts of `protocol_runs`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from hostile import KEY, PRIVATE
from numpy.typing import NDArray
from protocol_tables import ARBITER, GUEST, Roles
from seeded import Seeded

from vfl.arbitration import Quota
from vfl.linear import logistic, pairing, residuals, scoring
from vfl.linear.columns import Columns
from vfl.linear.pairing import Masks
from vfl.wire.certificates import create_identity, fingerprint
from vfl.wire.flow import Peer

ROWS = 50
A: NDArray[np.float64] = np.random.default_rng(5).normal(size=ROWS)
"""The guest's logits."""
Y: NDArray[np.int8] = np.random.default_rng(6).integers(0, 2, ROWS, np.int8)
ONE_GRADIENT = logistic.Rules(1e-9, 1)


def several_logistic_roles(
    hosts: int = 3,
    y: NDArray[np.int8] = Y,
    *,
    rules: logistic.Rules = ONE_GRADIENT,
    weight: NDArray[np.float64] | None = None,
) -> Roles:
    """A joint fit of an intercept and one column of the guest with one column of each host."""
    x = np.random.default_rng(7).normal(scale=0.4, size=(len(y), hosts + 1)).round(1)
    peers = tuple(Peer(f"host{k + 1}") for k in range(hosts))
    quotas = [Quota(99) for _ in range(hosts + 1)]
    own = np.column_stack([np.ones(len(y)), x[:, 0]])
    roles: Roles = {
        "guest": logistic.guest(
            Columns(own, np.array([0.0, 1.0]), np.zeros(2)),
            y,
            rules,
            key=KEY,
            rng=Seeded(20),
            hosts=peers,
            arbiter=ARBITER,
            report=lambda *_: None,
            weight=weight,
        ),
        "arbiter": logistic.arbiter(PRIVATE, quotas, guest=GUEST, hosts=peers),
    }
    return roles | {
        peer.name: logistic.host(
            Columns(x[:, [k + 1]], np.ones(1), np.zeros(1)),
            rules,
            key=KEY,
            rng=Seeded(21 + k),
            guest=GUEST,
            arbiter=ARBITER,
            place=residuals.Place(k, hosts - 1 - k),
        )
        for k, peer in enumerate(peers)
    }


def residuals_roles(hosts: int = 2) -> Roles:
    """The residuals of hosts whose logits are uniform in [-1, 2]."""
    peers = tuple(Peer(f"host{k + 1}") for k in range(hosts))
    guest = residuals.guest(
        A,
        Y,
        1e-2,
        taylor=False,
        key=KEY,
        rng=Seeded(30),
        hosts=peers,
        report=lambda *_: None,
    )
    b = np.random.default_rng(9).uniform(-1, 2, (hosts, ROWS))
    return {"guest": guest} | {
        peer.name: residuals.host(
            b[k], key=KEY, rng=Seeded(31 + k), guest=GUEST, place=residuals.Place(k, hosts - 1 - k)
        )
        for k, peer in enumerate(peers)
    }


NAMES = ("host1", "host2", "host3")
IDENTITIES = {name: create_identity(name) for name in NAMES}
PINS = {name: fingerprint(identity.certificate_pem) for name, identity in IDENTITIES.items()}


def pairing_roles(run: bytes = b"contract/run", pins: Mapping[str, str] = PINS) -> Roles:
    """The secrets of three hosts."""
    hosts = tuple(map(Peer, NAMES))
    return {"guest": pairing.guest(pins, run, hosts=hosts)} | {
        name: pairing.host(IDENTITIES[name], pins, run, hosts=NAMES, rng=Seeded(40 + k), guest=GUEST)
        for k, name in enumerate(NAMES)
    }


LOGITS = np.array([[-1.0, 0.02, 0.5, 3.0], [0.26, -0.3, 0.0, -2.0], [0.1, 0.2, 0.33, 0.4]])


def masked_scoring_roles(logits: NDArray[np.float64], *, exact: bool = False) -> Roles:
    """Logits of several hosts, shape (hosts, n); every two share a secret of a known byte."""
    names = NAMES[: len(logits)]
    secrets = {(a, b): bytes([k]) * 32 for k, (a, b) in enumerate(combinations(names, 2))}

    def masks(name: str) -> Masks:
        return Masks(name, {o: secrets[min(name, o), max(name, o)] for o in names if o != name})

    hosts = tuple(map(Peer, names))
    return {"guest": scoring.guest(logits.shape[1], one_point=0.05, exact=exact, hosts=hosts)} | {
        name: scoring.host(b, one_point=0.05, exact=exact, guest=GUEST, masks=masks(name))
        for name, b in zip(names, logits, strict=True)
    }
