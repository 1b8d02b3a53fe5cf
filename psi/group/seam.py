"""What every backend of the group can do."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha512
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ORDER = 2**252 + 27742317777372353535851937790883648493
"""The number of elements, a prime."""

SIZE = 32
"""Bytes of an element and of a scalar."""

UNIFORM = 64
"""Uniform bytes that an element is made from."""

Rows = NDArray[np.uint8]
"""Contiguous rows of SIZE bytes, or of UNIFORM."""


class Group(Protocol):
    """Elements of ristretto255 by the row.  A scalar is in 1 .. ORDER - 1.

    `raised` and `mapped_and_raised` raise ValueError, naming the first row, on what is no canonical
    encoding and on the identity, whose every power is the identity again.
    """

    def expanded(self, messages: Sequence[bytes], dst: bytes) -> Rows:
        """Return expand_message_xmd(SHA-512, message, dst, 64) of every message (RFC 9380, 5.3.1)."""
        ...

    def mapped(self, uniform: Rows) -> Rows:
        """Return the element of every 64 uniform bytes (RFC 9496, 4.3.4)."""
        ...

    def raised(self, elements: Rows, scalar: int) -> Rows:
        """Return every element to the power of the scalar."""
        ...

    def mapped_and_raised(self, uniform: Rows, scalar: int) -> Rows:
        """Return `raised(mapped(uniform), scalar)`."""
        ...


def framed(dst: bytes) -> tuple[bytes, bytes]:
    """Return what follows the message in b_0, and b_0 in b_1 = expand_message_xmd of 64 bytes, one block."""
    if len(dst) > 255:
        dst = sha512(b"H2C-OVERSIZE-DST-" + dst).digest()
    dst_prime = dst + bytes([len(dst)])
    return UNIFORM.to_bytes(2, "big") + b"\x00" + dst_prime, b"\x01" + dst_prime


class RefusedRowError(ValueError):
    """A row that has no power, named by its index."""

    def __init__(self, index: int) -> None:
        super().__init__(f"point {index} is the identity or no group element")
        self.index = index
