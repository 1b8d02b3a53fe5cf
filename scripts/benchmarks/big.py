"""Large jobs phase by phase: seconds, peak memory, bytes on the wire and on the disk, beside pooled fits.

    psi      the alignment of two lists of --rows ids, within the smallest training
    lr       alignment, WOE and the exact regression of --rows customers with 20 columns each
    trees    alignment and 20 trees of the same tables
    score    a batch of --rows customers, by a regression of 20,000

Every job runs through `vfl local`: three processes over loopback TLS.  Customers are generated
(`generated/book.py`: 70 % of them are common, three quarters of those train) or come from a folder
with bank.parquet and insurer.parquet, for which --data stands.  The forecast is that of `vfl check`,
told the degrees of the fit.  The peer is scikit-learn or xgboost on the pooled table and the same bins.

    scripts/bench big --rows 100000 1000000 --phases lr trees
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from parties.cost.probe import cores_here, probe
from psi.group import best as best_group
from scripts.benchmarks import alignment
from scripts.benchmarks.generated import book
from scripts.benchmarks.generated.book import Book
from scripts.benchmarks.large.jobs import Large, peer_of, taken
from scripts.benchmarks.measuring.answer import add_json, answer
from scripts.benchmarks.measuring.watch import watched
from vfl.crypto.modular import best

PHASES = ("psi", "lr", "trees", "score")
SMALL = 20_000
"""Customers of the training before a large batch."""

COMMON = 1000
"""Customers that two long lists have in common."""

MOST_GROWTH = 11.0
"""Times the seconds that ten times the rows may take."""

Found = dict[str, Any]


def aligned(rows: int) -> Found:
    """Return what the alignment of two lists took."""
    found = alignment.aligned(rows, COMMON)
    seconds = max(found["guest_seconds"], found["host_seconds"])
    memory = {party: found[f"{party}_megabytes"] for party in ("guest", "host")}
    phases = {"alignment": {"seconds": seconds, "sent": found["bytes_per_id"] * rows}}
    return {
        "seconds": seconds,
        "command_seconds": found["run_seconds"],
        "phases": phases,
        "memory_mb": memory,
    }


def trained(phase: str, tables: Book, folder: Path) -> Found:
    """Train on tables with the commands; return what it took beside the forecast and the peer."""
    case = Large(phase, tables)
    cores = cores_here()
    rates = probe(best(cores, None), best_group(cores, None), 2048, 0, cores)
    seconds, seen = _run(case, folder)
    return {
        **taken(folder / "out", "run"),
        "command_seconds": seconds,
        "disk": {"largest": seen.largest, "written": seen.written},
        "forecast": case.forecast(folder, rates),
        "peer": peer_of(case, folder / "out"),
    }


def scored(rows: int, folder: Path) -> Found:
    """Train on few customers and score a batch; return what the scoring took."""
    book.write(folder / "few", SMALL)
    book.write(folder / "batch", rows, seed=2)
    case = Large("score", Book(folder / "few", folder / "batch"))
    seconds, seen = _run(case, folder)
    found = taken(folder / "out", "score")
    return found | {"command_seconds": seconds, "disk": {"largest": seen.largest, "written": seen.written}}


def _run(case: Large, folder: Path) -> tuple[float, Any]:
    job, begun = case.write(folder / "job"), time.perf_counter()
    command = [sys.executable, "-m", "parties", "local", str(job), "--out", str(folder / "out")]
    seen = watched(command, folder / "out")
    return time.perf_counter() - begun, seen


def measured(phase: str, rows: int, data: Path | None) -> Found:
    """Return what a phase took on so many customers, or on those of a folder."""
    if phase == "psi":
        return aligned(rows)
    with tempfile.TemporaryDirectory(prefix="vfl-") as name:
        folder = Path(name)
        if phase == "score":
            return scored(rows, folder)
        if data is None:
            book.write(folder / "data", rows)
        return trained(phase, Book(data or folder / "data"), folder)


def _table(one: Found) -> Iterator[str]:
    yield f"  {'':24}{'seconds':>10}{'GB sent':>10}"
    for name, cost in one["phases"].items():
        yield f"  {name:24}{cost['seconds']:10.1f}{cost['sent'] / 1e9:10.3f}"
    sent = sum(cost["sent"] for cost in one["phases"].values()) / 1e9
    yield f"  {'all of it':24}{one['seconds']:10.1f}{sent:10.3f}"
    yield f"  {'the whole command':24}{one['command_seconds']:10.1f}"
    yield "  peak memory: " + ", ".join(
        f"{party} {mb / 1000:.2f} GB" for party, mb in one["memory_mb"].items()
    )
    if "disk" in one:
        largest, written = (one["disk"][name] / 1e9 for name in ("largest", "written"))
        yield f"  disk: {largest:.2f} GB at most at once in all folders, {written:.1f} GB written"
    yield from (f"  {key}: {value}" for key, value in one.get("facts", {}).items())
    if "forecast" in one:
        yield f"  {'':24}{'forecast':>10}{'measured':>10}{'ratio':>8}"
    for what, foretold, took in one.get("forecast", []):
        yield f"  {what:24}{foretold:10.1f}{took:10.1f}{foretold / took:8.2f}"
    if peer := one.get("peer"):
        times = one["seconds"] / peer["seconds"]
        yield f"  {peer['name']}: {peer['seconds']:.1f} s pooled; ours takes {times:.0f} times as long"
        for what, ours, theirs in peer["beside"]:
            yield f"    {what:30}{ours:12.6f}{theirs:12.6f}{abs(ours - theirs):10.1e}"


def _growth(phase: str, sizes: dict[str, Found]) -> Iterator[str]:
    ordered = sorted(sizes.items(), key=lambda item: int(item[0]))
    for (few, before), (many, after) in pairwise(ordered):
        rows, seconds = int(many) / int(few), after["seconds"] / before["seconds"]
        most = MOST_GROWTH * rows / 10
        verdict = "" if seconds <= most else "  MISSED"
        took = f"{rows:.1f} times the rows take {seconds:.1f} times as long"
        yield f"{phase}: {took}, at most {most:.1f}{verdict}"


def main() -> None:
    """Print a table for each phase and size, then how phases grow with the rows; or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[100_000], help="customers; ids of psi's lists"
    )
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=list(PHASES))
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="tables in place of generated ones, one folder a size",
    )
    add_json(parser)
    options = parser.parse_args()
    if options.data and len(options.data) != len(options.rows):
        parser.error("--data takes as many folders as --rows takes numbers")
    folders = options.data or [None] * len(options.rows)
    shown = options.json != "-"
    found: dict[str, dict[str, Found]] = {phase: {} for phase in options.phases}
    try:
        for phase, sizes in found.items():
            for rows, folder in zip(options.rows, folders, strict=True):
                sizes[str(rows)] = measured(phase, rows, folder)
                if shown:
                    print(f"{phase}, {rows:,} customers", *_table(sizes[str(rows)]), "", sep="\n", flush=True)
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
    growth = (line for phase, sizes in found.items() for line in _growth(phase, sizes))
    answer(found, growth, options.json)


if __name__ == "__main__":
    main()
