"""A party's half of boosted trees: its bins and its splits; the guest's also has the leaves.

JSON of the guest's half:

    {"version": 1, "bins": {column: as vfl.stats.binning writes them}, "hosts": [name, ..],
     "start": the logit before the first tree,
     "trees": [{"splits": {node: split}, "leaves": {node: logit}}, ..]}
    split, its own     {"column": name, "bin": k, "missing_left": true, "gain": .., "cover": ..}
    split, a host's    {"party": name, "column": number, "bin": k, ...}

JSON of a host's half:

    {"version": 1, "bins": {column: ..},
     "trees": [{node: {"column": name, "bin": k, "missing_left": true}}, ..]}

Nodes are numbered as in a heap (see `tree`), a host's columns from 1 and bins from 0 in the order of
the host's own file.  Floats are written so that they are read back bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

import numpy as np

from vfl.stats.binned import Bins
from vfl.stats.binning import Values, from_json
from vfl.trees.histogram import Layout
from vfl.trees.tree import MAX_DEPTH, Chosen, Codes, Split, Tree

VERSION = 1


@dataclass(frozen=True, slots=True)
class GuestTrees:
    """The trees as the guest knows them: of a host's split the column's and the bin's number."""

    bins: Bins
    hosts: tuple[str, ...]
    trees: list[Tree]
    start: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the half as the module's docstring describes it."""
        return {
            "version": VERSION,
            "bins": _bins_as_json(self.bins),
            "hosts": list(self.hosts),
            "start": self.start,
            "trees": [self._described(tree) for tree in self.trees],
        }

    def _described(self, tree: Tree) -> dict[str, Any]:
        own = tuple(self.bins.of)
        splits: dict[str, dict[str, Any]] = {}
        for node, chosen in sorted(tree.chosen.items()):
            whose = {"party": self.hosts[chosen.party - 1]} if chosen.party else {}
            column = chosen.split.column + 1 if chosen.party else own[chosen.split.column]
            worth = {"gain": chosen.gain, "cover": chosen.cover}
            splits[str(node)] = whose | asdict(chosen.split) | {"column": column} | worth
        return {"splits": splits, "leaves": {str(node): tree.leaves[node] for node in sorted(tree.leaves)}}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Return the half that `as_json` described; raise ValueError on anything else."""
        match data:
            case {"bins": dict(bins), "hosts": list(hosts), "start": start, "trees": list(trees)}:
                found = _bins(bins)
                half = cls(
                    found, _distinct(hosts), [_tree(tree, found, hosts) for tree in trees], _finite(start)
                )
                return _same(half, data)
        raise ValueError("is no guest's half of trees")


@dataclass(frozen=True, slots=True)
class HostTrees:
    """A host's splits by node, tree by tree; a tree that it does not split has none."""

    bins: Bins
    trees: list[dict[int, Split]]

    def as_json(self) -> dict[str, Any]:
        """Return the half as the module's docstring describes it."""
        own = tuple(self.bins.of)
        trees = [
            {str(node): asdict(split) | {"column": own[split.column]} for node, split in sorted(tree.items())}
            for tree in self.trees
        ]
        return {"version": VERSION, "bins": _bins_as_json(self.bins), "trees": trees}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Return the half that `as_json` described; raise ValueError on anything else."""
        match data:
            case {"bins": dict(bins), "trees": list(trees)}:
                found = _bins(bins)
                splits = [{_node(node): _own_split(s, found) for node, s in _items(t)} for t in trees]
                return _same(cls(found, splits), data)
        raise ValueError("is no host's half of trees")


H = TypeVar("H", bound=GuestTrees | HostTrees)


def codes_of(bins: Bins, columns: Mapping[str, Values]) -> Codes:
    """Return the codes that trees split: shape (n, columns), -1 for a blank or an unseen level."""
    codes = [np.maximum(binning.codes(columns[name]), -1) for name, binning in bins.of.items()]
    return np.column_stack(codes)


def layout_of(bins: Bins) -> Layout:
    """Return the number of bins of each column."""
    return Layout(tuple(size - 2 for size in bins.sizes))


# what is read


def _same(half: H, data: dict[str, Any]) -> H:
    """Return the half if it is all that was described, so that nothing read is quietly dropped."""
    if half.as_json() != data:
        raise ValueError("is not written as a half of trees is")
    return half


def _bins_as_json(bins: Bins) -> dict[str, Any]:
    return {name: binning.as_json() for name, binning in bins.of.items()}


def _bins(data: dict[str, Any]) -> Bins:
    try:
        return Bins({name: from_json(described) for name, described in data.items()})
    except TypeError:
        raise ValueError("bins need numbers or levels") from None


def _distinct(hosts: list[Any]) -> tuple[str, ...]:
    if not all(type(name) is str for name in hosts) or len(set(hosts)) < len(hosts):
        raise ValueError("hosts need names of their own")
    return tuple(hosts)


def _tree(data: Any, bins: Bins, hosts: list[Any]) -> Tree:
    match data:
        case {"splits": dict(splits), "leaves": dict(leaves)}:
            tree = Tree(
                {_node(node): _chosen(split, bins, hosts) for node, split in splits.items()},
                {_node(node, MAX_DEPTH + 1): _finite(logit) for node, logit in leaves.items()},
            )
            if tree.chosen.keys() | tree.leaves.keys() == {1} | {
                child for node in tree.chosen for child in (2 * node, 2 * node + 1)
            } and not (tree.chosen.keys() & tree.leaves.keys()):
                return tree
    raise ValueError("a tree needs a split or a leaf at every node")


def _chosen(data: Any, bins: Bins, hosts: list[Any]) -> Chosen:
    match data:
        case {"party": party, "column": column, "bin": k, "missing_left": bool(missing_left)} if (
            party in hosts and type(column) is int and column > 0 and type(k) is int and k >= 0
        ):
            number, split = hosts.index(party) + 1, Split(column - 1, k, missing_left)
        case _:
            number, split = 0, _own_split(data, bins)
    return Chosen(number, split, _finite(data.get("gain")), _finite(data.get("cover")))


def _own_split(data: Any, bins: Bins) -> Split:
    match data:
        case {"column": str(column), "bin": k, "missing_left": bool(missing_left)} if (
            column in bins.of and type(k) is int and 0 <= k < bins.of[column].slots - 2
        ):
            return Split(list(bins.of).index(column), k, missing_left)
    raise ValueError("a split needs a column that has bins, one of these, and a side for missing values")


def _items(tree: Any) -> list[tuple[str, Any]]:
    if not isinstance(tree, dict):
        raise ValueError("a tree needs splits by node")
    return list(tree.items())


def _node(text: str, levels: int = MAX_DEPTH) -> int:
    if not (text.isdecimal() and len(text) <= 3 and 0 < int(text) < 1 << levels):
        raise ValueError("trees have other nodes")
    return int(text)


def _finite(number: Any) -> float:
    if not (isinstance(number, float) and math.isfinite(number)):
        raise ValueError("gains, covers and leaves are finite numbers")
    return number
