"""The group of private set intersection: ristretto255 (RFC 9496), computed by libsodium.

An id becomes an element by `hash_to_ristretto255` (RFC 9380, appendix B; the HashToGroup of RFC 9497):

    H(x) = from_uniform_bytes(expand_message_xmd(SHA-512, utf8(x), DST, 64))

so that nobody knows a relation between the elements of two ids, and a `Blinder` raises elements
to a secret power.  Three types keep apart what may be seen: `Hashed` elements, from which ids can
be found by trying all of them, fit in no message; `Points` have been raised to a secret and do.

libsodium is called through rbcl's public functions, once an element: the call costs 1 us where
the power costs 42, and it releases the interpreter lock, so that threads run side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha512

import numpy as np
import rbcl
from numpy.typing import NDArray

from vfl.crypto.randomness import Randomness

ORDER = 2**252 + 27742317777372353535851937790883648493
"""The number of elements, a prime."""

SIZE = 32
"""Bytes of an element and of a scalar."""

DST = b"vfl-psi-v1-ristretto255_XMD:SHA-512_R255MAP_RO_"
"""Domain separation of H, before the caller's own domain (RFC 9380, 3.1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Hashed:
    """Elements H(x) of ids: not secret enough for any message."""

    rows: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Hashed({len(self)})"


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Elements raised to a secret power, one to a row of 32 bytes.

    Only the shape is checked here: whether a row encodes an element is known when it is raised.
    """

    rows: NDArray[np.uint8]

    def __post_init__(self) -> None:
        assert self.rows.dtype == np.uint8
        assert self.rows.ndim == 2
        assert self.rows.shape[1] == SIZE

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Points({len(self)})"

    @property
    def sealed_count(self) -> int:
        """The number of elements."""
        return len(self)

    def to_wire(self) -> tuple[dict[str, int | str], bytes]:
        """Return {"count": n} and 32 n bytes."""
        return {"count": len(self)}, self.rows.tobytes()

    @classmethod
    def from_wire(cls, header: dict[str, int | str], data: bytes) -> Points:
        """Rebuild from `to_wire`; raise ValueError unless the length is that of the count."""
        if header != {"count": len(data) // SIZE} or len(data) % SIZE:
            raise ValueError(f"{len(data)} bytes are not the points announced")
        return cls(_rows(data))


class Blinder:
    """A secret power, drawn once and never shown: x -> x^a with a uniform in 1 .. ORDER - 1."""

    __slots__ = ("_scalar",)

    def __init__(self, rng: Randomness) -> None:
        self._scalar = (1 + rng.below(ORDER - 1)).to_bytes(SIZE, "little")

    def __repr__(self) -> str:
        return "Blinder()"

    def blind(self, points: Hashed | Points, workers: int = 1) -> Points:
        """Return every element raised to the secret, in the order given.

        Raises ValueError, naming the first index, on what is no canonical encoding and on the
        identity, whose every power is the identity again.
        """
        data = points.rows.tobytes()

        def raised(index: int) -> bytes:
            try:
                power: bytes = rbcl.crypto_scalarmult_ristretto255(
                    self._scalar, data[SIZE * index : SIZE * index + SIZE]
                )
            except RuntimeError:
                raise ValueError(f"point {index} is the identity or no group element") from None
            return power

        return Points(_rows(_mapped(raised, len(points), workers)))


def hash_to_group(ids: Sequence[str] | NDArray[np.object_], domain: bytes, workers: int = 1) -> Hashed:
    """Return H(x) of every id; different domains give unrelated elements."""
    return hash_to_ristretto255([text.encode() for text in ids], DST + domain, workers)


def hash_to_ristretto255(messages: Sequence[bytes], dst: bytes, workers: int = 1) -> Hashed:
    """Return the element of every message under a domain separation tag (RFC 9380, appendix B)."""
    expand = _expander(dst)
    return mapped_to_group([expand(message) for message in messages], workers)


def mapped_to_group(uniform: Sequence[bytes], workers: int = 1) -> Hashed:
    """Return the element of every 64 uniform bytes (RFC 9496, 4.3.4)."""

    def element(index: int) -> bytes:
        mapped: bytes = rbcl.crypto_core_ristretto255_from_hash(uniform[index])
        return mapped

    return Hashed(_rows(_mapped(element, len(uniform), workers)))


def _expander(dst: bytes) -> Callable[[bytes], bytes]:
    """Return m -> expand_message_xmd(SHA-512, m, dst, 64) (RFC 9380, 5.3.1), which is one block, b_1."""
    if len(dst) > 255:
        dst = sha512(b"H2C-OVERSIZE-DST-" + dst).digest()
    dst_prime = dst + bytes([len(dst)])
    z_pad = sha512(bytes(128))
    after = (64).to_bytes(2, "big") + b"\x00" + dst_prime

    def expand(message: bytes) -> bytes:
        b_0 = z_pad.copy()
        b_0.update(message + after)
        return sha512(b_0.digest() + b"\x01" + dst_prime).digest()

    return expand


def _mapped(element: Callable[[int], bytes], n: int, workers: int) -> bytes:
    """Return element(0) || ... || element(n - 1), one run of indices to a thread."""

    def run(indices: Iterable[int]) -> bytes:
        return b"".join([element(index) for index in indices])

    if workers == 1:
        return run(range(n))
    edges = [n * worker // workers for worker in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        return b"".join(pool.map(run, map(range, edges[:-1], edges[1:])))


def _rows(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, SIZE)
