"""Halves of trees are written as specified, read back bit for bit, and refused if anything is amiss."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.stats.binned import Bins
from vfl.stats.binning import LevelBins, NumericBins
from vfl.trees.importance import Importance, importances
from vfl.trees.model import GuestTrees, HostTrees, codes_of, layout_of
from vfl.trees.tree import Chosen, Split, Tree

BINS = Bins({"income": NumericBins((0.1, 0.30000000000000004)), "job": LevelBins(("clerk", "cook"))})
GUEST = GuestTrees(
    BINS,
    ("insurer", "telco"),
    [
        Tree(
            {
                1: Chosen(1, Split(2, 31, True), 12.5, 90.25),
                2: Chosen(0, Split(1, 0, False), 3.3000000000000003, 40.0),
                3: Chosen(2, Split(0, 0, True), 0.125, 5e-324),
                6: Chosen(1, Split(2, 4, False), 1.0, 7.0),
            },
            {4: -0.1, 5: 0.2, 7: 1 / 3, 12: -0.0, 13: 1e-300},
        ),
        Tree({}, {1: -2.0}),
    ],
    start=-1.75,
)
GUEST_VECTOR = """{
 "version": 1,
 "bins": {"income": {"cuts": [0.1, 0.30000000000000004]}, "job": {"levels": ["clerk", "cook"]}},
 "hosts": ["insurer", "telco"],
 "start": -1.75,
 "trees": [
  {"splits": {
    "1": {"party": "insurer", "column": 3, "bin": 31, "missing_left": true, "gain": 12.5, "cover": 90.25},
    "2": {"column": "job", "bin": 0, "missing_left": false, "gain": 3.3000000000000003, "cover": 40.0},
    "3": {"party": "telco", "column": 1, "bin": 0, "missing_left": true, "gain": 0.125, "cover": 5e-324},
    "6": {"party": "insurer", "column": 3, "bin": 4, "missing_left": false, "gain": 1.0, "cover": 7.0}},
   "leaves": {"4": -0.1, "5": 0.2, "7": 0.3333333333333333, "12": -0.0, "13": 1e-300}},
  {"splits": {}, "leaves": {"1": -2.0}}]}"""

HOST = HostTrees(BINS, [{}, {1: Split(0, 2, True), 255: Split(1, 1, False)}])
HOST_VECTOR = """{
 "version": 1,
 "bins": {"income": {"cuts": [0.1, 0.30000000000000004]}, "job": {"levels": ["clerk", "cook"]}},
 "trees": [
  {},
  {"1": {"column": "income", "bin": 2, "missing_left": true},
   "255": {"column": "job", "bin": 1, "missing_left": false}}]}"""


# --- vector ---


def test_the_guests_half_is_written_as_specified_and_read_back() -> None:
    assert GUEST.as_json() == json.loads(GUEST_VECTOR)
    assert GuestTrees.from_json(json.loads(GUEST_VECTOR)) == GUEST


def test_a_hosts_half_is_written_as_specified_and_read_back() -> None:
    assert HOST.as_json() == json.loads(HOST_VECTOR)
    assert HostTrees.from_json(json.loads(HOST_VECTOR)) == HOST


def test_neither_half_is_taken_for_the_other() -> None:
    with pytest.raises(ValueError, match="is no guest's half"):
        GuestTrees.from_json(HOST.as_json())
    with pytest.raises(ValueError, match="trees have other nodes"):
        HostTrees.from_json(GUEST.as_json())


Edit = Callable[[Any], object]


def put(value: Any, *path: Any) -> Edit:
    """Return the edit that puts a value into a described half."""

    def edit(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] = value

    return edit


SPLIT = ("trees", 0, "splits")
LEAVES = ("trees", 0, "leaves")
BAD_GUESTS: dict[str, Edit] = {
    "another version": put(2, "version"),
    "no version": lambda d: d.pop("version"),
    "no trees": lambda d: d.pop("trees"),
    "a key too many": put(1, "colour"),
    "a key too many in a tree": put(1, "trees", 0, "depth"),
    "a key too many in a split": put(1, *SPLIT, "2", "depth"),
    "two hosts of one name": put(["insurer", "insurer"], "hosts"),
    "a host without a name": put(["insurer", None], "hosts"),
    "a start that is text": put("0", "start"),
    "a start that is no number": put(float("nan"), "start"),
    "an unknown column": put("age", *SPLIT, "2", "column"),
    "an own column by number": put(1, *SPLIT, "2", "column"),
    "a bin that its column lacks": put(2, *SPLIT, "2", "bin"),
    "a bin below the first": put(-1, *SPLIT, "2", "bin"),
    "a bin that is a truth value": put(False, *SPLIT, "2", "bin"),
    "a host's bin below the first": put(-1, *SPLIT, "1", "bin"),
    "a host's column by name": put("claims", *SPLIT, "1", "column"),
    "a host's column nought": put(0, *SPLIT, "1", "column"),
    "a party that is no host": put("bank", *SPLIT, "1", "party"),
    "a party that is a list": put([], *SPLIT, "1", "party"),
    "a side that is a number": put(1, *SPLIT, "1", "missing_left"),
    "a gain that is text": put("1", *SPLIT, "1", "gain"),
    "no cover": lambda d: d["trees"][0]["splits"]["1"].pop("cover"),
    "an infinite cover": put(float("inf"), *SPLIT, "1", "cover"),
    "a leaf that is no number": put(float("nan"), *LEAVES, "4"),
    "a leaf that is a truth value": put(True, *LEAVES, "4"),
    "a leaf missing": lambda d: d["trees"][0]["leaves"].pop("4"),
    "a leaf below a leaf": put(0.0, *LEAVES, "8"),
    "a leaf that is a split": put(0.0, *LEAVES, "2"),
    "a split without a parent": put({"column": "job", "bin": 0, "missing_left": True}, *SPLIT, "40"),
    "node nought": put(0.0, *LEAVES, "0"),
    "a node that is a word": put(0.0, *LEAVES, "root"),
    "a node written otherwise": lambda d: d["trees"][0]["leaves"].update(
        {"04": d["trees"][0]["leaves"].pop("4")}
    ),
    "a tree that is a list": put([], "trees", 0),
    "a tree that is nothing": put(None, "trees", 1),
    "splits that are a list": put([], "trees", 1, "splits"),
    "a split that is a list": put([], *SPLIT, "1"),
    "cuts that fall": put([2.0, 1.0], "bins", "income", "cuts"),
    "cuts that are text": put(["1.0"], "bins", "income", "cuts"),
    "cuts that are lists": put([[1.0]], "bins", "income", "cuts"),
    "bins that are a list": put([], "bins", "income"),
}

BAD_HOSTS: dict[str, Edit] = {
    "another version": put(2, "version"),
    "a key too many": put(1, "colour"),
    "a tree that is a list": put([], "trees", 0),
    "a node too deep": put({"column": "job", "bin": 0, "missing_left": True}, "trees", 0, "256"),
    "node nought": put({"column": "job", "bin": 0, "missing_left": True}, "trees", 0, "0"),
    "an unknown column": put("age", "trees", 1, "1", "column"),
    "a bin that its column lacks": put(3, "trees", 1, "1", "bin"),
    "a key too many in a split": put(1.0, "trees", 1, "1", "gain"),
    "a split that is nothing": put(None, "trees", 1, "1"),
}


@pytest.mark.parametrize("edit", BAD_GUESTS.values(), ids=BAD_GUESTS)
def test_a_guests_half_that_is_amiss_is_refused(edit: Edit) -> None:
    data = deepcopy(json.loads(GUEST_VECTOR))
    edit(data)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        GuestTrees.from_json(data)


@pytest.mark.parametrize("edit", BAD_HOSTS.values(), ids=BAD_HOSTS)
def test_a_hosts_half_that_is_amiss_is_refused(edit: Edit) -> None:
    data = deepcopy(json.loads(HOST_VECTOR))
    edit(data)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        HostTrees.from_json(data)


@pytest.mark.parametrize("data", [None, [], "trees", 1, {}])
def test_what_is_no_object_at_all_is_refused(data: Any) -> None:
    for kind in (GuestTrees, HostTrees):
        with pytest.raises(ValueError, match="half of trees"):
            kind.from_json(data)


# --- law ---


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_bit_for_bit(logit: float, start: float) -> None:
    half = GuestTrees(BINS, (), [Tree({}, {1: logit})], start)
    back = GuestTrees.from_json(json.loads(json.dumps(half.as_json())))
    assert (back.trees[0].leaves[1].hex(), back.start.hex()) == (logit.hex(), start.hex())


# --- codes ---


def test_blanks_and_unseen_levels_have_the_code_of_missing_values() -> None:
    columns = {
        "job": np.array(["cook", None, "pilot", "clerk"], object),
        "income": np.array([0.1, np.nan, 0.2, 9.0]),
    }
    assert codes_of(BINS, columns).tolist() == [[0, 1], [-1, -1], [1, -1], [2, 0]]
    assert layout_of(BINS).bins == (3, 2)


# --- importances ---


def test_columns_are_ranked_by_what_their_splits_gain_and_hosts_columns_go_by_number() -> None:
    assert importances(GUEST, {}) == [
        Importance("insurer", "column 3", 2, 13.5, 97.25),
        Importance(None, "job", 1, 3.3000000000000003, 40.0),
        Importance("telco", "column 1", 1, 0.125, 5e-324),
    ]


def test_a_hosts_column_has_its_name_where_the_host_tells_it() -> None:
    found = importances(GUEST, {"insurer": ("age", "region", "claims")})
    assert [one.label for one in found] == ["insurer claims", "job", "telco column 1"]


def test_of_trees_that_split_nothing_no_column_is_worth_anything() -> None:
    assert importances(GuestTrees(BINS, (), GUEST.trees[1:]), {}) == []
