"""sf-heu's operations on arrays, which stay its own objects throughout: nothing is converted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from scripts.benchmarks.arithmetic import inputs
from scripts.benchmarks.arithmetic.inputs import BIN_COLUMNS, BINS, Inputs
from scripts.benchmarks.measuring.clock import Operation

SCHEMAS = {"heu-ZP": "z-paillier", "heu-OU": "ou"}
"""Its ZPaillier, and Okamoto and Uchiyama's scheme, whose plaintexts have a third of the bits."""

LEAST = 100
"""Rows of its slow operations."""


def operations(schema: str, bits: int, given: Inputs) -> Iterator[Operation]:
    """Yield what it offers of all that is measured."""
    with _stdout_to_stderr():  # where it logs
        from heu import numpy as heu_numpy
        from heu import phe as heu_phe

    kit = heu_numpy.setup(schema, bits)
    encryptor, decryptor, evaluator = kit.encryptor(), kit.decryptor(), kit.evaluator()
    encoder = heu_phe.BigintEncoder(kit.get_schema())

    def plain(values: Any) -> Any:
        return kit.array(np.ascontiguousarray(values), encoder)

    x, rows = plain(given.residuals[:, None]), given.rows
    c = encryptor.encrypt(x)
    few = encryptor.encrypt(plain(given.residuals[:LEAST, None]))
    yield inputs.ENCRYPT, rows, lambda: encryptor.encrypt(x)
    yield inputs.DECRYPT, len(given.residuals[:LEAST]), lambda: decryptor.decrypt(few)
    yield inputs.ADD, rows, lambda: evaluator.add(c, c)
    by_bin, everybody = evaluator.feature_wise_bucket_sum, np.ones(rows, np.int8)
    for d in BIN_COLUMNS:
        codes = np.ascontiguousarray(given.codes[d], np.int8)
        yield inputs.by_bin(d), rows * d, lambda k=codes: by_bin(c, everybody, k, BINS, False)
    powers = given.powers[:LEAST]
    columns = [(encryptor.encrypt(plain(k[:, None])), plain(k[:, None])) for k in powers.T]

    def row_powers() -> Any:
        first, *others = (evaluator.mul(c, k) for c, k in columns)
        for other in others:
            first = evaluator.add(first, other)
        return first

    yield inputs.POWERS, len(powers), row_powers
    matrix = given.matrix[:LEAST]
    vector = encryptor.encrypt(plain(matrix[:, :1]))
    k = plain(matrix.T)
    yield inputs.PRODUCT, len(matrix) / len(given.matrix), lambda: evaluator.matmul(k, vector)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
