"""Our backends' operations, conversions from and to the wire's bytes included."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scripts.benchmarks.arithmetic import inputs
from scripts.benchmarks.arithmetic.inputs import BIN_COLUMNS, BINS, Inputs
from scripts.benchmarks.measuring.clock import Operation
from vfl.crypto.modular import Modular
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness


def operations(modular: Modular, key: PrivateKey, given: Inputs) -> Iterator[Operation]:
    """Yield all that is measured."""
    rng, rows = Randomness(), given.rows
    public = PublicKey(key.public.n, modular)
    short = PublicKey(key.public.n, modular, 448)
    c = public.encrypt(given.residuals, rng)
    yield inputs.ENCRYPT, rows, lambda: public.encrypt(given.residuals, rng)
    yield inputs.SHORT, rows, lambda: short.encrypt(given.residuals, rng)
    private, few = PrivateKey(public, key.p, key.q), max(1, rows // 10)
    yield inputs.DECRYPT, few, lambda: private.decrypt(c[:few])
    yield inputs.ADD, rows, lambda: public.add(c, c)
    for d in BIN_COLUMNS:
        codes, bins = given.codes[d], [BINS] * d
        yield inputs.by_bin(d), rows * d, lambda k=codes, b=bins: public.sum_by_bin(c, k, b)
    draw = np.random.default_rng(2)
    codes, weights = draw.integers(0, 10, (rows, 5)), draw.integers(-(2**21), 2**21, (5, 10, 1))

    def woe_columns() -> None:
        for w, sums in zip(weights, public.sum_by_bin(c, codes, [10] * 5), strict=True):
            public.weighted_sums(sums, w)

    yield inputs.WOE, rows * 5, woe_columns
    for bits in (16, 24):
        numbers = draw.integers(-(2**bits), 2**bits, (rows, 10))
        yield inputs.numeric(bits), rows * 10, lambda x=numbers: public.weighted_sums(c, x)
    cells = c[: given.powers.size]
    yield inputs.POWERS, len(given.powers), lambda: public.row_products(cells, given.powers)
    vector = public.encrypt(draw.integers(-1000, 1000, len(given.matrix)), rng)
    yield inputs.PRODUCT, 1, lambda: public.weighted_sums(vector, given.matrix)
