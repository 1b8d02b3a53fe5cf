"""Paillier on arrays: both of our backends beside python-paillier, one core each, in one run."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
import phe

from vfl.crypto.modular import Gmp, Modular, best
from vfl.crypto.modular.ifma import gate
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness

BITS = 2048
Rates = dict[str, float]


def rate(work: int, call: Callable[[], object], repeats: int = 3) -> float:
    """Return units of work per CPU second, the best of some runs."""
    best_run = float("inf")
    for _ in range(repeats):
        begun = time.process_time()
        call()
        best_run = min(best_run, time.process_time() - begun)
    return work / best_run


def ours(modular: Modular, key: PrivateKey, rows: int) -> Rates:
    """Return what a backend does of each operation in a second."""
    rng, values = Randomness(), np.random.default_rng(1)
    public = PublicKey(key.public.n, modular)
    short = PublicKey(key.public.n, modular, 448)
    private = PrivateKey(public, key.p, key.q)
    r = values.integers(-1000, 1000, rows)
    c, few = public.encrypt(r, rng), rows // 10
    found = {
        "encrypt": rate(rows, lambda: public.encrypt(r, rng)),
        "encrypt, 448-bit randomisers": rate(rows, lambda: short.encrypt(r, rng)),
        "decrypt": rate(few, lambda: private.decrypt(c[:few])),
        "add": rate(rows, lambda: public.add(c, c)),
    }
    for columns in (1, 5, 10, 13):
        codes = values.integers(0, 32, (rows, columns))
        sizes = [32] * columns
        name = f"add by bin, {columns} columns"
        found[name] = rate(rows * columns, lambda k=codes, s=sizes: public.sum_by_bin(c, k, s))
    codes, woe = values.integers(0, 10, (rows, 5)), values.integers(-(2**21), 2**21, (5, 10, 1))

    def woe_columns() -> None:
        for weights, sums in zip(woe, public.sum_by_bin(c, codes, [10] * 5), strict=True):
            public.weighted_sums(sums, weights)

    found["X^T r, 5 WOE columns"] = rate(rows * 5, woe_columns)
    for bits in (16, 24):
        numbers = values.integers(-(2**bits), 2**bits, (rows, 10))
        found[f"X^T r, 10 columns of {bits} bits"] = rate(
            rows * 10, lambda x=numbers: public.weighted_sums(c, x)
        )
    powers = values.integers(-(2**20), 2**20, (rows // 5, 5))
    found["5 times 20 bits in a row"] = rate(rows // 5, lambda: public.row_products(c, powers))
    return found


def theirs(key: PrivateKey, few: int = 40) -> Rates:
    """Return the same of python-paillier, one number at a time."""
    values = np.random.default_rng(1)
    public, private = key.as_phe().public_key, key.as_phe()
    r = values.integers(-1000, 1000, few).tolist()
    c = [public.encrypt(v) for v in r]

    def weighted(bits: int) -> list[phe.EncryptedNumber]:
        numbers = np.random.default_rng(bits).integers(-(2**bits), 2**bits, few).tolist()
        return [x * v for x, v in zip(c, numbers, strict=True)]

    def product(bits: int) -> float:
        return rate(few, lambda: sum(weighted(bits)[1:], c[0]))

    added = rate(few, lambda: sum(c[1:], c[0]))
    return {
        "encrypt": rate(few, lambda: [public.encrypt(v) for v in r]),
        "decrypt": rate(few, lambda: [private.decrypt(x) for x in c]),
        "add": added,
        **{f"add by bin, {columns} columns": added for columns in (1, 5, 10, 13)},
        "X^T r, 5 WOE columns": product(21),
        **{f"X^T r, 10 columns of {bits} bits": product(bits) for bits in (16, 24)},
        "5 times 20 bits in a row": rate(few, lambda: weighted(20)) / 5,
    }


def measured(rows: int) -> dict[str, Rates]:
    """Return {whose: {operation: per CPU second}}."""
    key = PrivateKey.generate(BITS, Randomness())
    found = {"gmp": ours(Gmp(), key, rows // 10), "phe": theirs(key)}
    if (lacking := gate.missing()) is None:
        return {"ifma": ours(best(1, "ifma"), key, rows), **found}
    print(f"without ifma: {lacking}", file=sys.stderr)
    return found


def main() -> None:
    """Print one line an operation: each rate, and ours over python-paillier's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measured(options.rows)
    if options.json:
        print(json.dumps({"bits": BITS, "per CPU second": found}))
        return
    mine = [name for name in found if name != "phe"]
    print(f"{f'{BITS} bits, per CPU second':32}", *(f"{name:>11}" for name in [*mine, "phe"]), end="")
    print("", *(f"{name + '/phe':>10}" for name in mine))
    for what, first in found[mine[0]].items():
        peer = found["phe"].get(what, float("nan"))
        rates = [first, *(found[name][what] for name in mine[1:]), peer]
        print(f"{what:32}", *(f"{v:11.0f}" for v in rates), end="")
        print("", *(f"{v / peer:10.1f}" for v in rates[:-1]))


if __name__ == "__main__":
    main()
