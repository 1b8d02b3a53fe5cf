"""CPU seconds that the fast backends add to a process once their kernels are compiled.

A process imports both seams, makes both backends and calls every operation on a few rows.  Printed is
what IFMA takes more than GMP and libsodium do, the least of `--times` processes of each kind, taken in
turns: importing numba, loading the kernels, and their first calls.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

CHILD = """
import sys
import numpy as np
from psi.group import best as best_group
from vfl.crypto.modular import best, to_pairs

arithmetic, group = (None if name == "-" else name for name in sys.argv[1:])
p, q = (1 << 521) - 1, (1 << 607) - 1
n = p * q
if arithmetic:
    backend = best(1, arithmetic)
    c, codes = to_pairs([3, 4, 5], n), np.zeros((3, 1), np.int64)
    backend.multiply(c, c, n)
    backend.product(c, n)
    backend.sum_by_bin(c, codes, [1], n)
    backend.fixed_base_powers(7, np.ones((3, 2), np.uint8), n, c)
    backend.row_powers(c[None], codes.T, n)
    backend.multi_exponentiation(c, codes, n)
    backend.shares_a_factor(c, n)
    backend.crt_decrypt(c, p, q)
if group:
    backend = best_group(1, group)
    uniform = np.arange(128, dtype=np.uint8).reshape(2, 64)
    backend.raised(backend.mapped(uniform), 5)
    backend.mapped_and_raised(uniform, 5)
"""
KINDS = {
    "arithmetic": (("ifma", "-"), ("gmp", "-")),
    "ids": (("-", "ifma"), ("-", "sodium")),
    "both": (("ifma", "ifma"), ("gmp", "sodium")),
}


def cpu_seconds(backends: tuple[str, str]) -> float:
    """Return the CPU seconds of a process that computes with these."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", CHILD, *backends], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print one line for the arithmetic, for the ids, and for a process with both."""
    parser = argparse.ArgumentParser(prog="scripts/bench warm", description=__doc__)
    parser.add_argument("--times", type=int, default=7, metavar="N")
    times = parser.parse_args().times
    cpu_seconds(("ifma", "ifma"))  # compiles what is not compiled yet
    print(f"{'CPU seconds':12}  {'IFMA':>5}  {'without':>7}  {'added':>5}")
    for kind, (fast, reference) in KINDS.items():
        found = [(cpu_seconds(fast), cpu_seconds(reference)) for _ in range(times)]
        one, other = (min(column) for column in zip(*found, strict=True))
        print(f"{kind:12}  {one:5.2f}  {other:7.2f}  {one - other:5.2f}")


if __name__ == "__main__":
    main()
