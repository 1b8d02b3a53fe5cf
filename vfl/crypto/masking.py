"""Two ways to hide packed sums from who decrypts them, and what its answer then tells.

Whole, the default: one mask R for each plaintext, uniform in [0, N).

    seen      P + R mod N, uniform whatever P is: perfectly hidden
    answered  its low S L + 16 bits, for S sums of L bits in it; all of it where these are nearly all

Rounded, to b bits a sum: one mask r_j for each sum, uniform in [0, 2^(L+64)), in slots of L + 67 bits.

    seen      m_j = v_j + 2^(L-2) + r_j of each sum |v_j| < 2^(L-2): within 2^-65 of what it would be
              for any other v_j, in statistical distance
    answered  floor(m_j / 2^k) mod 2^b,  k = L - 1 - b
    learnt    v_j to +-2^(k-1), an error that is uniform and independent of v_j

Either way the answer's length bounds what is learnt, whatever a party masks or puts where its sums
should be: S L + 16 bits a plaintext, or b bits a sum.  That is why b counts the answer's bits and is
not a precision that the party promises to keep to: it chooses L and may lie about it, and then learns
b other bits.  (The 16 bits more show sums that outgrew their slots.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vfl.crypto.fixed_point import centred
from vfl.crypto.modular import width_of
from vfl.crypto.packing import Packing
from vfl.crypto.randomness import Randomness

HIDING = 64
"""Bits by which the mask of one sum is longer than the sum."""

GUARD = 16
"""Bits above the sums of a plaintext that are answered as well."""


class Masking(Protocol):
    """Masks for some packed sums: what the party adds and removes, and what is answered between."""

    @property
    def packing(self) -> Packing:
        """How the sums are packed before they are masked."""
        ...

    @property
    def bits(self) -> int:
        """Bits of a sum."""
        ...

    @property
    def told(self) -> int:
        """Bits of a sum that the party learns."""
        ...

    @property
    def limits(self) -> list[int]:
        """What each number of an answer is below."""
        ...

    @property
    def width(self) -> int:
        """Bytes of the largest number of an answer."""
        ...

    def draw(self, rng: Randomness) -> list[int]:
        """Return fresh masks, which are used once."""
        ...

    def added(self, masks: list[int]) -> list[int]:
        """Return what the masks add to each plaintext, in [0, N)."""
        ...

    def answer(self, plain: list[int]) -> list[int]:
        """Return what who decrypts answers; OverflowError where the plaintexts are no masked sums."""
        ...

    def remove(self, answer: list[int], masks: list[int]) -> list[int]:
        """Return the sums; OverflowError where an answer below its limits holds none."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """One mask for each plaintext."""

    packing: Packing

    @property
    def bits(self) -> int:
        """Bits of a sum."""
        return self.packing.bits

    @property
    def told(self) -> int:
        """All of them."""
        return self.packing.bits

    @property
    def limits(self) -> list[int]:
        """2^(S L + 16), or N where the sums nearly fill a plaintext."""
        p = self.packing
        filled = [min(p.slots, p.count - p.slots * i) * p.bits + GUARD for i in range(p.plaintexts)]
        return [1 << size if size + HIDING < p.n.bit_length() else p.n for size in filled]

    @property
    def width(self) -> int:
        """Bytes of a number below N."""
        return width_of(self.packing.n)

    def draw(self, rng: Randomness) -> list[int]:
        """Return a uniform element of Z_N for each plaintext."""
        return [rng.below(self.packing.n) for _ in range(self.packing.plaintexts)]

    def added(self, masks: list[int]) -> list[int]:
        """Return the masks."""
        return masks

    def answer(self, plain: list[int]) -> list[int]:
        """Return the low bits of each plaintext."""
        return [v % limit for v, limit in zip(plain, self.limits, strict=True)]

    def remove(self, answer: list[int], masks: list[int]) -> list[int]:
        """Return the sums."""
        parts = zip(answer, masks, self.limits, strict=True)
        return self.packing.unpack([self._unmasked(*part) for part in parts])

    def _unmasked(self, answer: int, mask: int, limit: int) -> int:
        """Return P mod N: the smallest P for which P + R mod N ends in the answer.

        For all masks but one in 2^64, those so close to 0 or N that P + R may leave [0, N), there is
        but one such P, and for those 2^16 to 1 that it is the smallest.
        """
        n = self.packing.n
        fitting = [
            plain
            for wrapped in (0, n, -n)
            if 0 <= (plain := centred((answer - mask + wrapped) % limit, limit)) + mask - wrapped < n
        ]
        return min(fitting, key=abs, default=n // 2) % n


@dataclass(frozen=True, slots=True)
class Rounded:
    """One mask for each of `count` sums of `bits`, of which the party learns `agreed` bits at most."""

    count: int
    bits: int
    agreed: int
    n: int

    @property
    def packing(self) -> Packing:
        """Slots that hold a masked sum; OverflowError where no plaintext does."""
        return Packing(self.count, self.bits + HIDING + 3, self.n)

    @property
    def told(self) -> int:
        """b."""
        return min(self.agreed, self.bits - 1)

    @property
    def dropped(self) -> int:
        """k."""
        return self.bits - 1 - self.told

    @property
    def limits(self) -> list[int]:
        """2^b for each sum."""
        return [1 << self.told] * self.count

    @property
    def width(self) -> int:
        """Bytes of b bits."""
        return -(-self.told // 8)

    def draw(self, rng: Randomness) -> list[int]:
        """Return r_j for each sum."""
        return [rng.below(1 << (self.bits + HIDING)) for _ in range(self.count)]

    def added(self, masks: list[int]) -> list[int]:
        """Return the packed r_j + 2^(L-2)."""
        return self.packing.pack([r + (1 << (self.bits - 2)) for r in masks])

    def answer(self, plain: list[int]) -> list[int]:
        """Return b bits of each masked sum."""
        masked = self.packing.unpack(plain)
        if min(masked) < 0:
            raise OverflowError(f"a masked sum does not fit its slot of {self.bits} bits")
        return [(m >> self.dropped) % (1 << self.told) for m in masked]

    def remove(self, answer: list[int], masks: list[int]) -> list[int]:
        """Return the middle of where each sum can be."""
        span, half = 1 << (self.bits - 1), (1 << self.dropped) >> 1
        middles = [((a << self.dropped) - r + half) % span for a, r in zip(answer, masks, strict=True)]
        return [m - (span >> 1) for m in middles]
