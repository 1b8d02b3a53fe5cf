"""One joint fit by rows of a generated portfolio: where the cost grows, and what it is beside peers.

Three processes by `vfl local`, five columns of ten bins at each institution, 2048 bits, exponents of
half that length.  A gradient's seconds are the fit's by their number: without alignment, binning and
scoring, with the key's making and the guest's fit of its own columns.

Beside it, in the same run: scikit-learn's whole fit on the pooled table, and the seconds that
python-paillier's operations alone would take for the same gradients, computed from the measured time of
a few and spread over all cores:

    each row      q encryptions, q products with 20 bits, q + 1 additions, one randomisation as costly as
                  an encryption, one addition for each column

    scripts/bench logistic --rows 10000 100000 --plot cost.svg
    scripts/bench logistic --rows 1000000 --gradients 2     broken off: a whole fit takes 12 or so
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from psi.group import best as best_group
from scripts.benchmarks.arithmetic import inputs, python_paillier
from scripts.benchmarks.arithmetic.inputs import Inputs
from scripts.benchmarks.generated.portfolio import Portfolio
from scripts.benchmarks.measuring.answer import add_json, answer
from scripts.benchmarks.measuring.clock import load, one_core, rate
from scripts.benchmarks.real.jobs import run, write_job
from scripts.benchmarks.real.pooled import fitted
from vfl.crypto.modular import best
from vfl.crypto.paillier import PrivateKey
from vfl.crypto.randomness import Randomness

COLUMNS = 10
PARTIES = ("guest", "insurer", "arbiter")
FIT = ("logistic", "arbitration")
"""The phases that a gradient consists of."""


def phe_rates() -> dict[str, float]:
    """Return how many of its operations python-paillier does in a second on one core."""
    with one_core():
        key = PrivateKey.generate(2048, Randomness())
        found = {
            operation[0]: rate(operation) for operation in python_paillier.operations(key, Inputs.drawn(100))
        }
    return {name: found[name] for name in (inputs.ENCRYPT, inputs.ADD, inputs.POWERS)}


def phe_seconds(rates: dict[str, float], rows: int, degrees: Sequence[int]) -> float:
    """Return what it would take for gradients of these degrees, on all cores."""
    encryptions = sum(rows * (q + 1) for q in degrees) / rates[inputs.ENCRYPT]
    products = sum(rows * q / 5 for q in degrees) / rates[inputs.POWERS]
    additions = len(degrees) * rows * (COLUMNS + 1) / rates[inputs.ADD]
    return (encryptions + products + additions) / (os.cpu_count() or 1)


def measured(rows: int, gradients: int, phe: dict[str, float]) -> dict[str, Any]:
    """Fit together and pooled; return what both took."""
    with tempfile.TemporaryDirectory(prefix="vfl-") as name:
        case = Portfolio(Path(name), rows, gradients)
        case.write()
        out = case.folder / "out"
        begun = time.perf_counter()
        run(write_job(case, case.folder), out)
        seconds = time.perf_counter() - begun
        reports = {
            party: json.loads((out / party / "run.json").read_text(encoding="utf-8")) for party in PARTIES
        }
        pooled = fitted(case).seconds
    return cost(rows, reports) | {
        "command_seconds": seconds,
        "sklearn_seconds": pooled,
        "phe_seconds": phe_seconds(phe, rows, reports["guest"]["degrees"]),
    }


def cost(rows: int, reports: dict[str, Any]) -> dict[str, Any]:
    """Return seconds, bytes and memory of a training by what its parties wrote down."""
    guest = reports["guest"]
    phases = {name: phase["seconds"] for name, phase in guest["phases"].items()}
    sent = {
        name: sum(r["phases"][name]["sent"] for r in reports.values() if name in r["phases"])
        for name in phases
    }
    fit = sum(phases[name] for name in FIT)
    return {
        "rows": rows,
        "gradients": guest["iterations"],
        "converged": guest["converged"],
        "degrees": guest["degrees"],
        "fit_seconds": fit,
        "gradient_seconds": fit / guest["iterations"],
        "microseconds_per_power": 1e6 * fit / (rows * sum(guest["degrees"])),
        "bytes_per_row_and_gradient": sum(sent[name] for name in FIT) / rows / guest["iterations"],
        "training_seconds": guest["seconds"],
        "phases": {name: {"seconds": phases[name], "sent": sent[name]} for name in phases},
        "peak_memory_mb": {party: r["peak_memory_mb"] for party, r in reports.items()},
    }


def slopes(sizes: Sequence[int], seconds: Sequence[float]) -> list[float]:
    """Return the exponent with which cost grows from each size to the next: 1 is in proportion."""
    points = list(zip(sizes, seconds, strict=True))
    return [math.log(b[1] / a[1]) / math.log(b[0] / a[0]) for a, b in pairwise(points)]


def lines(runs: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a block for each size, and how the cost grows."""
    for found in runs:
        yield from block(found)
        yield ""
    if len(runs) > 1:
        sizes = [found["rows"] for found in runs]
        for what, key in (("a gradient", "gradient_seconds"), ("a row's power", "microseconds_per_power")):
            grown = slopes(sizes, [found[key] for found in runs])
            yield f"{what} grows with rows to the power of " + ", ".join(f"{v:.2f}" for v in grown)


def block(found: dict[str, Any]) -> Iterator[str]:
    """Yield what a size took and what its peers would."""
    ended = "converged" if found["converged"] else "broken off"
    degrees = " ".join(map(str, found["degrees"]))
    yield f"{found['rows']:,} rows: {ended} after gradients of degree {degrees}"
    each, size = found["microseconds_per_power"], found["bytes_per_row_and_gradient"]
    yield seconds(
        "a gradient", found["gradient_seconds"], f"{each:.1f} us a row and power, {size:.0f} bytes a row"
    )
    for name, phase in found["phases"].items():
        yield seconds(name, phase["seconds"], f"{phase['sent'] / 1e6:.1f} MB sent")
    peaks = ", ".join(f"{party} {mb} MB" for party, mb in found["peak_memory_mb"].items())
    yield seconds("training", found["training_seconds"], f"peaks: {peaks}")
    fit, phe, pooled = (found[key] for key in ("fit_seconds", "phe_seconds", "sklearn_seconds"))
    yield seconds("phe", phe, f"{phe / fit:.0f} times the fit's, computed from few operations")
    yield seconds("scikit-learn", pooled, f"pooled; the fit takes {fit / pooled:.0f} times as long")


def seconds(what: str, value: float, more: str) -> str:
    """Return a line of a block."""
    return f"  {what:14}{value:10.2f} s   {more}"


def plot(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw seconds against rows, both logarithmic, by phase too, with the slopes from size to size."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    sizes = [found["rows"] for found in runs]
    phases = {
        f"training: {name}": [found["phases"][name]["seconds"] for found in runs]
        for name in ("ecdh", "woe", *FIT)
    }
    drawn = {
        "whole training": [found["training_seconds"] for found in runs],
        "a gradient": [found["gradient_seconds"] for found in runs],
        "a gradient, phe (computed)": [found["phe_seconds"] / found["gradients"] for found in runs],
        "scikit-learn, pooled, whole fit": [found["sklearn_seconds"] for found in runs],
    }
    figure, axes = pyplot.subplots(figsize=(7, 6), layout="constrained")
    for name, taken in (drawn | phases).items():
        grown = ", ".join(f"{v:.2f}" for v in slopes(sizes, taken))
        style = {"linestyle": ":", "linewidth": 1} if name in phases else {"marker": "o"}
        axes.loglog(sizes, taken, label=f"{name}; slope {grown}" if grown else name, **style)
    axes.set(xlabel="rows", ylabel="seconds", title="Joint logistic regression, 5 + 5 columns, 2048 bits")
    axes.grid(True, which="both", alpha=0.3)
    figure.legend(fontsize="small", loc="outside lower center", ncols=2)
    figure.savefig(path)
    pyplot.close(figure)


def main() -> None:
    """Print what each size took, draw it where asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000], help="common customers, all train")
    parser.add_argument("--gradients", type=int, default=0, help="break the fit off after so many")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="cost against rows")
    add_json(parser)
    options = parser.parse_args()
    best()  # both compile their kernels, where that was not done yet
    best_group()
    phe = phe_rates()
    try:
        runs = [measured(rows, options.gradients, phe) for rows in sorted(options.rows)]
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
    if options.plot:
        plot(runs, options.plot)
    answer({"cores": os.cpu_count(), "load": load(), "phe": phe, "runs": runs}, lines(runs), options.json)


if __name__ == "__main__":
    main()
