"""Paillier encryption with Damgard-Jurik-Nielsen randomisers, on arrays.

    N = pq,  p = q = 3 (mod 4)
    h = -x^2 mod N  with  x = SHAKE256('vfl-djn' || N) mod N,    h_s = h^N mod N^2
    E(m; r) = (1 + m N) h_s^r mod N^2,    r uniform of |N|/2 bits
    D(c) = L(c^(p-1) mod p^2) ...         by the Chinese remainder theorem

(Paillier 1999; Damgard, Jurik and Nielsen 2010, section 4.2: with r of |N|/2 bits semantic
security rests on factoring-type assumptions about N alone.)  Shorter r additionally assume that
discrete logarithms to short exponents of h_s are hard: 448 bits for a 224-bit work factor against
generic attacks, 320 for 160.  Every party derives h_s itself from N; nobody is sent one.

What has not been randomised has the type `Unrandomised`, which no message accepts.  Arithmetic
yields `Unrandomised`; only `PublicKey.randomise`, `rerandomise` and `randomise_fully` lead from there to
`Ciphertexts`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import gmpy2
import numpy as np
import phe
from numpy.typing import NDArray

from vfl.crypto.modular import (
    Gmp,
    Modular,
    Pairs,
    all_below,
    from_ints,
    from_signed,
    to_ints,
    to_pairs,
    width_of,
)
from vfl.crypto.packing import Packing
from vfl.crypto.randomness import Randomness
from vfl.errors import SecurityError

MINIMUM_BITS = 2048
RANDOMISER_BITS = {"half": 0, "448": 448, "320": 320}
_SMALL_PRIMES = gmpy2.primorial(1 << 16)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Encrypted:
    key: str
    pairs: Pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} under {self.key})"


class Ciphertexts(_Encrypted):
    """Freshly randomised ciphertexts: shape (n,), the only encrypted values that may be sent."""

    __slots__ = ()

    @property
    def sealed_count(self) -> int:
        """Their number, for the ledger."""
        return len(self)

    def __getitem__(self, rows: slice) -> Ciphertexts:
        return Ciphertexts(self.key, self.pairs[rows])

    def take(self, rows: NDArray[np.int64]) -> Unrandomised:
        """Return these rows, in this order, for arithmetic: they have been sent before."""
        return Unrandomised(self.key, self.pairs[rows])

    @classmethod
    def joined(cls, parts: Sequence[Ciphertexts]) -> Ciphertexts:
        """Return all parts, which are under one key, as one vector."""
        (key,) = {part.key for part in parts}
        return cls(key, np.concatenate([part.pairs for part in parts]))

    def to_wire(self) -> tuple[dict[str, int | str], bytes]:
        """Key fingerprint and width, then n x width bytes, little-endian."""
        return {"key": self.key, "width": self.pairs.shape[1]}, self.pairs.tobytes()

    @classmethod
    def from_wire(cls, header: dict[str, int | str], data: bytes) -> Self:
        """Rebuild; whether they belong to a key is for `PublicKey.check` to say."""
        key, width = header.get("key"), header.get("width")
        if type(key) is not str or type(width) is not int or not 0 < width <= 4096 or len(header) != 2:
            raise ValueError("not a ciphertext header")
        if len(data) % width:
            raise ValueError("ciphertexts are cut short")
        return cls(key, np.frombuffer(data, np.uint8).reshape(-1, width))


class Unrandomised(_Encrypted):
    """Results of arithmetic on ciphertexts: they may tell how they were made and cannot be sent."""

    __slots__ = ()

    def take(self, rows: NDArray[np.int64]) -> Unrandomised:
        """Return these rows, in this order."""
        return Unrandomised(self.key, self.pairs[rows])


Encrypted = Ciphertexts | Unrandomised


@dataclass(frozen=True, eq=False, repr=False)
class PublicKey:
    """Encrypts and computes; cannot decrypt."""

    n: int
    modular: Modular = field(default_factory=Gmp)
    randomiser_bits: int = 0  # 0: half the bits of n
    minimum_bits: int = MINIMUM_BITS
    source: str = "this party"
    """Who made the key: named in errors."""

    def __post_init__(self) -> None:
        n = gmpy2.mpz(self.n)
        if n.bit_length() < self.minimum_bits:
            raise SecurityError(
                self.source,
                f"sent a modulus of {n.bit_length()} bits, at least {self.minimum_bits} are needed",
            )
        if n % 2 == 0 or gmpy2.gcd(n, _SMALL_PRIMES) != 1:
            raise SecurityError(self.source, "sent a modulus with a small factor")
        if gmpy2.is_prime(n) or gmpy2.is_power(n):
            raise SecurityError(self.source, "sent a modulus that is no product of two different primes")

    @classmethod
    def insecure_short_key_for_tests_only(cls, n: int, modular: Modular | None = None) -> PublicKey:
        """Return a key of any size."""
        return cls(n, modular or Gmp(), minimum_bits=16)

    def __repr__(self) -> str:
        return f"PublicKey({self.n.bit_length()} bits, {self.fingerprint})"

    @cached_property
    def fingerprint(self) -> str:
        """The first 16 hex digits of SHA-256 of the modulus, big-endian."""
        size = -(-self.n.bit_length() // 8)
        return hashlib.sha256(self.n.to_bytes(size, "big")).hexdigest()[:16]

    @cached_property
    def n_squared(self) -> int:
        """The modulus of ciphertexts."""
        return self.n * self.n

    @cached_property
    def width(self) -> int:
        """Bytes of a ciphertext."""
        return 2 * width_of(self.n)

    @cached_property
    def h_s(self) -> int:
        """The base of all randomisers, derived from the modulus alone."""
        size = -(-self.n.bit_length() // 8)
        seed = hashlib.shake_256(b"vfl-djn" + self.n.to_bytes(size, "big")).digest(size + 16)
        x = int.from_bytes(seed, "big") % self.n
        return int(gmpy2.powmod(-x * x % self.n, self.n, self.n_squared))

    @cached_property
    def u_s(self) -> int:
        """u^N mod N^2 for the least u whose Jacobi symbol modulo N is -1: an encryption of 0."""
        u = next(u for u in range(2, 1 << 16) if gmpy2.jacobi(u, self.n) == -1)
        return int(gmpy2.powmod(u, self.n, self.n_squared))

    # what may be sent

    def encrypt(self, plain: NDArray[np.int64], rng: Randomness) -> Ciphertexts:
        """Encrypt signed integers: shape (n,)."""
        return self.randomise(self.lift(plain), rng)

    def randomise(self, c: Encrypted, rng: Randomness) -> Ciphertexts:
        """Multiply each by a fresh h_s^r: equal plaintexts become independent of how they were made."""
        size = (self.randomiser_bits or self.n.bit_length() // 2) // 8
        exponents = np.frombuffer(rng.fresh(len(c) * size), np.uint8).reshape(-1, size)
        out = self.modular.fixed_base_powers(self.h_s, exponents, self.n, self._own(c))
        return Ciphertexts(self.fingerprint, out)

    def rerandomise(self, c: Encrypted, rng: Randomness) -> Ciphertexts:
        """Randomise what was computed from a peer's ciphertexts, and hide what their Jacobi symbols tell.

        Powers of h_s have Jacobi symbol 1 modulo N.  A peer that sends one ciphertext of symbol -1 would
        see from a sum, without any key, whether that row is in it.  So each is multiplied by u_s or not,
        at random.
        """
        coins = np.frombuffer(rng.bytes(len(c)), np.uint8) & 1
        factors = to_pairs([1, self.u_s], self.n)[coins]
        return self.randomise(self._new(self.modular.multiply(self._own(c), factors, self.n)), rng)

    def randomise_fully(self, c: Encrypted, rng: Randomness) -> Ciphertexts:
        """Multiply each by a fresh r^N, r uniform in Z_N*: uniform among all encryptions of its plaintext.

        For what goes to the party that holds the private key and made the ciphertexts this was computed
        from.  It can choose randomisers outside of the powers of h_s, and recognise those; `randomise`
        stays within these powers, so such marks survive it and tell which ciphertexts were summed.
        r -> r^N is a bijection from Z_N* to the N-th residues modulo N^2, so this hides perfectly, from
        anyone, for some twenty times the cost.
        """
        roots = to_pairs([self._unit(rng) for _ in range(len(c))], self.n)
        fresh = self.modular.powers(roots, self.n, self.n)
        return Ciphertexts(self.fingerprint, self.modular.multiply(self._own(c), fresh, self.n))

    # arithmetic

    def lift(self, plain: Sequence[int] | NDArray[np.int64]) -> Unrandomised:
        """Return 1 + mN, the pairs (1, m): encryptions that hide nothing, for arithmetic only."""
        half = self.width // 2
        pairs = np.zeros((len(plain), self.width), np.uint8)
        pairs[:, 0] = 1
        if isinstance(plain, np.ndarray) and self.n.bit_length() > 64:
            pairs[:, half:] = from_signed(plain, self.n)
        else:
            pairs[:, half:] = from_ints((int(m) % self.n for m in plain), half)
        return self._new(pairs)

    def add(self, a: Encrypted, b: Encrypted) -> Unrandomised:
        """Return E(a_i + b_i)."""
        return self._new(self.modular.multiply(self._own(a), self._own(b), self.n))

    def sum(self, c: Encrypted) -> Unrandomised:
        """Return E(sum of c): one ciphertext."""
        return self._new(self.modular.product(self._own(c), self.n))

    def sum_by_bin(self, c: Encrypted, codes: NDArray[np.int64], bins: Sequence[int]) -> list[Unrandomised]:
        """Return E of the sums of c by bin of each column: codes of shape (n, d), d results."""
        sums = self.modular.sum_by_bin(self._own(c), codes, bins, self.n)
        return [self._new(s) for s in sums]

    def row_products(self, c: Encrypted, k: NDArray[np.int64]) -> Unrandomised:
        """Return E(sum_j k_ij c_ij) row by row: c holds n x q ciphertexts row-major, k shape (n, q)."""
        cube = self._own(c).reshape(*k.shape, self.width)
        return self._new(self.modular.row_powers(cube, k, self.n))

    def weighted_sums(self, c: Encrypted, k: NDArray[np.int64]) -> Unrandomised:
        """Return E(sum_i k_ij c_i) for each column j: k of shape (n, d), d results."""
        return self._new(self.modular.multi_exponentiation(self._own(c), k, self.n))

    def joined(self, parts: Sequence[Encrypted]) -> Unrandomised:
        """Return all parts as one vector."""
        return self._new(np.concatenate([self._own(p) for p in parts]))

    def pack(self, c: Encrypted, packing: Packing) -> Unrandomised:
        """Return E(sum_j c_j 2^(L j)) for each group of slots."""
        assert len(c) == packing.count
        assert packing.n == self.n
        return self._new(self.modular.packed(self._own(c), packing.slots, packing.bits, self.n))

    def check(self, c: Ciphertexts, count: int, sender: str) -> None:
        """Raise SecurityError, which names the sender, unless these are `count` valid ciphertexts."""
        if c.key != self.fingerprint or c.pairs.shape[1] != self.width:
            raise SecurityError(sender, f"sent ciphertexts under another key than the one of {self.source}")
        if len(c) != count:
            raise SecurityError(sender, f"sent {len(c)} ciphertexts, {count} were expected")
        if not all_below(c.pairs.reshape(-1, self.width // 2), self.n):
            raise SecurityError(sender, "sent a ciphertext outside of the group")
        if self.modular.shares_a_factor(c.pairs, self.n):
            raise SecurityError(sender, "sent a ciphertext that shares a factor with the modulus")

    def _unit(self, rng: Randomness) -> int:
        """A uniform element of Z_N*, by rejection."""
        while True:
            r = rng.below(self.n)
            if gmpy2.gcd(r, self.n) == 1:
                return r

    def _own(self, c: Encrypted) -> Pairs:
        assert c.key == self.fingerprint, "ciphertexts under another key"
        return c.pairs

    def _new(self, pairs: Pairs) -> Unrandomised:
        return Unrandomised(self.fingerprint, pairs)


@dataclass(frozen=True, eq=False, repr=False)
class PrivateKey:
    """Decrypts; held by the arbiter alone."""

    public: PublicKey
    p: int
    q: int

    def __post_init__(self) -> None:
        assert self.p * self.q == self.public.n

    def __repr__(self) -> str:
        return f"PrivateKey(for {self.public!r})"

    @classmethod
    def generate(cls, bits: int, rng: Randomness, modular: Modular | None = None) -> PrivateKey:
        """Return a fresh key of exactly `bits` bits; fewer than 2048 are refused."""
        p, q = _primes(bits, rng)
        return cls(PublicKey(p * q, modular or Gmp()), p, q)

    @classmethod
    def insecure_short_key_for_tests_only(
        cls, bits: int, rng: Randomness, modular: Modular | None = None
    ) -> PrivateKey:
        """Return a key of any size."""
        p, q = _primes(bits, rng)
        return cls(PublicKey.insecure_short_key_for_tests_only(p * q, modular), p, q)

    def decrypt(self, c: Ciphertexts) -> list[int]:
        """Return the plaintexts in [0, N) of valid ciphertexts."""
        return to_ints(self.public.modular.crt_decrypt(c.pairs, self.p, self.q))

    def as_phe(self) -> phe.PaillierPrivateKey:
        """Return the same key as python-paillier's."""
        return phe.PaillierPrivateKey(phe.PaillierPublicKey(self.public.n), self.p, self.q)


def _primes(bits: int, rng: Randomness) -> tuple[int, int]:
    while True:
        p, q = _prime(bits // 2, rng), _prime(bits // 2, rng)
        if p != q and math.gcd(p - 1, q - 1) == 2:
            return p, q


def _prime(bits: int, rng: Randomness) -> int:
    """A uniform prime = 3 (mod 4) with its two top bits set, so that pq has full length."""
    while True:
        candidate = gmpy2.mpz(rng.below(1 << bits) | 3 << (bits - 2) | 3)
        if gmpy2.is_prime(candidate, 40):
            return int(candidate)
