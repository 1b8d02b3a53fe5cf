"""Several signed sums in one plaintext.

    v = sum_j v_j 2^(L j),   |v_j| < 2^(L-2),   j = 0 .. S-1,   S = floor((|N| - 2) / L)

The digits are balanced, so neighbours of a negative one are recovered exactly and |v| < N / 4.
Masking is done modulo N on the whole plaintext; unpack only after the mask has been removed.
"""

from __future__ import annotations

from dataclasses import dataclass

from vfl.crypto.fixed_point import centred


@dataclass(frozen=True, slots=True)
class Packing:
    """`count` signed values in slots of `bits`, under a modulus n."""

    count: int
    bits: int
    n: int

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise OverflowError(f"a slot of {self.bits} bits does not fit a key of {self.n.bit_length()}")

    @property
    def slots(self) -> int:
        """Values in one plaintext."""
        return (self.n.bit_length() - 2) // self.bits

    @property
    def plaintexts(self) -> int:
        """Plaintexts that hold all values."""
        return -(-self.count // self.slots)

    def pack(self, values: list[int]) -> list[int]:
        """Return the plaintexts in [0, n) of the values; raise OverflowError at the bound."""
        assert len(values) == self.count
        if any(abs(v) >= 1 << (self.bits - 2) for v in values):
            raise OverflowError(f"a sum does not fit its slot of {self.bits} bits")
        groups = [values[i : i + self.slots] for i in range(0, self.count, self.slots)]
        return [sum(v << (self.bits * j) for j, v in enumerate(group)) % self.n for group in groups]

    def unpack(self, plaintexts: list[int]) -> list[int]:
        """Return the values of the plaintexts; raise OverflowError where one left its slot."""
        assert len(plaintexts) == self.plaintexts
        out: list[int] = []
        for v in plaintexts:
            rest = centred(v, self.n)
            for _ in range(min(self.slots, self.count - len(out))):
                digit = centred(rest & ((1 << self.bits) - 1), 1 << self.bits)
                if abs(digit) >= 1 << (self.bits - 2):
                    raise OverflowError(f"a sum left its slot of {self.bits} bits")
                out.append(digit)
                rest = (rest - digit) >> self.bits
            if rest:
                raise OverflowError("a packed plaintext holds more than its slots")
        return out
