"""On real records `vfl local` grows the trees of the pooled table, and the benchmark sees other ones."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shared_data import shared

from scripts.benchmarks import trees
from scripts.benchmarks.real.tree_jobs import FATE, TreeCase
from scripts.benchmarks.trees import REFERENCES, limits, measured, nodes_apart, same_scores
from vfl.trees.tree import Chosen, Split, Tree


def test_two_institutions_without_an_arbiter_grow_the_trees_of_the_pooled_records(tmp_path: Path) -> None:
    shared("german/bank.csv")
    case = TreeCase("german", arbiter=False, trees=2, depth=3, hidden=True)
    found = measured(case, tmp_path)
    assert not [c for c in found["comparisons"] if not c.met]
    assert {c.what: c.ours for c in found["comparisons"]}["trees"] == 2
    assert set(found["cpu_seconds"]) == {"guest", "insurer"}
    assert max(map(len, trees.lines(found))) <= 85


TREE = Tree({1: Chosen(1, Split(0, 3, True), 2.0, 9.0)}, {2: 0.5, 3: -0.5})


@pytest.mark.parametrize(
    "other",
    [
        Tree({1: Chosen(1, Split(0, 3, False), 2.0, 9.0)}, TREE.leaves),
        Tree(TREE.chosen, {2: 0.5, 3: float(np.nextafter(-0.5, 0))}),
        Tree(TREE.chosen, {2: 0.5}),
    ],
    ids=["where blanks go", "the last bit of a leaf", "a leaf"],
)
def test_trees_that_differ_in_one_thing_differ_in_one_node(other: Tree) -> None:
    assert nodes_apart([TREE, TREE], [TREE, TREE]) == 0
    assert nodes_apart([TREE, other], [TREE, TREE]) == 1


def test_a_tree_too_few_differs_in_all_its_nodes() -> None:
    assert nodes_apart([TREE], [TREE, TREE]) == 3


def scored(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return PDs of some customers, and the same as published beside those of another model."""
    pd_ = np.linspace(0.01, 0.9, rows)
    ids = pd.Index([f"c{i}" for i in range(rows)], name="id")
    published = pd.DataFrame(
        {"label": np.arange(rows) % 3 == 0, "xgb_prebin32_T1": pd_ + 0.01, "ref64_T1": pd_}, ids
    )
    return pd.DataFrame({"pd": pd_}, ids), published


@pytest.mark.parametrize(("moved", "met"), [(3, True), (5, False)])
def test_one_test_row_of_a_thousand_may_be_scored_otherwise(moved: int, met: bool) -> None:
    ours, published = scored(4000)
    ours.iloc[:moved] += 2e-4
    found = {c.what: c for c in same_scores(TreeCase("caravan"), ours, published)}
    assert f"test AUC ({REFERENCES[1]})" in found
    assert found["share of test PDs within 1e-4"].met is met


def test_single_scores_of_few_rows_are_not_compared_and_missing_ones_are_missed() -> None:
    ours, published = scored(300)
    found = {c.what: c.met for c in same_scores(TreeCase("german"), ours, published)}
    assert found == {"test rows scored": True, "test AUC (ref64_T1)": True}
    assert not next(same_scores(TreeCase("german"), ours.iloc[1:], published)).met


def test_seconds_are_limited_for_the_usual_trees_alone() -> None:
    usual = TreeCase.usual(FATE, arbiter=False)
    found = {"case": asdict(usual), "seconds_per_tree": 6.0}
    assert limits(found) == [("seconds_per_tree", 6.0, 5.4)]
    assert limits(found | {"case": asdict(replace(usual, depth=6))}) == []
