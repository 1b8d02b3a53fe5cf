"""Joint fits whose parties keep what they learn, and how an attack prints its number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hostile import KEY, PRIVATE
from numpy.typing import NDArray
from scipy.special import expit
from seeded import Seeded
from sklearn.metrics import roc_auc_score

from vfl.arbitration import Quota
from vfl.crypto.paillier import PublicKey
from vfl.crypto.randomness import Randomness
from vfl.linear import logistic
from vfl.linear.columns import Columns
from vfl.linear.logistic import Rules
from vfl.wire.flow import Peer, Role
from vfl.wire.memory import Transcript, run_in_memory

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Labels = NDArray[np.int8]

GUEST, HOST, ARBITER = Peer("guest"), Peer("host"), Peer("arbiter")


def report(attack: str, undefended: str, defended: str) -> None:
    """Print the line of an attack: what it gets with the defence off, and with it on (`pytest -s`)."""
    print(f"\n{attack:<60} {undefended:>24} -> {defended}", end="")


def label_auc(y: Labels, guess: Vector) -> float:
    """Return the AUC of a guess at labels."""
    return float(roc_auc_score(y, guess))


class Watching(Columns):
    """Columns of a party that follows the protocol, and keeps all that it learns."""

    def __init__(self, x: Matrix, penalty: Vector, start: Vector, told: int | None = None) -> None:
        super().__init__(x, penalty, start, told)
        self.seen: list[Learnt] = []

    async def gradient(self, *args: Any, **kwargs: Any) -> Vector:
        products = await super().gradient(*args, **kwargs)
        whole = self._lower @ self._gradients[-1]
        self.seen.append(Learnt(self.w.copy(), whole - self.penalty * self.w))
        return products


@dataclass(frozen=True)
class Learnt:
    """A party's coefficients w in one iteration, and X^T r, which it learns there."""

    w: Vector
    sums: Vector


@dataclass
class Portfolio:
    """Customers of a guest and a host: both parties' columns, and the labels."""

    own: Matrix
    theirs: Matrix
    y: Labels
    start: Vector = field(default_factory=lambda: np.empty(0))
    """Where the guest begins: nought, or its own fit."""

    @property
    def cold(self) -> Vector:
        """The start that knows nothing."""
        return np.zeros(self.own.shape[1] + 1)

    def take(self, rows: NDArray[np.int64]) -> Portfolio:
        """Return some customers."""
        return Portfolio(self.own[rows], self.theirs[rows], self.y[rows], self.start)


def portfolio(rows: int, own: int, theirs: int, *, strength: float = 0.0, seed: int = 0) -> Portfolio:
    """Draw customers; `strength`: what the host's columns say about labels, 0 for nothing at all."""
    draw = np.random.default_rng(seed)
    x, z = draw.normal(size=(rows, own)), draw.normal(size=(rows, theirs))
    u = x @ np.full(own, 0.8) + strength * z.sum(axis=1)
    made = Portfolio(x, z, (draw.random(rows) < expit(u)).astype(np.int8))
    made.start = np.concatenate([[0.05], np.full(own, 0.7)])
    return made


@dataclass(frozen=True)
class Fitted:
    """A joint fit, and what guest and host kept of it."""

    guest: Watching
    host: Watching
    run: Transcript


def fit(
    people: Portfolio,
    rules: Rules,
    *,
    start: Vector | None = None,
    host_key: PublicKey = KEY,
    guest_key: PublicKey = KEY,
    rngs: tuple[Randomness, Randomness] | None = None,
    host_penalty: float = 1.0,
    told: int | None = None,
    weight: Vector | None = None,
) -> Fitted:
    """Fit the joint regression; the guest begins at `start`, else where the portfolio says.

    `told`: bits of each number of a gradient that its party learns.  `weight`: of each row, of mean 1.
    """
    own = np.column_stack([np.ones(len(people.y)), people.own])
    width = people.theirs.shape[1]
    guest = Watching(own, np.full(own.shape[1], 0.01), people.start if start is None else start, told)
    host = Watching(people.theirs, np.full(width, host_penalty), np.zeros(width), told)
    ours, theirs = rngs or (Seeded(21), Seeded(22))
    roles: dict[str, Role[Any]] = {
        "guest": logistic.guest(
            guest,
            people.y,
            rules,
            key=guest_key,
            rng=ours,
            hosts=(HOST,),
            arbiter=ARBITER,
            report=lambda *_: None,
            weight=weight,
        ),
        "host": logistic.host(host, rules, key=host_key, rng=theirs, guest=GUEST, arbiter=ARBITER),
        "arbiter": logistic.arbiter(
            PRIVATE, [Quota(999, told=told) for _ in range(2)], guest=GUEST, hosts=(HOST,)
        ),
    }
    return Fitted(guest, host, run_in_memory(roles))
