"""Boosted trees that are attacked: a training of any size in memory, and what the guest learns of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from attacked_runs import ARBITER, GUEST, HOST, KEY, PRIVATE, Labels
from numpy.typing import NDArray
from scipy.special import expit
from seeded import Seeded

from vfl.arbitration import Quota
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts
from vfl.trees import boosting, opening
from vfl.trees.boosting import EncryptedHistograms, Next, SlotSize
from vfl.trees.gradients import Slot
from vfl.trees.grow import Rules
from vfl.trees.histogram import Layout
from vfl.trees.members import NOWHERE
from vfl.trees.shown import EncryptedGradients, Nodes
from vfl.trees.tree import Codes
from vfl.wire.flow import Sent
from vfl.wire.memory import Transcript, run_in_memory

BINS = 4


@dataclass(frozen=True)
class Table:
    """Codes of a guest and a host, four bins a column, and labels."""

    own: Codes
    theirs: Codes
    y: Labels

    @property
    def layout(self) -> Layout:
        """The host's bins."""
        return Layout((BINS,) * self.theirs.shape[1])


def table(rows: int, *, own: int = 3, theirs: int = 3, told: float = 0.0, seed: int = 0) -> Table:
    """Draw customers, one in five bad; `told`: what the host's columns say about labels."""
    draw = np.random.default_rng(seed)
    x, z = (draw.integers(0, BINS, (rows, d)) for d in (own, theirs))
    u = 0.6 * (x - 1.5).sum(axis=1) + told * (z - 1.5).sum(axis=1) - 1.7
    return Table(x, z, (draw.random(rows) < expit(u)).astype(np.int8))


def grow(people: Table, rules: Rules, *, seed: int = 1) -> Transcript:
    """Train with an arbiter."""
    rng = Seeded(seed)
    guest = boosting.guest(
        people.own,
        Layout((BINS,) * people.own.shape[1]),
        people.y,
        np.ones(len(people.y)),
        np.zeros(len(people.y)),
        rules,
        key=KEY,
        rng=rng,
        lots=Seeded(seed + 1),
        opener=opening.ByArbiter(KEY, rng, ARBITER),
        hosts=(HOST,),
        afford=lambda _: None,
        report=lambda _: None,
    )
    host = boosting.host(
        people.theirs, people.layout, rules, key=KEY, rng=Seeded(seed + 2), guest=GUEST, arbiter=ARBITER
    )
    arbiter = opening.arbiter(PRIVATE, Quota(10**6), guest=GUEST, hosts=(HOST,))
    return run_in_memory({"guest": guest, "host": host, "arbiter": arbiter})


@dataclass(frozen=True)
class Opened:
    """What the guest knows of a node: its rows' g and h, 0 for all other rows, and their sums by slot."""

    gh: NDArray[np.int64]
    sums: NDArray[np.int64]


def opened(run: Transcript, people: Table) -> Iterator[Opened]:
    """Yield what the guest learns, node by node.

    Ciphertexts are decrypted here for what the guest knows anyway: its own gradients, and sums.
    """
    slot = Slot.holding(len(people.y), 1.0)
    for tree in _trees(run.views["guest"]):
        parts = [m.values for m in tree if isinstance(m, EncryptedGradients)]
        gh = slot.split(_signed(PRIVATE.decrypt(Ciphertexts.joined(parts))))
        for asked, sent in _pairs(tree):
            packing = Packing(len(asked.nodes) * people.layout.slots, slot.bits, KEY.n)
            sums = slot.split(packing.unpack(PRIVATE.decrypt(sent.packed)))
            for k, one in enumerate(np.split(sums, len(asked.nodes))):
                yield Opened(np.where((asked.place == k)[:, None], gh, 0), one)


def places(run: Transcript) -> NDArray[np.uint8]:
    """Return what a host is told of all levels below the roots: the node it must sum over, by row."""
    told = [s.message.place for s in run.views["host"] if isinstance(s.message, Nodes)]
    levels = [place for place in told if (place == NOWHERE).any()]
    return np.array(levels)


def _trees(view: list[Sent]) -> Iterator[list[object]]:
    messages = [s.message for s in view if not isinstance(s.message, SlotSize)]
    begins = [i for i, m in enumerate(messages) if isinstance(m, Next) and m.step == boosting.TREE]
    for first, last in zip(begins, [*begins[1:], len(messages)], strict=True):
        yield messages[first:last]


def _pairs(tree: list[object]) -> Iterator[tuple[Nodes, EncryptedHistograms]]:
    asked = [m for m in tree if isinstance(m, Nodes)]
    sent = [m for m in tree if isinstance(m, EncryptedHistograms)]
    return zip(asked, sent, strict=True)


def _signed(plain: list[int]) -> list[int]:
    return [v - KEY.n if v > KEY.n // 2 else v for v in plain]
