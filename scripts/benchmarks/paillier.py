"""Paillier on arrays against python-paillier, one core each, in one run."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import phe

from vfl.crypto.modular import from_pairs
from vfl.crypto.paillier import PrivateKey
from vfl.crypto.randomness import Randomness


def rate(work: int, call: Callable[[], object], repeats: int = 3) -> float:
    """Return units of work per CPU second, the best of some runs."""
    best = float("inf")
    for _ in range(repeats):
        begun = time.process_time()
        call()
        best = min(best, time.process_time() - begun)
    return work / best


def measured(rows: int) -> dict[str, tuple[float, float]]:
    """Return {operation: (our rate, python-paillier's)} at 2048 bits."""
    rng, values = Randomness(), np.random.default_rng(1)
    private = PrivateKey.generate(2048, rng)
    ours, theirs = private.public, phe.PaillierPublicKey(private.public.n)
    r = values.integers(-1000, 1000, rows)
    c = ours.encrypt(r, rng)
    few = min(rows, 40)
    p = [phe.EncryptedNumber(theirs, v) for v in from_pairs(c.pairs, theirs.n)]
    codes = values.integers(0, 10, (rows, 5))
    woe = values.normal(size=(5, 10)).round(4)
    numbers = values.integers(-(2**15), 2**15, (rows, 2))

    def binned() -> None:
        for j, s in enumerate(ours.sum_by_bin(c, codes, [10] * 5)):
            ours.weighted_sums(s, np.rint(woe[j] * 2**20).astype(np.int64)[:, None])

    def their_product(columns: list[list[float]], n: int) -> None:
        for column in columns:
            total = p[0] * column[0]
            for v, x in zip(p[1:n], column[1:n], strict=True):
                total = total + v * x

    woe_columns = [woe[j][codes[:few, j]].tolist() for j in range(5)]
    return {
        "encrypt": (
            rate(rows, lambda: ours.encrypt(r, rng)),
            rate(few, lambda: [theirs.encrypt(int(v)) for v in r[:few]]),
        ),
        "sum of ciphertexts": (rate(rows, lambda: ours.sum(c)), rate(rows, lambda: sum(p[1:], p[0]))),
        "X^T[[r]], WOE columns": (
            rate(rows * 5, binned),
            rate(few * 5, lambda: their_product(woe_columns, few)),
        ),
        "X^T[[r]], 16-bit numbers": (
            rate(rows * 2, lambda: ours.weighted_sums(c, numbers)),
            rate(few * 2, lambda: their_product(numbers[:few].T.tolist(), few)),
        ),
    }


def main() -> None:
    """Print one line an operation: our rate, the peer's, the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measured(options.rows)
    if options.json:
        print(json.dumps({k: {"vfl": a, "phe": b, "ratio": a / b} for k, (a, b) in found.items()}))
        return
    print(f"{'2048 bits, per CPU second':28}{'vfl':>12}{'phe':>12}{'ratio':>8}")
    for name, (a, b) in found.items():
        print(f"{name:28}{a:12.0f}{b:12.0f}{a / b:8.1f}")


if __name__ == "__main__":
    main()
