"""Every protocol of trees once, small and in memory."""

from __future__ import annotations

import numpy as np
from hostile import KEY, PRIVATE
from numpy.typing import NDArray
from protocol_tables import ARBITER, GUEST, HOST, ROWS, Roles, X, Y
from seeded import Seeded

from vfl.arbitration import Quota, vouch
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.trees import boosting, hidden, opening, shown
from vfl.trees import scoring as tree_scoring
from vfl.trees.gradients import Slot, gradients
from vfl.trees.grow import Rules as TreeRules
from vfl.trees.histogram import Layout
from vfl.trees.sampling import Subsample
from vfl.trees.tree import Chosen, Codes, Mask, Split, Tree
from vfl.wire.flow import Peer

TREE_CODES: NDArray[np.int64] = np.where(X > 2, -1, np.digitize(X, [-0.7, 0.0, 0.7]))
"""All five columns binned: four bins each, and a few values missing."""
TREES = TreeRules(n_estimators=3, max_depth=2)
SAMPLED_TREES = TreeRules(n_estimators=2, max_depth=2, sampling=Subsample(0.8))
HIDDEN_TREES = TreeRules(n_estimators=2, max_depth=3, hides_rows=True)


def boosting_roles(
    y: NDArray[np.int8] = Y,
    codes: NDArray[np.int64] = TREE_CODES,
    *,
    rules: TreeRules = TREES,
    host_rules: TreeRules | None = None,
    rngs: tuple[Randomness, Randomness] | None = None,
    quota: int = 99,
) -> Roles:
    """Trees of two columns of the guest and three of the host."""
    ours, theirs = rngs or (Seeded(8), Seeded(9))
    return {
        "guest": boosting.guest(
            codes[:, :2],
            Layout((4, 4)),
            y,
            np.ones(len(y)),
            np.zeros(len(y)),
            rules,
            key=KEY,
            rng=ours,
            lots=Seeded(10),
            opener=opening.ByArbiter(KEY, ours, ARBITER),
            hosts=(HOST,),
            afford=lambda _: None,
            report=lambda _: None,
        ),
        "host": boosting.host(
            codes[:, 2:],
            Layout((4, 4, 4)),
            host_rules or rules,
            key=KEY,
            rng=theirs,
            guest=GUEST,
            arbiter=ARBITER,
        ),
        "arbiter": opening.arbiter(PRIVATE, Quota(quota), guest=GUEST, hosts=(HOST,)),
    }


TREE_SLOT = Slot.holding(ROWS, 1.0)
TREE_NODES = [{1: np.arange(ROWS)}, {3: np.arange(40, ROWS)}, {5: np.arange(9, 20), 6: np.arange(40, 63)}]
"""What is asked for of a tree of three levels."""


def summed_roles(
    asking: shown.Asking | hidden.Asking, summing: shown.Summing | hidden.Summing, sampled: Mask
) -> Roles:
    """The host's packed sums of the nodes of one tree."""
    gh = np.where(sampled[:, None], gradients(Y, np.zeros(ROWS), np.ones(ROWS)), 0)

    async def guest() -> None:
        await asking.begin(gh, sampled)
        for nodes in TREE_NODES:
            await asking.ask(nodes)

    async def host() -> list[Unrandomised]:
        await summing.begin()
        return [(await summing.packed())[0] for _ in TREE_NODES]

    return {"guest": guest(), "host": host()}


def shown_roles(*, samples: bool = False) -> Roles:
    """Nodes of which the host sees the rows."""
    sampled = np.arange(ROWS) % 7 > 0 if samples else np.ones(ROWS, np.bool_)
    layout = Layout((4,) * 5)
    return summed_roles(
        shown.Asking(TREE_SLOT, samples, KEY, Seeded(11), (HOST,)),
        shown.Summing(TREE_CODES, layout, TREE_SLOT.bits, samples, KEY, GUEST),
        sampled,
    )


def hidden_roles() -> Roles:
    """Nodes of which the host sees no rows."""
    layout = Layout((4,) * 5)
    return summed_roles(
        hidden.Asking(TREE_SLOT, KEY, Seeded(11), (HOST,)),
        hidden.Summing(TREE_CODES, layout, TREE_SLOT.bits, KEY, GUEST),
        np.arange(ROWS) % 7 > 0,
    )


def opening_roles() -> Roles:
    """Two vectors of sums."""
    packing = Packing(3, 40, KEY.n)
    packed = KEY.randomise(KEY.lift(packing.pack([1, -2, 3])), Seeded(11))

    async def guest() -> list[list[int]]:
        opener = opening.ByArbiter(KEY, Seeded(12), ARBITER)
        opened = [await opener.open(packed, packing, source=HOST) for _ in range(2)]
        await opener.close()
        return opened

    async def host() -> None:
        for _ in range(2):
            await vouch(packing, arbiter=ARBITER)

    return {
        "guest": guest(),
        "host": host(),
        "arbiter": opening.arbiter(PRIVATE, Quota(9), guest=GUEST, hosts=(HOST,)),
    }


GROWN = [
    Tree({1: Chosen(0, Split(0, 1, True), 2.0, 9.0)}, {2: -0.5, 3: 0.25}),
    Tree({1: Chosen(1, Split(2, 0, False), 1.5, 9.0)}, {2: -0.125, 3: 1.0}),
    Tree({}, {1: 0.0625}),
    Tree(
        {
            1: Chosen(1, Split(0, 2, True), 3.0, 9.0),
            2: Chosen(2, Split(0, 0, True), 2.0, 4.0),
            3: Chosen(1, Split(1, 1, True), 1.0, 5.0),
            5: Chosen(1, Split(2, 1, False), 0.5, 2.0),
            6: Chosen(0, Split(1, 2, False), 0.25, 3.0),
        },
        {4: 0.5, 7: -0.75, 10: 2.0, 11: -2.0, 12: 0.375, 13: -0.0625},
    ),
]
"""Trees of the guest's two columns, the first host's three and the second's one; four bins each."""


def tree_scoring_roles(trees: list[Tree], codes: list[Codes]) -> Roles:
    """A batch, with as many hosts as there are codes beside the guest's."""
    hosts = tuple(Peer(f"host{k}") for k in range(1, len(codes)))
    return {"guest": tree_scoring.guest(trees, codes[0], hosts=hosts)} | {
        peer.name: tree_scoring.host([t.splits_of(k) for t in trees], codes[k], guest=GUEST)
        for k, peer in enumerate(hosts, start=1)
    }
