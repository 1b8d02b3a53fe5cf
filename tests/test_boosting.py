"""Trees grown together are the pooled ones, node by node, and no sum can leave its slot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gmpy2
import numpy as np
import pytest
from hostile import KEY, PRIVATE, integers
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from seeded import Seeded

from vfl.arbitration import Quota
from vfl.trees import boosting, opening, shown
from vfl.trees.gain import leaf_weight
from vfl.trees.gradients import UNIT, Slot, gradients
from vfl.trees.grow import Ensemble, Rules
from vfl.trees.hidden import Shelf
from vfl.trees.histogram import Layout, Limits
from vfl.trees.pooled import fit
from vfl.trees.sampling import Goss, Subsample
from vfl.trees.tree import Tree
from vfl.wire.flow import Peer
from vfl.wire.memory import Transcript, run_in_memory

ROWS = 260
LAYOUTS = (Layout((6, 3)), Layout((6, 1, 6)), Layout((4, 6)))
_draw = np.random.default_rng(1)
CODES = [np.column_stack([_draw.integers(-1, bins, ROWS) for bins in layout.bins]) for layout in LAYOUTS]
"""Every seventh value or more is missing; one column has a single bin."""
Y: NDArray[np.int8] = (
    _draw.random(ROWS) < expit(sum(c @ _draw.normal(size=c.shape[1]) for c in CODES) * 0.3)
).astype(np.int8)

SHAPES: dict[str, Rules] = {
    "the default order": Rules(n_estimators=4, max_depth=3),
    "the hosts from the first tree on": Rules(n_estimators=3, max_depth=4, guest_grows_first=False),
    "a stump": Rules(n_estimators=2, max_depth=1, guest_grows_first=False),
    "heavy leaves": Rules(n_estimators=3, limits=Limits(reg_lambda=5.0, gamma=0.5, min_child_weight=9.0)),
    "no penalty": Rules(n_estimators=2, limits=Limits(reg_lambda=0.0, min_child_weight=0.0)),
    "leaves too heavy to split at all": Rules(n_estimators=2, limits=Limits(min_child_weight=1e6)),
    "half of the rows": Rules(n_estimators=3, sampling=Subsample(0.5)),
    "one-side sampling": Rules(n_estimators=3, sampling=Goss(0.3, 0.2)),
    "rows held back": Rules(n_estimators=9, validation_share=0.2, early_stopping_rounds=2),
}


def pooled(rules: Rules, weight: NDArray[np.float64]) -> Ensemble:
    """Fit the pooled table."""
    return fit(CODES, LAYOUTS, Y, rules, weight=weight, rng=Seeded(3))


def together(
    rules: Rules, weight: NDArray[np.float64], hosts: int = 2, *, arbiter: bool = True
) -> Transcript:
    """Fit the guest with one host, which then has all other columns, or two."""
    codes, layouts = CODES, LAYOUTS
    if hosts == 1:
        codes = [CODES[0], np.hstack(CODES[1:])]
        layouts = (LAYOUTS[0], Layout(LAYOUTS[1].bins + LAYOUTS[2].bins))
    peers = tuple(Peer(f"host{k}") for k in range(1, hosts + 1))
    guest = boosting.guest(
        codes[0],
        layouts[0],
        Y,
        weight,
        np.zeros(ROWS),
        rules,
        key=KEY,
        rng=Seeded(4),
        lots=Seeded(3),
        opener=opening.ByArbiter(KEY, Seeded(5), Peer("arbiter")) if arbiter else opening.ByOwnKey(PRIVATE),
        hosts=peers,
        afford=lambda _: None,
        report=lambda _: None,
    )
    roles: dict[str, Any] = {
        peer.name: boosting.host(
            codes[k],
            layouts[k],
            rules,
            key=KEY,
            rng=Seeded(5 + k),
            guest=Peer("guest"),
            arbiter=Peer("arbiter") if arbiter else None,
        )
        for k, peer in enumerate(peers, start=1)
    }
    if arbiter:
        roles["arbiter"] = opening.arbiter(PRIVATE, Quota(10**6), guest=Peer("guest"), hosts=peers)
    return run_in_memory({"guest": guest, **roles})


@pytest.mark.parametrize("hides_rows", [False, True], ids=["shown", "hidden"])
@pytest.mark.parametrize("shape", SHAPES)
def test_trees_grown_together_are_the_pooled_trees_node_by_node(shape: str, hides_rows: bool) -> None:
    weight, rules = np.ones(ROWS), replace(SHAPES[shape], hides_rows=hides_rows)
    want, run = pooled(rules, weight), together(rules, weight)
    assert run.results["guest"].trees == want.trees
    np.testing.assert_array_equal(run.results["guest"].logit, want.logit)
    for party in (1, 2):
        assert run.results[f"host{party}"] == [tree.splits_of(party) for tree in want.trees]


@pytest.mark.parametrize(("hosts", "hides_rows"), [(1, False), (2, False), (2, True)])
def test_trees_grown_without_an_arbiter_are_the_pooled_trees_as_well(hosts: int, hides_rows: bool) -> None:
    rules = replace(SHAPES["the hosts from the first tree on"], hides_rows=hides_rows)
    weight = np.ones(ROWS)
    alone, helped = (together(rules, weight, hosts, arbiter=arbiter).results for arbiter in (False, True))
    assert alone["guest"].trees == helped["guest"].trees
    assert alone["host1"] == helped["host1"]
    np.testing.assert_array_equal(alone["guest"].logit, pooled(rules, weight).logit)


@pytest.mark.parametrize("arbiter", [True, False])
def test_what_a_host_sends_bears_no_mark_of_the_guests_randomisers(arbiter: bool) -> None:
    # Powers of h_s have the Jacobi symbol 1: what a host multiplied by such alone keeps a mark of -1.
    rules, weight = Rules(n_estimators=2, max_depth=2, guest_grows_first=False), np.ones(ROWS)

    def symbols(run: Transcript) -> set[int]:
        sent = [s.message for s in run.views["host1"] if isinstance(s.message, boosting.EncryptedHistograms)]
        return {gmpy2.jacobi(c % KEY.n, KEY.n) for m in sent for c in integers(m.packed)}

    assert symbols(together(rules, weight, arbiter=arbiter)) == {-1, 1}


def test_every_party_splits_some_node_in_what_is_compared() -> None:
    trees = pooled(SHAPES["the hosts from the first tree on"], np.ones(ROWS)).trees
    assert {c.party for tree in trees for c in tree.chosen.values()} == {0, 1, 2}
    assert {c.split.missing_left for tree in trees for c in tree.chosen.values()} == {False, True}


def test_weighted_rows_count_as_on_the_pooled_table() -> None:
    weight = np.random.default_rng(2).choice([0.0, 0.5, 1.0, 7.25], ROWS)
    rules = SHAPES["the default order"]
    assert together(rules, weight).results["guest"].trees == pooled(rules, weight).trees
    assert pooled(rules, weight).trees != pooled(rules, np.ones(ROWS)).trees


def test_how_columns_are_spread_over_hosts_changes_no_score() -> None:
    rules, weight = SHAPES["the default order"], np.ones(ROWS)
    one, two = (together(rules, weight, hosts).results["guest"] for hosts in (1, 2))
    np.testing.assert_array_equal(one.logit, two.logit)


def test_rows_of_more_hidden_nodes_than_a_plaintext_has_slots_are_summed_as_well() -> None:
    rules = replace(SHAPES["no penalty"], max_depth=6, hides_rows=True)
    widest = Shelf.holding(16, Slot.holding(ROWS, 1.0).bits, KEY.n)
    assert widest.plaintexts > 1
    grown = together(rules, np.ones(ROWS)).results["guest"].trees
    assert grown == pooled(rules, np.ones(ROWS)).trees
    assert max(max(tree.chosen) for tree in grown) >= 32


@given(nodes=st.integers(1, 64), bits=st.integers(60, 140), size=st.sampled_from([512, 2048, 3072, 8192]))
def test_the_sums_of_whole_bins_fill_a_plaintext(nodes: int, bits: int, size: int) -> None:
    n, slots = (1 << size) - 1, 99
    shelf = Shelf.holding(nodes, bits, n)
    assert shelf.bits >= bits
    assert shelf.nodes * shelf.plaintexts >= nodes > shelf.nodes * (shelf.plaintexts - 1)
    assert shelf.by_bin(slots, n).slots * shelf.nodes == shelf.packing(slots, n).slots
    assert shelf.by_bin(slots, n).plaintexts == shelf.packing(slots, n).plaintexts


def test_the_first_tree_asks_no_host_unless_told_to() -> None:
    rules = Rules(n_estimators=1, max_depth=3)
    run = together(rules, np.ones(ROWS))
    assert not [s for s in run.views["host1"] if isinstance(s.message, shown.EncryptedGradients)]
    assert run.results["host1"] == [{}]
    assert {c.party for tree in run.results["guest"].trees for c in tree.chosen.values()} == {0}


def test_growing_stops_when_the_rows_held_back_gain_no_more() -> None:
    rules = Rules(n_estimators=60, learning_rate=0.9, validation_share=0.3, early_stopping_rounds=3)
    grown = pooled(rules, np.ones(ROWS))
    assert len(grown.trees) < len(grown.losses) < 60
    assert int(np.argmin(grown.losses)) + 1 == len(grown.trees)
    assert len(grown.losses) - len(grown.trees) == 3


def test_a_single_leaf_weighs_what_the_table_says() -> None:
    (tree, _) = pooled(SHAPES["leaves too heavy to split at all"], np.ones(ROWS)).trees
    g, h = gradients(Y, np.zeros(ROWS), np.ones(ROWS)).sum(axis=0) / UNIT
    assert tree == Tree({}, {1: 0.3 * leaf_weight(g, h, 1.0)})


# --- law: a slot holds every sum there can be, and nothing beyond ---


@pytest.mark.parametrize("rows", [1, 2, 1000, 10**6])
@pytest.mark.parametrize("weight", [0.3, 1.0, 8.0])
def test_no_sum_of_gradients_leaves_its_slot(rows: int, weight: float) -> None:
    slot = Slot.holding(rows, weight)
    worst = np.array([[-1, 0], [1, 0], [0, 1], [1, 1], [-1, 1], [0, 0]], np.int64)
    largest = gradients(np.array([1, 0], np.int8), np.array([-40.0, 40.0]), np.full(2, weight))
    middle = gradients(np.array([1, 0], np.int8), np.zeros(2), np.full(2, weight))
    assert rows * np.abs(largest[:, 0]).max() <= slot.gradient
    assert rows * middle[:, 1].max() <= slot.hessian
    at_the_bound = worst * [slot.gradient, slot.hessian]
    assert (slot.split(slot.joined(at_the_bound)) == at_the_bound).all()
    assert all(abs(v) < 1 << (slot.bits - 2) for v in slot.joined(at_the_bound))


@pytest.mark.parametrize("part", [0, 1])
def test_a_sum_beyond_what_the_rows_add_up_to_is_refused(part: int) -> None:
    slot = Slot.holding(100, 1.0)
    beyond = np.array([[slot.gradient, slot.hessian]], np.int64)
    assert slot.split(slot.joined(beyond)).tolist() == beyond.tolist()
    beyond[0, part] += 1
    with pytest.raises(OverflowError, match="beyond what the rows"):
        slot.split([(int(beyond[0, 0]) << slot.shift) + int(beyond[0, 1])])


def test_slots_of_ninety_thousand_rows_pack_twenty_to_a_plaintext() -> None:
    assert 2046 // Slot.holding(90_000, 1.0).bits >= 20
