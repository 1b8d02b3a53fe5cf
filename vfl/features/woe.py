"""WOE and IV of a host's columns, from event counts that the host never sees.

    repeat, in blocks of rows
        guest -> host: EncryptedLabels
    host -> guest: BinnedLabels
    maybe, if there is an arbiter
        guest -> arbiter: MaskedSums
        host -> arbiter: Vouched
        arbiter -> guest: DecryptedSums
    maybe, if the contract lets the host know
        guest -> host: BinEvents

The host sums the encrypted labels by its bins and shuffles each column's bins.  The guest learns
how many rows and events each anonymous bin holds, and returns the events if the host is `told`:
from them the host has its bins' WOE, and WOE by bin would have told it the events as well.

The arbiter decrypts as many sums of as many bits as the host says that it made, and no others.

Without an arbiter the labels are under the guest's own key, and the guest decrypts.  What the host sends
is then randomised in full: it is made of the key holder's own ciphertexts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Quota, learn, misled, unpacked, vouch
from vfl.crypto.fixed_point import bits_for
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.gates import Gates
from vfl.stats.woe import information_value
from vfl.wire.blocks import blocks, rows_of
from vfl.wire.flow import Peer
from vfl.wire.message import Message

BLOCK = 4096
"""Rows of one message."""

SMALL_ROWS, SMALL_SHARE, SMALL_CLASS = 50, 0.01, 5


@dataclass(frozen=True, slots=True)
class EncryptedLabels(Message):
    """E(y_i) of one block of training rows.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class BinnedLabels(Message):
    """E(sum of y_i by bin), packed; rows by bin; bins by column.  Reveals: sizes of anonymous bins."""

    packed: Ciphertexts
    rows: NDArray[np.int64]
    bins: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BinEvents(Message):
    """Sum of y_i by bin, in the host's order.  Reveals: the bad rate of each of the host's bins."""

    events: NDArray[np.int64]


def smallest_bin(n: int) -> float:
    """Return the rows below which a bin of n training rows is small."""
    return max(SMALL_ROWS, SMALL_SHARE * n)


def _packing(count: int, n: int, key: PublicKey) -> Packing:
    return Packing(count, bits_for(float(n), 0) + 1, key.n)


async def guest(
    y: NDArray[np.int8],
    *,
    told: bool = True,
    key: PublicKey,
    rng: Randomness,
    gates: Gates,
    host: Peer,
    arbiter: Peer | None,
    own: PrivateKey | None = None,
) -> list[float]:
    """Return the information value of each of the host's columns, in its order.

    `own`: the guest's private key of `key`, where there is no arbiter.
    """
    n = len(y)
    for part in blocks(n, BLOCK):
        await host.send(EncryptedLabels(key.encrypt(y[part].astype(np.int64), rng)))
    rows, ends, packed = await _binned_labels(n, key, host)
    packing = _packing(len(rows), n, key)
    if own:
        sums = unpacked(own.decrypt(packed), packing, host.blame)
    else:
        assert arbiter is not None
        sums = await learn(packed, packing, key=key, rng=rng, arbiter=arbiter, source=host)
    events = np.array(sums)
    others, total = rows - events, int(y.sum())
    by_column = np.add.reduceat(events, np.concatenate([[0], ends[:-1]]))
    if (events < 0).any() or (others < 0).any() or (by_column != total).any():
        what = "sent sums that are no event counts"
        raise misled(host, arbiter, what) if arbiter else host.blame(what)
    for k in np.flatnonzero(np.minimum(events, others) < SMALL_CLASS):
        column = int(np.searchsorted(ends, k, side="right")) + 1
        gates.refuse("small_bins", f"{host.name} column {column}", "a bin has fewer than 5 rows of a class")
    if told:
        await host.send(BinEvents(events.astype(np.int64)))
    return [
        information_value(e, o, total, n - total)
        for e, o in zip(np.split(events, ends[:-1]), np.split(others, ends[:-1]), strict=True)
    ]


async def _binned_labels(
    n: int, key: PublicKey, host: Peer
) -> tuple[NDArray[np.int64], NDArray[np.int64], Ciphertexts]:
    """Return the rows of every bin, where each column's bins end, and the encrypted event counts."""
    got = await host.receive(BinnedLabels)
    rows, sizes = got.rows, got.bins
    if (
        rows.ndim != 1
        or sizes.ndim != 1
        or not len(rows)
        or sizes.sum() != len(rows)
        or not 1 <= rows.min() <= rows.max() <= n
        or not 1 <= sizes.min() <= sizes.max() <= len(rows)
    ):
        raise host.blame("sent bins that do not add up")
    ends = np.cumsum(sizes)
    if any(part.sum() != n for part in np.split(rows, ends[:-1])):
        raise host.blame("sent bins that do not hold the training rows")
    key.check(got.packed, _packing(len(rows), n, key).plaintexts, host.name)
    return rows, ends, got.packed


async def host(
    codes: list[NDArray[np.int64]],
    slots: list[int],
    *,
    told: bool = True,
    key: PublicKey,
    rng: Randomness,
    gates: Gates,
    guest: Peer,
    arbiter: Peer | None,
) -> list[NDArray[np.int64]]:
    """Return each column's events by slot, or nothing; `codes`: each column's slot of each training row.

    `arbiter`: where there is none, the guest decrypts.
    """
    n = len(codes[0])
    labels = []
    for part in blocks(n, BLOCK):
        got = (await guest.receive(EncryptedLabels)).values
        key.check(got, rows_of(part), guest.name)
        labels.append(got)
    sums = key.sum_by_bin(key.joined(labels), np.column_stack(codes), slots)
    order, counts = _shuffled(codes, slots, rng=rng, gates=gates)
    parts = [column.take(bins) for column, bins in zip(sums, order, strict=True)]
    packing = _packing(sum(map(len, order)), n, key)
    hide = key.rerandomise if arbiter else key.randomise_fully
    packed = hide(key.pack(key.joined(parts), packing), rng)
    sizes = np.array([len(o) for o in order], dtype=np.int64)
    await guest.send(BinnedLabels(packed, np.concatenate(counts), sizes))
    if arbiter:
        await vouch(packing, arbiter=arbiter)
    if not told:
        return []
    events = (await guest.receive(BinEvents)).events
    if not _are_events(events, np.concatenate(counts), sizes):
        raise guest.blame("sent events that the bins cannot have")
    tables = []
    for o, found, size in zip(order, np.split(events, np.cumsum(sizes)[:-1]), slots, strict=True):
        table = np.zeros(size, np.int64)
        table[o] = found
        tables.append(table)
    return tables


def _are_events(events: NDArray[np.int64], rows: NDArray[np.int64], sizes: NDArray[np.int64]) -> bool:
    """Tell whether bins of so many rows can hold these events: as many in each column, of both classes."""
    if events.shape != rows.shape or (events < 0).any() or (events > rows).any():
        return False
    ends = np.cumsum(sizes)
    totals = np.add.reduceat(events, ends - sizes)
    return bool((totals == totals[0]).all() and 0 < totals[0] < rows[: ends[0]].sum())


def _shuffled(
    codes: list[NDArray[np.int64]], slots: list[int], *, rng: Randomness, gates: Gates
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return each column's occupied bins in an order that tells nothing, and their rows."""
    order, rows = [], []
    for j, (column, size) in enumerate(zip(codes, slots, strict=True)):
        counts = np.bincount(column, minlength=size).astype(np.int64)
        used = np.flatnonzero(counts)
        if counts[used].min() < smallest_bin(len(column)):
            gates.refuse("small_bins", f"column {j + 1}", f"a bin holds {counts[used].min()} rows")
        order.append(used[rng.permutation(len(used))])
        rows.append(counts[order[-1]])
    return order, rows


async def arbiter(private: PrivateKey, quota: Quota, *, guest: Peer, host: Peer) -> None:
    """Answer the guest once."""
    await quota.answer_vouched(private, party=guest, maker=host)
