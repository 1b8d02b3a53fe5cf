"""What the trees add to the logits of a batch: each party looks its own splits up.

    repeat, a chunk of rows, and of it each tree that the host's columns split
        host -> guest: LeafMasks

A host answers with the leaves that its own splits leave possible, never with its bins; what all
parties leave possible is one leaf.  Of those masks over 2^depth leaves only what is not implied
crosses the wire: one bit a split, whether the left side is still possible.

**They tell more than the path that the row takes**: where another party decides that a host's split
is not reached, its side is told all the same.  Only the host's own splits above it can hide it.

After Lucchese et al., "QuickScorer" (2015): a split excludes the leaves of its other side,
and the order in which splits are looked up does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.trees.tree import Codes, Mask, Split, Tree
from vfl.wire.blocks import blocks
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]

CHUNK = 1 << 15
"""Rows of one message: at most 8 MB in memory for a tree of 255 splits, and 1 MB on the wire."""


@dataclass(frozen=True, slots=True)
class LeafMasks(Message):
    """One bit a split and row: left is possible.  Reveals: each row's side, even where it never comes by."""

    left: NDArray[np.bool_]


async def guest(trees: list[Tree], codes: Codes, *, hosts: tuple[Peer, ...]) -> Vector:
    """Return the sum of every row's leaves, shape (n,); `codes`: the guest's own, (n, d).

    `hosts`: in the order in which they took part in the training.
    """
    logits = np.zeros(len(codes))
    for rows in blocks(len(codes), CHUNK):
        chunk = np.asfortranarray(codes[rows])
        for tree in trees:
            sides = _sides(tree.splits_of(0), chunk)
            for party, peer in enumerate(hosts, start=1):
                sides |= await _theirs(peer, sorted(tree.splits_of(party)), len(chunk))
            logits[rows] += _leaves(tree, 1, sides)
    return logits


async def host(trees: list[dict[int, Split]], codes: Codes, *, guest: Peer) -> None:
    """Send what the host's own splits, tree by tree, leave possible of each row."""
    for rows in blocks(len(codes), CHUNK):
        chunk = np.asfortranarray(codes[rows])
        for splits in filter(None, trees):
            sides = possible(_sides(splits, chunk))
            await guest.send(LeafMasks(np.array([sides[node] for node in sorted(splits)])))


def possible(sides: dict[int, Mask]) -> dict[int, Mask]:
    """Return which rows may go left at each of one party's splits: none where its splits above forbid.

    It changes nothing in what it has returned.
    """
    reached = {1: np.ones(len(next(iter(sides.values()))), np.bool_)}
    for node in range(1, max(sides) + 1):
        reached[2 * node] = reached[2 * node + 1] = here = reached[node]
        if node in sides:
            reached[2 * node], reached[2 * node + 1] = here & sides[node], here & ~sides[node]
    return {node: reached[2 * node] for node in sides}


def _sides(splits: dict[int, Split], codes: Codes) -> dict[int, Mask]:
    return {node: split.left(codes) for node, split in splits.items()}


async def _theirs(peer: Peer, nodes: list[int], rows: int) -> dict[int, Mask]:
    if not nodes:
        return {}
    left = (await peer.receive(LeafMasks)).left
    if left.shape != (len(nodes), rows):
        raise peer.blame("sent leaf masks of other splits or rows than its part of the tree and batch")
    sides = dict(zip(nodes, left, strict=True))
    if any((mask != sides[node]).any() for node, mask in possible(sides).items()):
        raise peer.blame("sent leaf masks that contradict each other")
    return sides


def _leaves(tree: Tree, node: int, sides: dict[int, Mask]) -> Vector:
    """Return the leaf that each row reaches from a node."""
    if node in tree.leaves:
        return np.asarray(tree.leaves[node])
    left, right = (_leaves(tree, child, sides) for child in (2 * node, 2 * node + 1))
    return np.where(sides[node], left, right)
