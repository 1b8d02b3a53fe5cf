"""Boosted trees of all parties' columns: those of the pooled table, gradients under encryption.

    host -> guest: Bins
    guest -> host: SlotSize
    repeat, one tree
        guest -> host: Next
        maybe, if trees are grown from samples
            guest -> host: Sampled
        repeat, in blocks of rows
            guest -> host: EncryptedGradients
        repeat, one level
            guest -> host: Next
            guest -> host: Nodes
            host -> guest: EncryptedHistograms
            maybe, if an arbiter holds the key
                guest -> arbiter: Another
                guest -> arbiter: MaskedSums
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
something about labels.  The first tree can be grown without hosts: its gradients are labels.

After Cheng et al., "SecureBoost" (2021).  Differs from the paper: an arbiter may hold the key, and
then sees uniform numbers; g and h travel in one plaintext, sums are packed and re-randomised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, field

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.steps import FORGOTTEN, Steps
from vfl.trees.gradients import MOST_WEIGHT, Slot
from vfl.trees.grow import Ensemble, Integers, Report, Rows, Rules, Vector, boost
from vfl.trees.histogram import Layout
from vfl.trees.members import Members, places
from vfl.trees.opening import Opener, most_opened
from vfl.trees.pooled import Pooled
from vfl.trees.sums import EncryptedSums
from vfl.trees.tree import Codes, Mask, Split
from vfl.wire.flow import Peer
from vfl.wire.message import Disclosed, Message

BLOCK = 8192
MOST_SLOTS = 1 << 16
"""Slots of one host's columns at most."""

END, LEVEL, TREE = 0, 1, 2

STEP = "trees"


@dataclass(frozen=True, slots=True)
class Bins(Message):
    """How many bins each of the host's columns has.  Reveals: that, of anonymous columns."""

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
class Sampled(Message):
    """The rows that a tree is grown from.  Reveals: them; under GOSS, those that are predicted worst."""

    rows: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EncryptedGradients(Message):
    """E(g_i 2^b + h_i) of a block of sampled rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class Nodes(Message):
    """The nodes to be summed, and each row's place among them or 255.  Reveals: which rows share a node."""

    nodes: NDArray[np.int64]
    place: NDArray[np.uint8]

    def disclosed(self) -> Disclosed:
        """Count for each row the bits that say in which of the nodes it is, if in any."""
        return Disclosed(self.place.size, self.place.size * self.nodes.size.bit_length())


@dataclass(frozen=True, slots=True)
class EncryptedHistograms(Message):
    """E(sum of g_i 2^b + h_i) of every node by slot, packed.  Reveals: nothing by itself."""

    packed: Ciphertexts


@dataclass(frozen=True, slots=True)
class Splits(Message):
    """The nodes that the host's columns split, and how.  Reveals: which of its columns help, and where."""

    nodes: NDArray[np.int64]
    columns: NDArray[np.int64]
    bins: NDArray[np.int64]
    missing_left: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sides(Message):
    """Which rows of each split node go left.  Reveals: one bit on the host's column a row and split."""

    left: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Kept(Message):
    """The number of trees that the model keeps.  Reveals: that number."""

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
    joint = Joint(own, (layout, *theirs), slot, rules.samples, key, rng, opener, hosts)

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
    guest_decrypts: bool = False,
    steps: Steps = FORGOTTEN,
) -> list[dict[int, Split]]:
    """Return the host's splits by node, tree by tree.

    `guest_decrypts`: there is no arbiter, and what goes to the guest must bear no mark of its own.
    """
    kept = steps.state(STEP)
    bits = kept["bits"] if kept else await _slot_bits(len(codes), layout, rules, guest)
    hide = key.randomise_fully if guest_decrypts else key.rerandomise
    bench = Bench(codes, layout, bits, key, lambda sums: hide(sums, rng), guest)
    trees: list[dict[int, Split]] = [{}] if rules.guest_grows_first else []
    if kept:
        trees = [{node: Split(*how) for node, how in tree.items()} for tree in kept["trees"]]
    step = kept["step"] if kept else (await guest.receive(Next)).step
    while step == TREE and len(trees) < rules.n_estimators:
        await bench.begin(rules.samples)
        trees.append({})
        depth, step = 0, (await guest.receive(Next)).step
        while step == LEVEL and depth < rules.max_depth:
            trees[-1] |= await bench.level()
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
    samples: bool
    key: PublicKey
    rng: Randomness
    opener: Opener
    hosts: tuple[Peer, ...]
    _gh: Integers = field(default_factory=lambda: np.empty((0, 2), np.int64))

    async def begin(self, gh: Integers, sampled: Mask) -> None:
        """Send every host the sampled rows' gradients, encrypted once."""
        self._gh = gh
        await self.own.begin(gh, sampled)
        for peer in self.hosts:
            await peer.send(Next(TREE))
            if self.samples:
                await peer.send(Sampled(sampled))
        rows = np.flatnonzero(sampled)
        for at in range(0, len(rows), BLOCK):
            plain = self.slot.joined(gh[rows[at : at + BLOCK]])
            block = EncryptedGradients(self.key.randomise(self.key.lift(plain), self.rng))
            for peer in self.hosts:
                await peer.send(block)

    async def histograms(self, nodes: dict[int, Rows]) -> list[Integers]:
        """Return the own sums, and learn the hosts'."""
        asked = Nodes(np.array(list(nodes), np.int64), places(len(self._gh), nodes))
        for peer in self.hosts:
            await peer.send(Next(LEVEL))
            await peer.send(asked)
        sums = await self.own.histograms(nodes)
        totals = np.array([self._gh[rows].sum(axis=0) for rows in nodes.values()])
        for peer, layout in zip(self.hosts, self.layouts[1:], strict=True):
            sums.append(await self._theirs(peer, layout, totals))
        return sums

    async def _theirs(self, peer: Peer, layout: Layout, totals: Integers) -> Integers:
        packing = Packing(len(totals) * layout.slots, self.slot.bits, self.key.n)
        packed = (await peer.receive(EncryptedHistograms)).packed
        self.key.check(packed, packing.plaintexts, peer.name)
        values = await self.opener.open(packed, packing, source=peer)
        try:
            sums = self.slot.split(values).reshape(len(totals), layout.slots, 2)
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
                sides |= await _sides(peer, theirs, rows)
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


async def _sides(peer: Peer, splits: dict[int, Split], rows: dict[int, Rows]) -> dict[int, Mask]:
    left = (await peer.receive(Sides)).left
    ends = np.cumsum([len(rows[k]) for k in splits])
    if left.shape != (ends[-1],):
        raise peer.blame("sent the sides of other rows than the split nodes hold")
    return dict(zip(splits, np.split(left, ends[:-1]), strict=True))


# the host's side of a tree


@dataclass(slots=True)
class Bench:
    """A host's columns, and of the tree that grows: its encrypted gradients, and which rows are where."""

    codes: Codes
    layout: Layout
    bits: int
    key: PublicKey
    hide: Callable[[Unrandomised], Ciphertexts]
    guest: Peer
    _sums: EncryptedSums | None = None
    _members: Members = field(default_factory=lambda: Members(0))

    async def begin(self, samples: bool) -> None:
        """Take a new tree's gradients; the root is summed as they come."""
        n = len(self.codes)
        sampled = (await self.guest.receive(Sampled)).rows if samples else np.ones(n, np.bool_)
        if sampled.shape != (n,) or not sampled.any():
            raise self.guest.blame("sampled other rows than there are")
        self._members = Members(n)
        self._sums = EncryptedSums(self.codes, self.layout, self.key, sampled)
        for at in range(0, len(self._sums.rows), BLOCK):
            block = (await self.guest.receive(EncryptedGradients)).values
            self.key.check(block, min(BLOCK, len(self._sums.rows) - at), self.guest.name)
            self._sums.add(block)

    async def level(self) -> dict[int, Split]:
        """Sum the nodes of one level, and divide those that the host's columns split."""
        asked = await self.guest.receive(Nodes)
        nodes: list[int] = asked.nodes.tolist() if asked.nodes.ndim == 1 else []
        try:
            self._members.place(nodes, asked.place)
        except ValueError as error:
            raise self.guest.blame(str(error)) from None
        assert self._sums is not None
        rows = [self._members.rows[k] for k in nodes]
        sums = self._sums.root() if nodes == [1] else self._sums.of(rows)
        packing = Packing(len(nodes) * self.layout.slots, self.bits, self.key.n)
        await self.guest.send(EncryptedHistograms(self.hide(self.key.pack(sums, packing))))
        splits = self._accepted(await self.guest.receive(Splits))
        if splits:
            await self.guest.send(Sides(np.concatenate([self._divide(k, s) for k, s in splits.items()])))
        return splits

    def _accepted(self, told: Splits) -> dict[int, Split]:
        """Return the splits by node; a node is split once, so that a tree tells no more than it must."""
        parts = (told.nodes, told.columns, told.bins, told.missing_left)
        if told.nodes.ndim != 1 or any(part.shape != told.nodes.shape for part in parts):
            raise self.guest.blame("sent splits of which parts are missing")
        nodes, *how = (part.tolist() for part in parts)
        splits = {k: Split(*rest) for k, *rest in zip(nodes, *how, strict=True)}
        if len(splits) < len(nodes) or not all(map(self._members.whole, nodes)):
            raise self.guest.blame("split nodes that are no part of the tree, or split before")
        for s in splits.values():
            if not (0 <= s.column < len(self.layout.bins) and 0 <= s.bin < self.layout.bins[s.column]):
                raise self.guest.blame("split columns or bins that there are not")
        return splits

    def _divide(self, node: int, split: Split) -> Mask:
        left = split.left(self.codes[self._members.rows[node]])
        self._members.divide(node, left)
        return left
