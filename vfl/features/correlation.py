"""Correlations of the guest's columns with a host's, which the guest learns to 1/30 in a run, and no closer.

    repeat, in blocks of rows
        guest -> host: EncryptedColumns
    host -> guest: CrossProducts
    guest -> arbiter: MaskedSums
    host -> arbiter: Vouched
    arbiter -> guest: DecryptedSums

With x_ij a column of the guest and z_ik one of the host over the training rows, each centred and of
length 1, r_jk = sum_i x_ij z_ik.  A row's x_ij stand packed in one plaintext, so that the host's sums of
E(x_i1, .., x_iG) over its bins, times the bins' z_k, are E(r_1k, .., r_Gk): one encryption a row, whatever
the columns.

The rounding is not the guest's word.  Each r_jk has a mask of its own, and the arbiter answers
BITS = 5 bits of each masked one (`vfl.crypto.masking.Rounded`): the guest learns r_jk within +-1/30, an
error that is uniform and tells nothing of r_jk.  The width of the sums, on which that bound rests, the host
vouches for.  What lies in a sum is the guest's encryption, so a guest that encrypts other numbers
than its columns learns 5 bits of other sums over the host's columns, were it of one row: it is promised to
follow the protocol.  Errors of several runs are independent: what they tell together is closer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Quota, Vouched, learn_masked
from vfl.crypto.fixed_point import encode
from vfl.crypto.masking import HIDING, Rounded
from vfl.crypto.paillier import Ciphertexts, PrivateKey, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.gates import ROWS_PER_COLUMN, Gates
from vfl.wire.blocks import blocks, rows_of
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Matrix = NDArray[np.float64]

BLOCK = 4096
"""Rows of one message."""

BITS = 5
COLUMN_FRACTION = 30
"""Fractional bits of a column's entries: its length is 1, they are small."""

SHRUNK = 15 / 16
"""What r_jk is multiplied with: half a step of 1/16 beyond it must not pass the bound, where signs change."""

WITHIN = 2.0**-BITS / SHRUNK
"""By how much what the guest learns may differ from r_jk."""

MOST_COLUMNS = 4096
WHERE = "features.selection.max_joint_correlation"


@dataclass(frozen=True, slots=True)
class EncryptedColumns(Message):
    """E(x_i1, .., x_iG) of a block of training rows, ceil(d / G) of them a row, and d.

    Reveals: how many columns the guest has.
    """

    values: Ciphertexts
    columns: int


@dataclass(frozen=True, slots=True)
class CrossProducts(Message):
    """E(r_1k, .., r_Gk) of each of the host's columns k.  Reveals: how many columns the host has."""

    packed: Ciphertexts


@dataclass(frozen=True, slots=True)
class Layout:
    """How d columns stand in plaintexts: `groups` of `width` each, the last filled up with zeros."""

    columns: int
    n: int

    @property
    def groups(self) -> int:
        """Plaintexts a row."""
        most = (self.n.bit_length() - 2) // (2 * COLUMN_FRACTION + 2 + HIDING + 3)
        return -(-self.columns // most)

    @property
    def width(self) -> int:
        """G."""
        return -(-self.columns // self.groups)

    @property
    def slot(self) -> int:
        """Bits of a masked sum: G fill a plaintext, so that every one has as many."""
        return (self.n.bit_length() - 2) // self.width

    @property
    def raised(self) -> int:
        """Bits by which x_ij is raised, so that r = 1 is at the bound of a sum."""
        return self.slot - HIDING - 3 - 2 - 2 * COLUMN_FRACTION

    def masking(self, others: int) -> Rounded:
        """Return how the sums with so many columns of the host are masked."""
        return Rounded(self.groups * others * self.width, self.slot - HIDING - 3, BITS, self.n)

    def packed(self, x: NDArray[np.int64]) -> list[int]:
        """Return the plaintexts of rows of encoded columns, shape (n, d), row by row."""
        shifts = [self.slot * (j % self.width) + self.raised for j in range(self.columns)]
        starts = range(0, self.columns, self.width)
        return [
            sum(v << s for v, s in zip(row[a : a + self.width], shifts[a : a + self.width], strict=True))
            for row in x.tolist()
            for a in starts
        ]


def unit_columns(x: Matrix) -> Matrix:
    """Return the columns centred and of length 1, shape (n, d); 0 for one that is the same in every row."""
    centred = x - x.mean(axis=0)
    constant = x.max(axis=0) == x.min(axis=0)
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, np.linalg.norm(centred, axis=0)))


async def guest(
    x: Matrix, others: int, *, key: PublicKey, rng: Randomness, host: Peer, arbiter: Peer
) -> Matrix:
    """Return r of each of our columns, shape (n, d), with each of the host's `others`: shape (d, others)."""
    layout = Layout(x.shape[1], key.n)
    encoded = encode(unit_columns(x) * SHRUNK, COLUMN_FRACTION)
    for rows in blocks(len(x), BLOCK):
        plain = layout.packed(encoded[rows])
        await host.send(EncryptedColumns(key.randomise(key.lift(plain), rng), layout.columns))
    packed = (await host.receive(CrossProducts)).packed
    masking = layout.masking(others)
    key.check(packed, masking.packing.plaintexts, host.name)
    sums = await learn_masked(packed, masking, key=key, rng=rng, arbiter=arbiter, source=host)
    bound = 1 << (masking.bits - 2)
    r = np.array([v / bound for v in sums]).reshape(layout.groups, others, layout.width)
    table = r.transpose(0, 2, 1).reshape(-1, others)[: layout.columns]
    return np.clip(table / SHRUNK, -1, 1)


async def host(
    z: Matrix, *, key: PublicKey, rng: Randomness, gates: Gates, guest: Peer, arbiter: Peer
) -> int:
    """Let the guest learn r of our columns, shape (n, d), with its own; return how many it has."""
    n = len(z)
    found: list[Ciphertexts] = []
    layout = Layout(1, key.n)
    for rows in blocks(n, BLOCK):
        got = await guest.receive(EncryptedColumns)
        if not 1 <= got.columns <= MOST_COLUMNS or (found and got.columns != layout.columns):
            raise guest.blame(
                f"sent {got.columns} columns, 1 to {MOST_COLUMNS} and always as many are allowed"
            )
        layout = Layout(got.columns, key.n)
        key.check(got.values, rows_of(rows) * layout.groups, guest.name)
        found.append(got.values)
    if n < ROWS_PER_COLUMN * layout.columns:
        gates.refuse("few_rows", WHERE, f"{n} training rows for {layout.columns} columns of {guest.name}")
    columns = Ciphertexts.joined(found)
    parts = [
        _cross_products(columns.take(np.arange(g, n * layout.groups, layout.groups)), z, key)
        for g in range(layout.groups)
    ]
    await guest.send(CrossProducts(key.rerandomise(key.joined(parts), rng)))
    masking = layout.masking(z.shape[1])
    await arbiter.send(Vouched(masking.count, masking.bits))
    return layout.columns


def _cross_products(x: Unrandomised, z: Matrix, key: PublicKey) -> Unrandomised:
    """Return E(sum_i z_ik x_i) for each column k: sums by its values, then a small power of each."""
    found = [np.unique(column, return_inverse=True) for column in encode(unit_columns(z), COLUMN_FRACTION).T]
    sums = key.sum_by_bin(x, np.column_stack([codes for _, codes in found]), [len(v) for v, _ in found])
    return key.joined(
        [key.weighted_sums(s, values[:, None]) for s, (values, _) in zip(sums, found, strict=True)]
    )


async def arbiter(private: PrivateKey, quota: Quota, *, guest: Peer, host: Peer) -> None:
    """Answer the guest once, BITS of each sum; `quota`: what is left for it, and then less."""
    rounded = Quota(quota.left, told=BITS)
    await rounded.answer_vouched(private, party=guest, maker=host)
    quota.left = rounded.left
