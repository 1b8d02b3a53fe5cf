"""Trees score a batch as they would on the pooled table, and hosts tell nothing but sides of splits."""

from __future__ import annotations

import numpy as np
import pytest
from hostile import Change, forged, tampered
from numpy.typing import NDArray
from protocol_tables import Y
from seeded import Seeded
from tree_runs import GROWN, TREE_CODES, tree_scoring_roles

from vfl.errors import ProtocolError
from vfl.trees import scoring
from vfl.trees.grow import Rules
from vfl.trees.histogram import Layout
from vfl.trees.pooled import fit
from vfl.trees.scoring import LeafMasks
from vfl.trees.tree import MAX_DEPTH, Chosen, Codes, Split, Tree
from vfl.wire.memory import Transcript, run_in_memory

CODES = [TREE_CODES[:, :2], TREE_CODES[:, 2:], TREE_CODES[:, :1]]
LEAF = Tree({}, {1: -0.5})


def scored(trees: list[Tree], codes: list[Codes]) -> Transcript:
    """Score by the protocol."""
    return run_in_memory(tree_scoring_roles(trees, codes))


def walked(trees: list[Tree], codes: list[Codes]) -> NDArray[np.float64]:
    """Score row by row on the pooled table: the oracle."""
    logits = np.zeros(len(codes[0]))
    for i in range(len(logits)):
        for tree in trees:
            node = 1
            while node not in tree.leaves:
                chosen = tree.chosen[node]
                code, split = codes[chosen.party][i, chosen.split.column], chosen.split
                left = split.missing_left if code < 0 else code <= split.bin
                node = 2 * node + (not left)
            logits[i] += tree.leaves[node]
    return logits


def wild(seed: int, codes: list[Codes], depth: int, stop: float) -> Tree:
    """Return a tree of random splits of random parties."""
    rng, tree, level = np.random.default_rng(seed), Tree(), [1]
    for deep in range(depth + 1):
        for node in level:
            if deep == depth or rng.random() < stop:
                tree.leaves[node] = float(rng.normal())
                continue
            party = int(rng.integers(len(codes)))
            column = int(rng.integers(codes[party].shape[1]))
            split = Split(column, int(rng.integers(-1, 4)), bool(rng.integers(2)))
            tree.chosen[node] = Chosen(party, split, 1.0, 1.0)
        level = [child for k in level if k in tree.chosen for child in (2 * k, 2 * k + 1)]
    return tree


# --- oracle ---


@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize(("depth", "stop"), [(1, 0.0), (3, 0.3), (4, 0.0), (MAX_DEPTH, 0.1)])
def test_scores_are_those_of_a_walk_through_the_pooled_trees(hosts: int, depth: int, stop: float) -> None:
    codes = CODES if hosts == 2 else [CODES[0], np.hstack(CODES[1:])]
    trees = [wild(seed, codes, depth, stop) for seed in range(5)]
    np.testing.assert_array_equal(scored(trees, codes).results["guest"], walked(trees, codes))


def test_training_rows_score_as_in_the_training() -> None:
    grown = fit(CODES, (Layout((4, 4)), Layout((4, 4, 4)), Layout((4,))), Y, Rules(9), rng=Seeded(1))
    np.testing.assert_array_equal(scored(grown.trees, CODES).results["guest"], grown.logit)


def test_missing_values_go_where_the_split_says() -> None:
    tree = Tree({1: Chosen(1, Split(0, 3, False), 1.0, 1.0)}, {2: 1.0, 3: 2.0})
    codes = [np.zeros((3, 0), np.int64), np.array([[-1], [3], [-2]])]
    assert scored([tree], codes).results["guest"].tolist() == [2.0, 1.0, 2.0]


@pytest.mark.parametrize("trees", [[], [LEAF], [LEAF, GROWN[0]]], ids=["none", "a leaf", "the guest's"])
def test_of_trees_that_no_host_splits_nothing_is_sent(trees: list[Tree]) -> None:
    run = scored(trees, CODES)
    assert run.wire == []
    np.testing.assert_array_equal(run.results["guest"], walked(trees, CODES))


def test_of_an_empty_batch_nothing_is_sent() -> None:
    run = scored(GROWN, [codes[:0] for codes in CODES])
    assert run.wire == []
    assert run.results["guest"].shape == (0,)


# --- conformance ---


@pytest.mark.parametrize("chunk", [1, 7, 89, 90, 91])
def test_the_size_of_a_chunk_changes_no_score_and_no_count_of_bits(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scored(GROWN, CODES)
    monkeypatch.setattr(scoring, "CHUNK", chunk)
    parts = scored(GROWN, CODES)
    np.testing.assert_array_equal(parts.results["guest"], whole.results["guest"])
    assert bits(parts, "host1") == bits(whole, "host1")


# --- view ---


def bits(run: Transcript, host: str) -> int:
    """How many plaintext bits a host's ledger counts."""
    counted: list[int] = [entry["plain_bits"] for entry in run.ledgers[host].as_json()]
    return sum(counted)


def told(run: Transcript, host: str) -> list[bytes]:
    """Return what a host sent."""
    return [data for sender, _, data in run.wire if sender == host]


def test_a_host_tells_one_bit_a_row_and_split_and_learns_nothing() -> None:
    run = scored(GROWN, CODES)
    assert [bits(run, host) for host in ("host1", "host2")] == [4 * len(Y), len(Y)]
    assert {sent.sender for sent in run.views["host1"]} == {"host1"}


def test_bins_of_one_side_look_the_same_to_the_guest() -> None:
    other = [CODES[0], CODES[1].copy(), CODES[2]]
    other[1][:, 0] = np.where(other[1][:, 0] == 1, 2, other[1][:, 0])  # split at 2, missing left
    other[1][other[1][:, 0] == -1, 0] = 0
    assert (other[1] != CODES[1]).any()
    assert told(scored(GROWN, CODES), "host1") == told(scored(GROWN, other), "host1")


def test_a_split_that_the_hosts_own_splits_exclude_is_not_told() -> None:
    other = [CODES[0], CODES[1].copy(), CODES[2]]
    goes_left = CODES[1][:, 0] <= 2  # node 1 of the last tree, whose node 3 splits column 1 at 1
    other[1][goes_left, 1] = 3 - np.abs(CODES[1][goes_left, 1])
    assert (other[1] != CODES[1]).any()
    assert told(scored(GROWN, CODES), "host1") == told(scored(GROWN, other), "host1")


def test_a_split_that_another_party_excludes_is_told_all_the_same() -> None:
    below = Tree(
        {1: Chosen(0, Split(0, 1, True), 1.0, 1.0), 2: Chosen(1, Split(0, 1, True), 1.0, 1.0)},
        {3: 0.0, 4: 1.0, 5: 2.0},
    )
    run = scored([below], CODES)
    right = CODES[0][:, 0] > 1
    (message,) = (sent.message for sent in run.views["host1"])
    assert isinstance(message, LeafMasks)
    np.testing.assert_array_equal(message.left[0, right], CODES[1][right, 0] <= 1)


# --- hostile ---

CHEATS: dict[str, tuple[Change, str]] = {
    "a row too few": (lambda m: LeafMasks(m.left[:, 1:]), "of other splits or rows"),
    "a row too many": (lambda m: LeafMasks(np.hstack([m.left, m.left[:, :1]])), "of other splits or rows"),
    "a split too few": (lambda m: LeafMasks(m.left[1:]), "of other splits or rows"),
    "a split too many": (lambda m: LeafMasks(np.vstack([m.left, m.left])), "of other splits or rows"),
    "one long list": (lambda m: forged(m, left=m.left.ravel()), "of other splits or rows"),
    "a side below one not taken": (lambda m: LeafMasks(np.ones_like(m.left)), "contradict each other"),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_host_that_sends_other_leaf_masks_is_blamed(cheat: str) -> None:
    change, complaint = CHEATS[cheat]
    roles = tree_scoring_roles(GROWN, CODES)
    with pytest.raises(ProtocolError, match=complaint) as caught:
        run_in_memory(roles | {"host1": tampered(roles["host1"], LeafMasks, change, nth=2)})
    assert caught.value.peer == "host1"


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_accepted_leads_every_row_to_a_leaf(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = {k: rng.random(9) < 0.5 for k in rng.choice(np.arange(1, 64), 12, replace=False).tolist()}
    once = scoring.possible(noise)
    again = scoring.possible(once)
    assert all((once[k] == again[k]).all() for k in noise)
    assert all((once[k] <= noise[k]).all() for k in noise)
