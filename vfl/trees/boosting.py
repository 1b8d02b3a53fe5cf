"""Boosted trees of all parties' columns: those of the pooled table, gradients under encryption.

    host -> guest: Bins
    guest -> host: SlotSize
    repeat, one tree
        guest -> host: Next
        maybe, if hosts see the rows of nodes (`shown`), and trees are grown from samples
            guest -> host: Sampled
        repeat, in blocks of rows, if hosts see the rows of nodes
            guest -> host: EncryptedGradients
        repeat, one level
            guest -> host: Next
            maybe, if hosts see the rows of nodes
                guest -> host: Nodes
            maybe, if they do not (`hidden`)
                guest -> host: HiddenNodes
                repeat, in blocks of rows
                    guest -> host: EncryptedNodes
            host -> guest: EncryptedHistograms
            maybe, if an arbiter holds the key
                guest -> arbiter: Another
                guest -> arbiter: MaskedSums
                host -> arbiter: Vouched
                arbiter -> guest: DecryptedSums
            guest -> host: Splits
            maybe, if one is the host's
                host -> guest: Sides
    guest -> host: Next
    guest -> host: Kept
    maybe, if an arbiter holds the key
        guest -> arbiter: Another

Each host sums E(g, h) by bin over the smaller child of every pair of nodes; the guest learns the
sums, through the arbiter or with a key of its own, and takes the best split (see `grow`).

**The guest learns a coarse copy of the columns that hosts bring**: every sum over a node's bin is two
exact equations on who is in it (DESIGN 7).  A host learns which rows share a node, which says
something about labels, unless nodes' rows are hidden from it: `shown` and `hidden` are the two ways to
have hosts sum.  The first tree can be grown without hosts: its gradients are labels.

After Cheng et al., "SecureBoost" (2021).  Differs from the paper: an arbiter may hold the key, and
then sees uniform numbers; g and h travel in one plaintext, sums are packed and re-randomised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, field

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import vouch
from vfl.crypto.paillier import Ciphertexts, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.steps import FORGOTTEN, Steps
from vfl.trees import hidden, shown
from vfl.trees.gradients import MOST_WEIGHT, Slot
from vfl.trees.grow import Ensemble, Integers, Report, Rows, Rules, Vector, boost
from vfl.trees.histogram import Layout
from vfl.trees.opening import Opener, most_opened
from vfl.trees.pooled import Pooled
from vfl.trees.tree import Codes, Mask, Split
from vfl.wire.flow import Peer
from vfl.wire.message import Message

MOST_SLOTS = 1 << 16
"""Slots of one host's columns at most."""

END, LEVEL, TREE = 0, 1, 2

STEP = "trees"


@dataclass(frozen=True, slots=True)
class Bins(Message):
    """How many bins each of the host's columns has.  Reveals: how many bins each anonymous column has."""

    bins: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SlotSize(Message):
    """Bits of a packed sum of (g, h).  Reveals: the largest weight of a row, to a power of two."""

    bits: int


@dataclass(frozen=True, slots=True)
class Next(Message):
    """Whether another level follows, another tree, or the end.  Reveals: how deep the trees are."""

    step: int


@dataclass(frozen=True, slots=True)
class EncryptedHistograms(Message):
    """E(sum of g_i 2^b + h_i) of every node by slot, packed, and how many sums these are.
    Reveals: nothing by itself; the number is that of nodes and slots."""

    packed: Ciphertexts
    sums: int


@dataclass(frozen=True, slots=True)
class Splits(Message):
    """The nodes that the host's columns split, and how.  Reveals: which of its columns help, and where."""

    nodes: NDArray[np.int64]
    columns: NDArray[np.int64]
    bins: NDArray[np.int64]
    missing_left: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sides(Message):
    """Which rows of each split node go left; of all rows, if nodes' rows are hidden, that the host's splits
    above let through.  Reveals: one bit on the host's column a row and split."""

    left: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Kept(Message):
    """The number of trees that the model keeps.  Reveals: how many trees the model keeps."""

    trees: int


async def guest(
    codes: Codes,
    layout: Layout,
    y: NDArray[np.int8],
    weight: Vector,
    start: Vector,
    rules: Rules,
    *,
    key: PublicKey,
    rng: Randomness,
    lots: Randomness,
    opener: Opener,
    hosts: tuple[Peer, ...],
    afford: Callable[[int], None],
    report: Report,
    steps: Steps = FORGOTTEN,
) -> Ensemble:
    """Return the trees; `codes`: the guest's own, (n, d); `start`: the logits to begin from.

    `rng` encrypts, `lots` draws the trees' rows; `afford` is told first how much may be opened.
    """
    kept = steps.state(STEP)
    theirs = [Layout(tuple(bins)) for bins in kept["bins"]] if kept else [await _layout(p) for p in hosts]
    slot = Slot.holding(len(y), float(weight.max()) * rules.sampling.amplifier)
    afford(sum(most_opened(one, slot, rules, key.n) for one in theirs))
    for peer in () if kept else hosts:
        await peer.send(SlotSize(slot.bits))
    own = Pooled([codes], (layout,))
    asking: shown.Asking | hidden.Asking = shown.Asking(slot, rules.samples, key, rng, hosts)
    if rules.hides_rows:
        asking = hidden.Asking(slot, key, rng, hosts)
    joint = Joint(own, (layout, *theirs), slot, asking, key, opener, hosts)

    def keep(ensemble: Ensemble) -> None:
        report(ensemble)
        bins = [layout.bins for layout in theirs]
        steps.checkpoint(STEP, {"bins": bins, "ensemble": ensemble.as_state()})

    begun = Ensemble.restored(kept["ensemble"]) if kept else None
    ensemble = await boost(
        y, weight, start, rules, own=own, everyone=joint, rng=lots, report=keep, begun=begun
    )
    for peer in hosts:
        await peer.send(Next(END))
        await peer.send(Kept(len(ensemble.trees)))
    await opener.close()
    return ensemble


async def host(
    codes: Codes,
    layout: Layout,
    rules: Rules,
    *,
    key: PublicKey,
    rng: Randomness,
    guest: Peer,
    arbiter: Peer | None,
    steps: Steps = FORGOTTEN,
) -> list[dict[int, Split]]:
    """Return the host's splits by node, tree by tree.

    `arbiter`: where there is none, the guest decrypts, and what goes to it must bear no mark of its own.
    """
    kept = steps.state(STEP)
    bits = kept["bits"] if kept else await _slot_bits(len(codes), layout, rules, guest)
    hide = key.rerandomise if arbiter else key.randomise_fully
    summing: shown.Summing | hidden.Summing = shown.Summing(codes, layout, bits, rules.samples, key, guest)
    if rules.hides_rows:
        summing = hidden.Summing(codes, layout, bits, key, guest)
    trees: list[dict[int, Split]] = [{}] if rules.guest_grows_first else []
    if kept:
        trees = [{node: Split(*how) for node, how in tree.items()} for tree in kept["trees"]]
    step = kept["step"] if kept else (await guest.receive(Next)).step
    while step == TREE and len(trees) < rules.n_estimators:
        await summing.begin()
        trees.append({})
        depth, step = 0, (await guest.receive(Next)).step
        while step == LEVEL and depth < rules.max_depth:
            sums, packing = await summing.packed()
            await guest.send(EncryptedHistograms(hide(sums, rng), packing.count))
            if arbiter:
                await vouch(packing, arbiter=arbiter)
            splits = _accepted(await guest.receive(Splits), layout, summing, guest)
            if splits:
                left = [summing.divide(node, split) for node, split in splits.items()]
                await guest.send(Sides(np.concatenate(left)))
            trees[-1] |= splits
            depth, step = depth + 1, (await guest.receive(Next)).step
        done = [{node: list(astuple(split)) for node, split in tree.items()} for tree in trees]
        steps.checkpoint(STEP, {"bits": bits, "trees": done, "step": step})
    wanted = (await guest.receive(Kept)).trees if step == END else -1
    if not 0 <= wanted <= len(trees):
        raise guest.blame("asked for more trees or levels than were agreed")
    return trees[:wanted]


async def _slot_bits(rows: int, layout: Layout, rules: Rules, guest: Peer) -> int:
    """Tell the guest how many bins there are; return the bits of a slot that holds their sums."""
    await guest.send(Bins(np.array(layout.bins, np.int64)))
    bits = (await guest.receive(SlotSize)).bits
    if not 0 < bits <= Slot.holding(rows, MOST_WEIGHT * rules.sampling.amplifier).bits:
        raise guest.blame("asked for slots that no sums of weighted rows fill")
    return bits


# the guest's side of a tree


@dataclass(slots=True)
class Joint:
    """A provider: the guest's own columns in the clear, then each host's under encryption."""

    own: Pooled
    layouts: tuple[Layout, ...]
    slot: Slot
    asking: shown.Asking | hidden.Asking
    key: PublicKey
    opener: Opener
    hosts: tuple[Peer, ...]
    _gh: Integers = field(default_factory=lambda: np.empty((0, 2), np.int64))

    async def begin(self, gh: Integers, sampled: Mask) -> None:
        """Begin a tree with every host."""
        self._gh = gh
        await self.own.begin(gh, sampled)
        await self._all(Next(TREE))
        await self.asking.begin(gh, sampled)

    async def histograms(self, nodes: dict[int, Rows]) -> list[Integers]:
        """Return the own sums, and learn the hosts'."""
        await self._all(Next(LEVEL))
        await self.asking.ask(nodes)
        sums = await self.own.histograms(nodes)
        totals = np.array([self._gh[rows].sum(axis=0) for rows in nodes.values()])
        for peer, layout in zip(self.hosts, self.layouts[1:], strict=True):
            sums.append(await self._theirs(peer, layout, totals))
        return sums

    async def _all(self, message: Message) -> None:
        for peer in self.hosts:
            await peer.send(message)

    async def _theirs(self, peer: Peer, layout: Layout, totals: Integers) -> Integers:
        packing = self.asking.packing(len(totals), layout.slots)
        sent = await peer.receive(EncryptedHistograms)
        if sent.sums != packing.count:
            raise peer.blame(f"made {sent.sums} sums for a level of {packing.count}")
        self.key.check(sent.packed, packing.plaintexts, peer.name)
        values = await self.opener.open(sent.packed, packing, source=peer)
        try:
            sums = self.asking.by_node(self.slot.split(values), len(totals), layout.slots)
        except OverflowError as error:
            raise self.opener.blame(peer, f"sent what holds no histogram: {error}") from None
        if not layout.adds_up(sums, totals):
            raise self.opener.blame(peer, "sent a histogram that does not add up to its node")
        return sums

    async def divide(self, splits: list[dict[int, Split]], rows: dict[int, Rows]) -> dict[int, Mask]:
        """Return which rows of every split node go left; a host answers for its own nodes."""
        for peer, theirs in zip(self.hosts, splits[1:], strict=True):
            await peer.send(_told(theirs))
        sides = await self.own.divide(splits[:1], rows)
        for peer, theirs in zip(self.hosts, splits[1:], strict=True):
            if theirs:
                left = self.asking.sides((await peer.receive(Sides)).left, theirs, rows)
                if left is None:
                    raise peer.blame("sent the sides of other rows than the split nodes hold")
                sides |= left
        return sides


async def _layout(peer: Peer) -> Layout:
    bins = (await peer.receive(Bins)).bins
    if bins.ndim != 1 or not len(bins) or bins.min() < 1 or bins.max() > MOST_SLOTS:
        raise peer.blame("sent bins that no columns have")
    if (layout := Layout(tuple(bins.tolist()))).slots > MOST_SLOTS:
        raise peer.blame(f"brings more than {MOST_SLOTS} bins")
    return layout


def _told(splits: dict[int, Split]) -> Splits:
    return Splits(
        np.array(list(splits), np.int64),
        np.array([s.column for s in splits.values()], np.int64),
        np.array([s.bin for s in splits.values()], np.int64),
        np.array([s.missing_left for s in splits.values()], np.bool_),
    )


# the host's side of a tree


def _accepted(
    told: Splits, layout: Layout, summing: shown.Summing | hidden.Summing, guest: Peer
) -> dict[int, Split]:
    """Return the splits by node; a node is split once, so that a tree tells no more than it must."""
    parts = (told.nodes, told.columns, told.bins, told.missing_left)
    if told.nodes.ndim != 1 or any(part.shape != told.nodes.shape for part in parts):
        raise guest.blame("sent splits of which parts are missing")
    nodes, *how = (part.tolist() for part in parts)
    splits = {k: Split(*rest) for k, *rest in zip(nodes, *how, strict=True)}
    if len(splits) < len(nodes) or not all(map(summing.splittable, nodes)):
        raise guest.blame("split nodes that are no part of the tree, or split before")
    for s in splits.values():
        if not (0 <= s.column < len(layout.bins) and 0 <= s.bin < layout.bins[s.column]):
            raise guest.blame("split columns or bins that there are not")
    return splits
