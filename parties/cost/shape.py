"""What a job's cost depends on, and nothing else: rows, columns, degrees, trees, key."""

from __future__ import annotations

from dataclasses import dataclass, field

from vfl.crypto.fixed_point import FRACTION, bits_for
from vfl.crypto.packing import Packing
from vfl.features.correlation import Layout
from vfl.linear.crossed import SHARE_BITS, SHARE_FRACTION
from vfl.linear.inference import OF_CROSS
from vfl.linear.residuals import blocks_of
from vfl.trees.gradients import Slot


@dataclass(frozen=True, slots=True)
class Columns:
    """A party's columns in a model: those of few distinct values with their bins, and the others."""

    binned: int
    bins: int
    numeric: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return self.binned + self.numeric

    @property
    def slots(self) -> int:
        """Sums by bin over all binned columns, blanks being a bin of each."""
        return self.binned * (self.bins + 1)


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Fits on all folds but one: the degrees of all their gradients, and of their held-out losses."""

    folds: int
    degrees: tuple[int, ...]
    losses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Regression:
    """A joint logistic regression: the degree of each gradient's sigmoid, and what else it takes.

    `crossed`: there is no arbiter, and guest and host decrypt for each other.  `sampled`: how many gradients,
    the first ones, are of a sample of the rows.  `spread`: the least and the most that the degrees may be, in
    parts of those here, where they are a guess.  `shared`: the most gradients of all fits together where
    columns leave between them, 0 where there is one fit; those here are the first's.
    """

    degrees: tuple[int, ...]
    woe: bool = True
    standard_errors: bool = False
    joint_correlations: bool = False
    crossed: bool = False
    cv: CrossValidation | None = None
    sampled: int = 0
    spread: tuple[float, float] = (1.0, 1.0)
    shared: int = 0

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the most that the degrees of all fits may be, in parts of the first's."""
        least, most = self.spread
        return least, max(most, self.shared / len(self.degrees))


@dataclass(frozen=True, slots=True)
class Forest:
    """Boosted trees that hosts take part in: how many, levels, share of rows, who decrypts, who sees rows."""

    trees: int
    depth: int
    share: float = 1.0
    guest_decrypts: bool = False
    hides_rows: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A job in numbers.  `ids`: the longest list of each party; `rows`: common customers that train."""

    ids: int
    common: int
    rows: int
    guest: Columns
    hosts: tuple[Columns, ...]
    model: Regression | Forest
    bits: int = 2048
    modulus: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "modulus", 1 << (self.bits - 1))

    @property
    def ciphertext(self) -> int:
        """Bytes of one: two residues modulo N."""
        return self.bits // 4

    def gradient(self, columns: Columns) -> int:
        """Plaintexts that hold a party's gradient: three factors of 20 bits, |x| <= 8, |r| <= 3."""
        bits = bits_for(self.rows * 8 * 3.0, 3 * FRACTION)
        return Packing(columns.count, bits, self.modulus).plaintexts

    def shared_gradient(self, columns: Columns) -> int:
        """Plaintexts that hold a host's gradient of residuals' masks, where there is no arbiter."""
        bits = bits_for(self.rows * 8 * 3.0, SHARE_FRACTION + FRACTION)
        return Packing(columns.count, bits, self.modulus).plaintexts

    @property
    def shares(self) -> int:
        """Plaintexts that hold masked residuals, a slot a row, packed by block."""
        sizes = (min(rows.stop, self.rows) - rows.start for rows in blocks_of(self.rows))
        return sum(Packing(size, SHARE_BITS + 3, self.modulus).plaintexts for size in sizes)

    def products(self, count: int) -> int:
        """Plaintexts that hold sums of products of two columns for standard errors, |x| <= 8."""
        bits = bits_for(self.rows * 64.0, OF_CROSS)
        return Packing(count, bits, self.modulus).plaintexts

    def counts(self, columns: Columns) -> int:
        """Plaintexts that hold the event counts of a host's bins."""
        return Packing(columns.slots, self.rows.bit_length() + 3, self.modulus).plaintexts

    def correlations(self, columns: Columns) -> int:
        """Plaintexts that hold the guest's correlations with a host's columns."""
        return Layout(self.guest.count, self.modulus).groups * columns.count

    def histograms(self, columns: Columns, nodes: int) -> int:
        """Plaintexts that hold the sums of (g, h) of some nodes by slot."""
        return Packing(nodes * columns.slots, Slot.holding(self.rows, 1.0).bits, self.modulus).plaintexts
