"""Numbers modulo p in eight lanes: exact up to the largest limbs that are allowed, and tight again after."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from vfl.crypto.modular.ifma import gate

P = 2**255 - 19
LARGEST = 2**52 - 1, 2**47 + 2**12
EDGES = [0, 1, 2**52 - 20, 2**52 - 19, 2**52 - 18, 2**51, 2**52 - 1]
TOP_EDGES = [0, 1, 2**47 - 2, 2**47 - 1, 2**47, LARGEST[1]]
OPERATIONS = "product", "square", "difference", "negative", "canonical", "wide difference"
Words = NDArray[np.uint64]
Compute = Callable[[Words, Words, Words], None]


@pytest.fixture(scope="module")
def compute() -> Compute:
    if lacking := gate.missing():
        pytest.skip(lacking)
    from psi.group.ifma import field
    from vfl.crypto.modular.ifma.compiled import ROWS, entry

    def computed(out: Words, left: Words, right: Words) -> None:
        x, y = field.read(left, 0), field.read(right, 0)
        field.write(out, 0, field.times(x, y))
        field.write(out, 40, field.squared(x))
        field.write(out, 80, field.carried(field.minus(x, y)))
        field.write(out, 120, field.negated(x))
        field.write(out, 160, field.canonical(x))
        field.write(out, 200, field.carried(field.minus(field.product(x, x), field.product(x, y))))

    return entry(ROWS, ROWS, ROWS)(computed)


def value(words: Words, lane: int) -> int:
    return sum(int(words[8 * k + lane]) << (52 * k) for k in range(5))


@pytest.mark.parametrize("seed", range(40))
def test_numbers_of_any_tight_limbs_compute_exactly(compute: Compute, seed: int) -> None:
    rng, out = np.random.default_rng(seed), np.empty(40 * len(OPERATIONS), np.uint64)
    left, right = (
        np.concatenate(
            [rng.choice(np.array(EDGES, np.uint64), 32), rng.choice(np.array(TOP_EDGES, np.uint64), 8)]
        )
        for _ in range(2)
    )
    if seed == 0:
        left[:32] = right[:32] = LARGEST[0]
        left[32:] = right[32:] = LARGEST[1]
    compute(out, left, right)
    for lane in range(8):
        x, y = value(left, lane), value(right, lane)
        want = x * y, x * x, x - y, -x, x, x * x - x * y
        got = [value(out[40 * k : 40 * k + 40], lane) for k in range(len(OPERATIONS))]
        assert [g % P for g in got] == [w % P for w in want]
        assert got[4] == x % P
    numbers = out.reshape(len(OPERATIONS), 5, 8)
    assert numbers[:, :4].max() <= LARGEST[0]
    assert numbers[:, 4].max() <= LARGEST[1]
