"""python-paillier's operations, one number at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import phe

from scripts.benchmarks.arithmetic import inputs
from scripts.benchmarks.arithmetic.inputs import BIN_COLUMNS, Inputs
from scripts.benchmarks.measuring.clock import Operation
from vfl.crypto.paillier import PrivateKey

FEW = 40
ADDITIONS = 50
"""Times that the few are added up, for a time that can be measured."""


def operations(key: PrivateKey, given: Inputs) -> Iterator[Operation]:
    """Yield all that is measured, on a few numbers."""
    private = key.as_phe()
    public = private.public_key
    values = given.residuals[:FEW].tolist()
    few = len(values)
    c = [public.encrypt(v) for v in values]
    yield inputs.ENCRYPT, few, lambda: [public.encrypt(v) for v in values]
    yield inputs.DECRYPT, few, lambda: [private.decrypt(x) for x in c]

    def added() -> phe.EncryptedNumber:
        return sum(c[1:] * ADDITIONS, c[0])

    def weighted(bits: int) -> list[phe.EncryptedNumber]:
        numbers = np.random.default_rng(bits).integers(-(2**bits), 2**bits, few).tolist()
        return [x * v for x, v in zip(c, numbers, strict=True)]

    def summed(bits: int) -> phe.EncryptedNumber:
        return sum(weighted(bits)[1:], c[0])

    additions = (few - 1) * ADDITIONS
    for name in (inputs.ADD, *(inputs.by_bin(d) for d in BIN_COLUMNS)):
        yield name, additions, added
    yield inputs.WOE, few, lambda: summed(21)
    for bits in (16, 24):
        yield inputs.numeric(bits), few, lambda b=bits: summed(b)
    yield inputs.POWERS, few / given.powers.shape[1], lambda: summed(20)
    yield inputs.PRODUCT, few / given.matrix.size, lambda: summed(24)
