"""Joint logistic regression in scikit-learn's words.

Each party centres its columns and divides column j by t_j,

    t_j^2 = s_j^2 + 4 / (n C),    penalty of the new coefficient = 1 / (C t_j^2)

s_j its standard deviation: the model and its penalty stay the same, and in the bound of the Hessian,
X^T X / 4 + penalty, every column has n / 4 on the diagonal, whatever it was measured in.  So the
fixed point of the protocol and its tolerance serve columns of any scale.

The protocol takes weights of mean 1.  Those of mean m are divided by it and C is multiplied with it:

    sum_i w_i l_i + |b|^2 / (2 C)  =  m (sum_i (w_i / m) l_i + |b|^2 / (2 m C))

Means and deviations count every row once, since no host meets a weight.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from vfl.arbitration import Quota
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.estimators.classifier import JointClassifier, Labels, Matrix, Vector, require, weights
from vfl.estimators.columns import ARBITER, GUEST, Parties
from vfl.estimators.rehearsal import Part, hosts_of, rehearse
from vfl.linear import logistic
from vfl.linear.columns import Columns
from vfl.linear.residuals import Place
from vfl.wire.flow import Peer, Role

LEAST_PENALTY = 1e-7
"""Of the number of rows: what a standardised coefficient is penalised by at least.

It moves a coefficient that the data determine by less than the tolerance.  Without it the fixed point's
rounding would move those that they do not, as of a column that another party has too, ever further.
"""


class JointLogisticRegression(JointClassifier):
    """Logistic regression on the columns of several parties: the coefficients of the pooled table.

    This is for development and teaching: it runs the real protocol, with a fresh Paillier key of 2048
    bits and an arbiter, but all parties on one machine and on data that one hand has gathered.  There
    is nobody to protect from anybody, so the gates that a job asks between institutions (few rows, rare
    values, many iterations) are not asked here.

    Parameters
    ----------
    parties : mapping from a host's name to its columns, by name or position; default None
        All other columns are the guest's, who holds the labels.  None gives the guest the first half
        of the columns and one host the rest.  Up to eight hosts.
    C : inverse of the ridge penalty, as in LogisticRegression; numpy.inf for none
    tol : the fit ends with the first step that moves no standardised coefficient by more
    max_iter : gradients at most
    backend : "protocol", or "plain" for the pooled fit that the protocol must equal
    n_jobs : threads of the encrypted arithmetic, as joblib counts; default 1

    Attributes
    ----------
    coef_ : of shape (1, n_features_in_), in the order of X's columns
    intercept_ : of shape (1,)
    classes_ : the two classes; coefficients are of the second's logit
    n_iter_ : of shape (1,): gradients of the joint fit
    parties_ : the positions of each party's columns, the guest's first
    ledger_ : one entry for each kind of message from one party to another: what it reveals, how often
        it was sent, its plain numbers and bits; empty after a plain fit
    n_features_in_ : number of columns
    feature_names_in_ : their names, where X has them and all are text

    Examples
    --------
    >>> from vfl import JointLogisticRegression
    >>> model = JointLogisticRegression({"insurer": [1]}, backend="plain")
    >>> model.fit([[0, 0], [1, 0], [0, 1], [1, 1]], [0, 0, 1, 1]).predict([[0, 1]])
    array([1])
    """

    def __init__(
        self,
        parties: Parties | None = None,
        *,
        C: float = 1.0,
        tol: float = 1e-5,
        max_iter: int = 100,
        backend: str = "protocol",
        n_jobs: int | None = None,
    ) -> None:
        self.parties = parties
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.backend = backend
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the coefficients; X of shape (n, d), y of two classes, weights from 0 on.

        The weights of LogisticRegression: of any scale, which C is relative to.  A row of weight 0 is as
        none.  Others count to 2^-20 of the mean weight, the protocol's fixed point.
        """
        require(self.C > 0, f"C is {self.C!r}, and must be above 0")
        require(self.tol > 0, f"tol is {self.tol!r}, and must be above 0")
        require(self.max_iter >= 1, f"max_iter is {self.max_iter!r}, and must be at least 1")
        x, labels = self._training(X, y)
        rows = Rows.of(x, labels, weights(sample_weight, x, labels), self.C)
        if self.backend == "plain":
            pooled = _pooled(rows.x, rows, self.max_iter)
            self.coef_, self.intercept_, self.n_iter_ = pooled.coef_, pooled.intercept_, pooled.n_iter_
            self.ledger_: list[dict[str, Any]] = []
            return self
        return self._fit_together(rows)

    def decision_function(self, X: ArrayLike) -> Vector:
        """Return the logit of classes_[1] for each row, shape (n,)."""
        x = self._scored(X)
        return np.asarray(x @ self.coef_[0] + self.intercept_[0])

    def _fit_together(self, rows: Rows) -> Self:
        x, scaling = rows.x, Scaling.of(rows)
        scaled = scaling.scaled(x)
        own = self.parties_[GUEST]
        start = _start(x[:, own] - scaling.mean[own], rows) * np.append(1.0, scaling.divisor[own])
        columns = {
            name: Columns(scaled[:, at], scaling.penalty[at], np.zeros(len(at)))
            for name, at in self.parties_.items()
            if name != GUEST
        }
        design = np.column_stack([np.ones(len(x)), scaled[:, own]])
        columns[GUEST] = Columns(design, np.append(0.0, scaling.penalty[own]), start)
        rules = logistic.Rules(tolerance=self.tol, max_iter=self.max_iter)
        run = rehearse(
            {name: _part(name, columns, rows, rules) for name in self.parties_},
            lambda private: _arbiter(private, columns, rules),
            threads=self._threads,
        )
        fit = run.results[GUEST]
        found = np.empty(x.shape[1])
        found[own] = fit.coefficients[1:]
        for host in hosts_of(self.parties_):
            found[self.parties_[host.name]] = run.results[host.name].coefficients
        found /= scaling.divisor
        self.coef_ = found[None, :]
        self.intercept_ = fit.coefficients[:1] - scaling.mean @ found
        self.n_iter_ = np.array([fit.gradients], np.int32)
        self.ledger_ = run.ledger
        if not fit.converged:
            warnings.warn(
                f"the joint fit did not converge in {fit.gradients} gradients: raise max_iter",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that count: columns, labels, weights of mean 1, and the C that goes with those."""

    x: Matrix
    y: Labels
    weight: Vector
    strength: float

    @classmethod
    def of(cls, x: Matrix, y: Labels, weight: Vector, strength: float) -> Self:
        """Return them; `weight` and `strength` as LogisticRegression takes them."""
        counted = weight > 0
        mean = float(weight[counted].mean())
        return cls(x[counted], y[counted], weight[counted] / mean, strength * mean)


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is taken from each column, what it is divided by, and the penalty of what that makes it."""

    mean: Vector
    divisor: Vector
    penalty: Vector

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """Return the scaling of the module's docstring; a constant column becomes 0."""
        x, strength = rows.x, rows.strength
        varies = x.max(axis=0) > x.min(axis=0)
        mean = np.where(varies, x.mean(axis=0), x[0])
        square = np.where(varies, x.var(axis=0), 0.0) + 4 / (len(x) * strength)
        divisor = np.sqrt(np.where(square > 0, square, 1.0))
        return cls(mean, divisor, np.maximum(1 / (strength * divisor**2), LEAST_PENALTY * len(x)))

    def scaled(self, x: Matrix) -> Matrix:
        """Return the columns that take part."""
        return (x - self.mean) / self.divisor


def _part(name: str, columns: dict[str, Columns], rows: Rows, rules: logistic.Rules) -> Part:
    """Return the role of one party."""
    arbiter, hosts = Peer(ARBITER), hosts_of(columns)

    def guest(key: PublicKey, rng: Randomness) -> Role[logistic.Fit]:
        return logistic.guest(
            columns[GUEST],
            rows.y,
            rules,
            key=key,
            rng=rng,
            hosts=hosts,
            arbiter=arbiter,
            report=lambda _gradient, _degree, _part: None,
            weight=rows.weight,
        )

    def host(key: PublicKey, rng: Randomness) -> Role[logistic.Fit]:
        before = [peer.name for peer in hosts].index(name)
        return logistic.host(
            columns[name],
            rules,
            key=key,
            rng=rng,
            guest=Peer(GUEST),
            arbiter=arbiter,
            place=Place(before, len(hosts) - 1 - before),
        )

    return guest if name == GUEST else host


def _arbiter(private: PrivateKey, columns: dict[str, Columns], rules: logistic.Rules) -> Role[None]:
    """Return the arbiter's role: no gradient takes more ciphertexts than it has numbers."""
    guest, hosts = Peer(GUEST), hosts_of(columns)
    quotas = [Quota(columns[peer.name].x.shape[1] * rules.max_iter) for peer in (guest, *hosts)]
    return logistic.arbiter(private, quotas, guest=guest, hosts=hosts)


def _pooled(x: Matrix, rows: Rows, max_iter: int) -> LogisticRegression:
    """Return scikit-learn's fit of columns x; centring them changes nothing but the conditioning."""
    mean = x.mean(axis=0)
    fit = LogisticRegression(C=rows.strength, solver="newton-cholesky", tol=1e-10, max_iter=max_iter)
    fit.fit(x - mean, rows.y, sample_weight=rows.weight)
    fit.intercept_ = fit.intercept_ - fit.coef_ @ mean
    return fit


def _start(own: Matrix, rows: Rows) -> Vector:
    """Return intercept and coefficients of the guest's fit on its own centred columns."""
    if not own.shape[1]:
        return np.array([logit(np.average(rows.y, weights=rows.weight))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a rough start is a start
        alone = _pooled(own, rows, 100)
    return np.concatenate([alone.intercept_, alone.coef_[0]])
