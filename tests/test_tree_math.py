"""Gains, leaves, histograms, samples and members of nodes, against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from seeded import Seeded

from vfl.trees import pooled
from vfl.trees.gain import LEAST_GAIN, leaf_weight, split_gain
from vfl.trees.gradients import UNIT, gradients
from vfl.trees.grow import Rules
from vfl.trees.histogram import Layout, Limits, best_splits
from vfl.trees.members import Members, places
from vfl.trees.sampling import Goss, Subsample
from vfl.trees.tree import Split

LAYOUT = Layout((4, 1, 3))
sums = st.floats(-50, 50)
masses = st.floats(0.01, 50)
penalties = st.floats(0, 5)


def loss(g: float, h: float, reg_lambda: float, weight: float) -> float:
    """Return what a leaf of this weight adds to the loss, to second order."""
    return g * weight + (h + reg_lambda) * weight**2 / 2


@given(sums, masses, penalties)
def test_no_other_weight_of_a_leaf_has_less_loss(g: float, h: float, reg_lambda: float) -> None:
    best = leaf_weight(g, h, reg_lambda)
    for other in (best - 0.1, best + 0.1, 0.0):
        assert loss(g, h, reg_lambda, best) <= loss(g, h, reg_lambda, other) + 1e-9


@given(sums, masses, sums, masses, penalties)
def test_a_gain_is_twice_the_loss_that_the_split_saves(
    gl: float, hl: float, gr: float, hr: float, reg_lambda: float
) -> None:
    def least(g: float, h: float) -> float:
        return loss(g, h, reg_lambda, leaf_weight(g, h, reg_lambda))

    saved = least(gl + gr, hl + hr) - least(gl, hl) - least(gr, hr)
    gain = split_gain(*map(np.array, (gl, hl, gl + gr, hl + hr)), reg_lambda)
    assert float(gain) == pytest.approx(2 * saved, rel=1e-9, abs=1e-6)


@given(st.floats(-30, 30), st.sampled_from([0, 1]), st.floats(0.01, 9))
def test_gradients_are_the_derivatives_of_the_loss_in_fixed_point(u: float, y: int, weight: float) -> None:
    (g, h), p = gradients(np.array([y], np.int8), np.array([u]), np.array([weight]))[0] / UNIT, expit(u)
    assert abs(g - weight * (p - y)) <= 0.51 / UNIT
    assert abs(h - weight * p * (1 - p)) <= 1.01 / UNIT
    assert h > 0


def test_a_row_without_weight_counts_for_nothing() -> None:
    assert gradients(np.array([1], np.int8), np.zeros(1), np.zeros(1)).tolist() == [[0, 0]]


def table(n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return codes and gradients of n rows."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(-1, bins, n) for bins in LAYOUT.bins])
    y, u = rng.integers(0, 2, n).astype(np.int8), rng.normal(size=n)
    return codes, gradients(y, u, np.ones(n))


@given(st.integers(0, 40), st.integers(0, 99))
def test_a_histogram_holds_the_sums_of_each_slot(n: int, seed: int) -> None:
    codes, gh = table(n, seed)
    histogram = LAYOUT.histogram(codes, gh)
    for j, bins in enumerate(LAYOUT.bins):
        for k in range(-1, bins):
            slot = LAYOUT.starts[j] + (k if k >= 0 else bins)
            assert (histogram[slot] == gh[codes[:, j] == k].sum(axis=0)).all()
    assert LAYOUT.adds_up(histogram[None], gh.sum(axis=0)[None])
    histogram[0, 0] += 1
    assert not LAYOUT.adds_up(histogram[None], gh.sum(axis=0)[None])


@given(st.integers(1, 40), st.integers(0, 99), st.integers(1, 3))
def test_several_nodes_at_once_hold_each_nodes_sums(n: int, seed: int, nodes: int) -> None:
    codes, gh = table(n, seed)
    node = np.random.default_rng(seed).integers(0, nodes, n)
    slots, sizes, order = LAYOUT.by_node(codes, node, nodes)
    parts = [np.bincount(column, gh[:, 0], size) for column, size in zip(slots.T, sizes, strict=True)]
    joined = np.concatenate(parts)[order].reshape(nodes, LAYOUT.slots)
    for k in range(nodes):
        assert (joined[k] == LAYOUT.histogram(codes[node == k], gh[node == k])[:, 0]).all()


def search(codes: NDArray[np.int64], gh: NDArray[np.int64], limits: Limits) -> tuple[float, Split | None]:
    """Try every split in search order, one by one."""
    best, chosen = max(limits.gamma, LEAST_GAIN), None
    whole = gh.sum(axis=0) / UNIT
    for column, bins in enumerate(LAYOUT.bins):
        for k in range(bins):
            for missing_left in (False, True):
                split = Split(column, k, missing_left)
                left = gh[split.left(codes)].sum(axis=0) / UNIT
                gain = float(split_gain(left[0], left[1], whole[0], whole[1], limits.reg_lambda))
                light = min(left[1], whole[1] - left[1]) < limits.min_child_weight
                if not light and gain > best:
                    best, chosen = gain, split
    return (best, chosen) if chosen else (-math.inf, None)


@given(
    st.integers(1, 60),
    st.integers(0, 999),
    st.sampled_from([Limits(), Limits(0.0, 0.0, 0.0), Limits(2.0, 0.3, 0.5), Limits(1.0, 0.0, 3.0)]),
)
def test_the_best_split_is_the_one_that_a_search_finds(n: int, seed: int, limits: Limits) -> None:
    codes, gh = table(n, seed)
    found = best_splits(LAYOUT.histogram(codes, gh)[None], LAYOUT, gh.sum(axis=0)[None], limits)
    assert found == [search(codes, gh, limits)]


# --- samples ---


def test_a_subsample_draws_its_share_and_leaves_gradients_as_they_are() -> None:
    gh = table(500, 1)[1]
    rows = np.arange(0, 500, 2)
    out, mask = Subsample(0.4).sample(gh, rows, Seeded(1))
    assert mask.sum() == 100
    assert not mask[1::2].any()
    assert (out == np.where(mask[:, None], gh, 0)).all()
    assert (Subsample().sample(gh, rows, Seeded(1))[1] == (np.arange(500) % 2 == 0)).all()


def test_every_row_is_drawn_equally_often() -> None:
    gh, rows = table(50, 1)[1], np.arange(50)
    drawn = sum(Subsample(0.3).sample(gh, rows, Seeded(k))[1].astype(int) for k in range(2000))
    assert abs(np.asarray(drawn) - 600).max() < 5 * math.sqrt(2000 * 0.3 * 0.7)


def test_one_side_sampling_keeps_the_largest_gradients_and_amplifies_the_others() -> None:
    gh = table(400, 2)[1]
    out, mask = Goss(0.25, 0.15).sample(gh, np.arange(400), Seeded(1))
    largest = np.argsort(-np.abs(gh[:, 0]), kind="stable")[:100]
    assert mask[largest].all()
    assert (out[largest] == gh[largest]).all()
    others = np.setdiff1d(np.flatnonzero(mask), largest)
    assert len(others) == 60
    assert (out[others] == np.rint(gh[others] * 5.0)).all()
    assert not out[~mask].any()


def test_one_side_sampling_estimates_sums_without_bias() -> None:
    gh = table(400, 3)[1]
    drawn = [Goss(0.2, 0.2).sample(gh, np.arange(400), Seeded(k))[0].sum(axis=0) for k in range(800)]
    error = np.std(drawn, axis=0) / math.sqrt(len(drawn))
    assert (abs(np.mean(drawn, axis=0) - gh.sum(axis=0)) < 4 * error).all()


# --- members ---


def test_a_sibling_holds_what_its_node_leaves() -> None:
    members = Members(6)
    members.place([1], np.zeros(6, np.uint8))
    members.place([3], places(6, {3: np.array([1, 4])}))
    assert members.rows[2].tolist() == [0, 2, 3, 5]
    members.divide(2, np.array([True, False, False, True]))
    assert (members.rows[4].tolist(), members.rows[5].tolist()) == ([0, 5], [2, 3])
    assert members.whole(4)
    assert not members.whole(2)


@pytest.mark.parametrize("nodes", [[], [0], [-1], [4], [3, 3]])
def test_nodes_that_are_no_part_of_the_tree_are_refused(nodes: list[int]) -> None:
    with pytest.raises(ValueError, match="no part of the tree"):
        Members(3).place(nodes, places(3, {}))


def test_trees_of_which_no_sampled_row_counts_add_nothing() -> None:
    rules = Rules(n_estimators=3, limits=Limits(reg_lambda=0.0, min_child_weight=0.0), validation_share=0.2)
    y, layout = np.arange(40, dtype=np.int8) % 2, (Layout((2,)),)
    weight = np.where(np.arange(40) == 7, 1.0, 0.0)
    grown = pooled.fit([np.zeros((40, 1), np.int64)], layout, y, rules, weight=weight, rng=Seeded(1))
    assert grown.held.tolist() == [7]
    assert grown.logit.tolist() == [0.0] * 40
