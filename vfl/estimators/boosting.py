"""Joint boosted trees in scikit-learn's and xgboost's words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from vfl.arbitration import Quota
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.estimators.classifier import JointClassifier, Labels, Matrix, Vector, require, weights
from vfl.estimators.columns import ARBITER, GUEST, Parties
from vfl.estimators.rehearsal import Part, hosts_of, rehearse
from vfl.stats.binned import Bins
from vfl.trees import boosting, opening, pooled, scoring
from vfl.trees.gradients import MOST_TOGETHER, MOST_WEIGHT, Slot
from vfl.trees.grow import Ensemble, Rules
from vfl.trees.histogram import Layout, Limits
from vfl.trees.model import codes_of, layout_of
from vfl.trees.sampling import Subsample
from vfl.trees.tree import MAX_DEPTH, Codes, Split, Tree
from vfl.wire.flow import Peer, Role

MOST_BINS = 256


class JointGradientBoosting(JointClassifier):
    """Boosted trees on the columns of several parties: those of the pooled table, node by node.

    This is for development and teaching: it runs the real protocol, with a fresh Paillier key of 2048
    bits and an arbiter, but all parties on one machine and on data that one hand has gathered.  There
    is nobody to protect from anybody, so the gates that a job asks between institutions (many leaves,
    small bins, few rows) are not asked here.

    Blanks (NaN) go to the side that lowers the loss more.

    Parameters
    ----------
    parties : mapping from a host's name to its columns, by name or position; default None
        All other columns are the guest's, who holds the labels.  None gives the guest the first half
        of the columns and one host the rest.  Up to eight hosts.
    n_estimators : trees
    learning_rate : what each tree's logits are scaled by
    max_depth : levels of splits at most, 8 or less
    reg_lambda : ridge penalty on the logits of leaves
    gamma : least gain of a split
    min_child_weight : least sum of hessians of a child
    max_bins : quantile bins of a column at most, from all rows whatever they weigh, as a host is told
        no weights; a job's `max_bin`
    subsample : share of the rows from which a tree is grown
    guest_grows_first : whether the first tree splits on the guest's columns alone, as a job's does
    random_state : for `subsample`; cryptographic randomness is the operating system's, and no result
        depends on it
    backend : "protocol", or "plain" for the pooled trees that the protocol must equal
    n_jobs : threads of the encrypted arithmetic, as joblib counts; default 1

    Attributes
    ----------
    classes_ : the two classes; leaves are of the second's logit
    feature_importances_ : each column's part of all splits' gain, of shape (n_features_in_,)
    n_iter_ : number of trees
    trees_ : the trees; their splits have the positions of X's columns
    parties_ : the positions of each party's columns, the guest's first
    ledger_ : one entry for each kind of message from one party to another: what it reveals, how often
        it was sent, its plain numbers and bits; empty after a plain fit
    n_features_in_ : number of columns
    feature_names_in_ : their names, where X has them and all are text

    Examples
    --------
    >>> from vfl import JointGradientBoosting
    >>> model = JointGradientBoosting({"insurer": [1]}, min_child_weight=0, backend="plain")
    >>> model.fit([[0, 0], [1, 0], [0, 1], [1, 1]], [0, 0, 1, 1]).predict([[0, 1]])
    array([1])
    """

    _takes_blanks = True

    def __init__(
        self,
        parties: Parties | None = None,
        *,
        n_estimators: int = 50,
        learning_rate: float = 0.3,
        max_depth: int = 4,
        reg_lambda: float = 1.0,
        gamma: float = 0.0,
        min_child_weight: float = 1.0,
        max_bins: int = 32,
        subsample: float = 1.0,
        guest_grows_first: bool = True,
        random_state: Any = None,
        backend: str = "protocol",
        n_jobs: int | None = None,
    ) -> None:
        self.parties = parties
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.reg_lambda = reg_lambda
        self.gamma = gamma
        self.min_child_weight = min_child_weight
        self.max_bins = max_bins
        self.subsample = subsample
        self.guest_grows_first = guest_grows_first
        self.random_state = random_state
        self.backend = backend
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Grow the trees; X of shape (n, d), y of two classes, weights from 0 to 1000."""
        rules = self._rules()
        x, labels = self._training(X, y)
        task = Task(
            labels, _weights(sample_weight, x, labels), rules, Lots(check_random_state(self.random_state))
        )
        self._bins = Bins.fit(_columns(x), np.ones(len(x), np.bool_), self.max_bins)
        codes, bins = codes_of(self._bins, _columns(x)), layout_of(self._bins).bins
        held = {name: Held.of(codes, bins, at) for name, at in self.parties_.items()}
        self.ledger_: list[dict[str, Any]] = []
        if self.backend == "plain":
            grown = task.pooled(held)
        else:
            run = rehearse(
                {name: task.part(name, held) for name in held},
                lambda private: task.arbiter(private, held),
                threads=self._threads,
            )
            grown, self.ledger_ = run.results[GUEST], run.ledger
        self.trees_ = [_with_positions(tree, list(self.parties_.values())) for tree in grown.trees]
        self.n_iter_ = len(self.trees_)
        self.feature_importances_ = _importances(self.trees_, x.shape[1])
        return self

    def decision_function(self, X: ArrayLike) -> Vector:
        """Return the logit of classes_[1] for each row, shape (n,)."""
        x = self._scored(X)
        codes = codes_of(self._bins, _columns(x))
        return pooled.completed(scoring.guest(self.trees_, codes, hosts=()))

    def _rules(self) -> Rules:
        """Return what the parties agree on; raise ValueError on what no trees are grown by."""
        for name, low, high in (
            ("n_estimators", 1, np.inf),
            ("max_depth", 1, MAX_DEPTH),
            ("reg_lambda", 0, np.inf),
            ("gamma", 0, np.inf),
            ("min_child_weight", 0, np.inf),
            ("max_bins", 2, MOST_BINS),
        ):
            value = getattr(self, name)
            require(low <= value <= high, f"{name} is {value!r}, and must be from {low} to {high}")
        for name in ("learning_rate", "subsample"):
            value = getattr(self, name)
            require(0 < value <= 1, f"{name} is {value!r}, and must be above 0 and at most 1")
        return Rules(
            n_estimators=self.n_estimators,
            max_depth=self.max_depth,
            learning_rate=self.learning_rate,
            limits=Limits(self.reg_lambda, self.gamma, self.min_child_weight),
            sampling=Subsample(self.subsample),
            guest_grows_first=self.guest_grows_first,
        )


class Drawn(Protocol):
    """numpy's RandomState, of which bytes are needed."""

    def bytes(self, length: int) -> bytes:
        """Return random bytes."""
        ...


class Lots(Randomness):
    """Draws rows as scikit-learn's random_state says; no key, mask or encryption is drawn from it."""

    __slots__ = ("_state",)

    def __init__(self, state: Drawn) -> None:
        self._state = state

    def bytes(self, size: int) -> bytes:
        """Return `size` bytes that whoever knows the seed knows."""
        return self._state.bytes(size)


@dataclass(frozen=True, slots=True)
class Held:
    """What one party brings: its codes and how many bins each column has."""

    codes: Codes
    layout: Layout

    @classmethod
    def of(cls, codes: Codes, bins: tuple[int, ...], at: list[int]) -> Self:
        """Return the columns at some positions; a party without any has one that splits nothing."""
        if not at:
            return cls(np.zeros((len(codes), 1), np.int64), Layout((1,)))
        return cls(codes[:, at], Layout(tuple(bins[j] for j in at)))


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be learnt, by which rules."""

    y: Labels
    weight: Vector
    rules: Rules
    lots: Randomness

    def pooled(self, held: dict[str, Held]) -> Ensemble:
        """Return the trees of the pooled table."""
        codes, layouts = [h.codes for h in held.values()], tuple(h.layout for h in held.values())
        return pooled.fit(codes, layouts, self.y, self.rules, weight=self.weight, rng=self.lots)

    def part(self, name: str, held: dict[str, Held]) -> Part:
        """Return the role of one party."""
        own = held[name]

        def guest(key: PublicKey, rng: Randomness) -> Role[Ensemble]:
            return boosting.guest(
                own.codes,
                own.layout,
                self.y,
                self.weight,
                np.zeros(len(self.y)),
                self.rules,
                key=key,
                rng=rng,
                lots=self.lots,
                opener=opening.ByArbiter(key, rng, Peer(ARBITER)),
                hosts=hosts_of(held),
                afford=lambda _: None,
                report=lambda _: None,
            )

        def host(key: PublicKey, rng: Randomness) -> Role[list[dict[int, Split]]]:
            return boosting.host(
                own.codes, own.layout, self.rules, key=key, rng=rng, guest=Peer(GUEST), arbiter=Peer(ARBITER)
            )

        return guest if name == GUEST else host

    def arbiter(self, private: PrivateKey, held: dict[str, Held]) -> Role[None]:
        """Return the arbiter's role, whose quota full trees would use up."""
        slot = Slot.holding(len(self.y), float(self.weight.max()) * self.rules.sampling.amplifier)
        n = private.public.n
        hosts = [h.layout for name, h in held.items() if name != GUEST]
        quota = Quota(sum(opening.most_opened(layout, slot, self.rules, n) for layout in hosts))
        return opening.arbiter(private, quota, guest=Peer(GUEST), hosts=hosts_of(held))


def _columns(x: Matrix) -> dict[str, Vector]:
    return {str(j): x[:, j] for j in range(x.shape[1])}


def _weights(sample_weight: ArrayLike | None, x: Matrix, y: Labels) -> Vector:
    """Return what each row counts; raise ValueError where no trees come of it."""
    weight = weights(sample_weight, x, y)
    require(
        weight.max() <= MOST_WEIGHT, f"a sample_weight is above {MOST_WEIGHT:g}: divide all by the largest"
    )
    require(weight.sum() <= MOST_TOGETHER, f"sample_weight sums to more than {MOST_TOGETHER:g}: divide all")
    return weight


def _with_positions(tree: Tree, columns: list[list[int]]) -> Tree:
    """Return the tree as one of all columns: `columns` are the positions of each party's."""
    return Tree(
        {
            node: replace(c, party=0, split=replace(c.split, column=columns[c.party][c.split.column]))
            for node, c in tree.chosen.items()
        },
        tree.leaves,
    )


def _importances(trees: list[Tree], width: int) -> Vector:
    gains = np.zeros(width)
    for chosen in (c for tree in trees for c in tree.chosen.values()):
        gains[chosen.split.column] += chosen.gain
    return gains / (gains.sum() or 1.0)
