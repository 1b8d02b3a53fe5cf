"""Paillier on arrays beside its peers, one core each, in one run: ours, python-paillier, sf-heu.

Sums by bin and products count rows times columns, "5 times 20 bits" rows of five signed powers, and
"10 x 1000" whole products of a signed matrix with a vector.  Ours begin and end with the bytes of
the wire; the peers keep their own objects.  All are measured by CPU seconds on one core, the last
table by wall seconds on two.

    pip install --pre sf-heu     into the same environment, and its two schemes join in
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from scripts.benchmarks.arithmetic import heu, ours, python_paillier
from scripts.benchmarks.arithmetic.inputs import Inputs
from scripts.benchmarks.measuring.answer import add_json, answer, number
from scripts.benchmarks.measuring.clock import Operation, load, one_core, rate
from vfl.crypto.modular import Gmp, best
from vfl.crypto.modular.ifma import gate
from vfl.crypto.paillier import PrivateKey
from vfl.crypto.randomness import Randomness

BITS = 2048
OURS = ("ifma", "gmp")
Rates = dict[str, float]


def left_out() -> dict[str, str]:
    """Return who cannot be measured here, and why."""
    lacking = {}
    if (why := gate.missing()) is not None:
        lacking["ifma"] = why
    if importlib.util.find_spec("heu") is None:
        lacking["sf-heu"] = "not installed (pip install --pre sf-heu)"
    return lacking


def all_operations(key: PrivateKey, rows: int, without: Iterable[str]) -> Iterator[tuple[str, Operation]]:
    """Yield every operation of whoever is here, each under its name; slower ones on fewer rows."""
    given, fewer = Inputs.drawn(rows), Inputs.drawn(max(1, rows // 10))
    some = {"gmp": ours.operations(Gmp(), key, fewer), "phe": python_paillier.operations(key, given)}
    if "ifma" not in without:
        some = {"ifma": ours.operations(best(1, "ifma"), key, given), **some}
    if "sf-heu" not in without:
        some |= {name: heu.operations(schema, BITS, fewer) for name, schema in heu.SCHEMAS.items()}
    for name, operations in some.items():
        for operation in operations:
            yield name, operation


def measured(rows: int, without: Iterable[str]) -> dict[str, Rates]:
    """Return {whose: {operation: per CPU second}}, all on one core."""
    found: dict[str, Rates] = {}
    with one_core():
        key = PrivateKey.generate(BITS, Randomness())
        for whose, operation in all_operations(key, rows, without):
            found.setdefault(whose, {})[operation[0]] = rate(operation)
    return found


def threads(rows: int) -> dict[str, Rates]:
    """Return {threads: {operation: per wall second}} of IFMA, taken in turns."""
    key, given = PrivateKey.generate(BITS, Randomness()), Inputs.drawn(rows)
    found: dict[str, Rates] = {"1 thread": {}, "2 threads": {}}
    for both in zip(*(ours.operations(best(k, "ifma"), key, given) for k in (1, 2)), strict=True):
        turns = [[rate(one, time.perf_counter, 1) for one in both] for _ in range(5)]
        for name, rates in zip(found, zip(*turns, strict=True), strict=True):
            found[name][both[0][0]] = max(rates)
    return found


def ratios(found: dict[str, Rates]) -> dict[str, Rates]:
    """Return {ours/peer: {operation: how many times as many}}."""
    mine = [name for name in OURS if name in found]
    return {
        f"{name}/{peer}": {what: found[name][what] / v for what, v in found[peer].items()}
        for name in mine
        for peer in found
        if peer not in OURS
    }


def table(title: str, columns: dict[str, Rates], width: int = 10) -> Iterator[str]:
    """Yield a line for each operation of the first column below the names, which break at a slash."""
    heads = [name.split("/") for name in columns]
    if any(len(head) > 1 for head in heads):
        yield f"{'':26}" + "".join(f"{over:>{width}}" for over, _ in heads)
        heads = [["/" + peer] for _, peer in heads]
    yield f"{title:26}" + "".join(f"{name:>{width}}" for [name] in heads)
    for what in next(iter(columns.values())):
        yield f"{what:26}" + "".join(number(c.get(what), width) for c in columns.values())


def main() -> None:
    """Print each rate, ours over the peers', and what a second thread gains."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000, help="a tenth where operations are slow")
    add_json(parser)
    options = parser.parse_args()
    without = left_out()
    for name, why in without.items():
        print(f"{name} is left out: {why}", file=sys.stderr)
    rates = measured(options.rows, without)
    found: dict[str, Any] = {"bits": BITS, "rows": options.rows, "per CPU second": rates}
    found |= {"ratios": ratios(rates), "load": load()}
    lines = [*table(f"{BITS} bits, per CPU second", rates), "", *table("", found["ratios"], 9)]
    if "ifma" not in without and (os.cpu_count() or 1) > 1:
        found["per wall second"] = wall = threads(options.rows)
        one, two = wall.values()
        gain = {what: two[what] / v for what, v in one.items()}
        lines += ["", *table("ifma, per wall second", wall | {"ratio": gain})]
    answer(found, lines, options.json)


if __name__ == "__main__":
    main()
