"""A training over slow wires, beside the same one over loopback: seconds, bytes, round trips.

    scripts/bench link --model logistic
    scripts/bench link --model trees --customers 1000 --rtt 50 --rate 20

Three processes; each of the three links runs through a proxy that holds what it gets for half of
--rtt (milliseconds) and passes --rate Mbit/s each way.  It does what the end of a slow wire does to
HTTP/2's windows, and nothing to TCP's: its sockets are of this machine.

    explained     the messages of the loopback run, replayed with its computing times over such wires
    hops          messages in a row, each waiting for the one before, from one gradient or level to the
                  next: a round trip is two
    recorded      bytes that passed the proxies beside those of the messages in the parties' audit logs,
                  which must agree on every message: kind, size and SHA-256
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from parties.audit.verify import verify
from scripts.benchmarks.measuring.answer import add_json, answer
from scripts.benchmarks.staged.proxy import Proxy
from scripts.benchmarks.staged.stage import CALLS, ROLES, Stage, let_dial, ports_in, prepared
from scripts.benchmarks.staged.traffic import Line, bytes_between, hops_apart, lines_of, replayed

TURNS = {"logistic": ("LogitRange",), "trees": ("Nodes",)}
"""The message that begins a gradient, or a level."""


def trained(folder: Path) -> tuple[float, dict[str, list[Line]]]:
    """Train once; return the guest's seconds and what the parties' logs say, having verified them."""
    stage = Stage(folder)
    stage.start_all()
    try:
        stage.finish()
    finally:
        stage.stop()
    logs = {name: folder / "state" / name / "audit.jsonl" for name in ROLES}
    for log in logs.values():
        verify(log)
    logged = {name: lines_of(log) for name, log in logs.items()}
    for name, lines in logged.items():
        _compare(name, lines, json.loads((folder / name / "ledger.json").read_text()))
    seconds: float = json.loads((folder / "bank" / "run.json").read_text())["seconds"]
    return seconds, logged


def _compare(name: str, lines: list[Line], ledger: list[dict[str, Any]]) -> None:
    """Make sure that a ledger counts the messages of the log."""
    for entry in ledger:
        sizes = [x.size for x in lines if x.sent and (x.peer, x.kind) == (entry["to"], entry["message"])]
        if (len(sizes), sum(sizes)) != (entry["messages"], entry["bytes"]):
            raise SystemExit(f"the ledger and the log of {name} differ on {entry['message']}")
    if sum(entry["messages"] for entry in ledger) != sum(x.sent for x in lines):
        raise SystemExit(f"the ledger of {name} lacks messages of its log")


def slowly(source: Path, delay: float, rate: float) -> tuple[float, dict[str, list[Line]], dict[str, int]]:
    """Train through proxies; return seconds, logs, and the bytes that passed, by link and direction."""
    ports = ports_in(source)
    with ExitStack() as stack:
        wires = {}
        for caller, called in CALLS:
            wire = stack.enter_context(Proxy(ports[called], delay=delay, rate=rate))
            let_dial(source, caller, called, wire.port)
            wires[caller, called] = wire
        seconds, logs = trained(source)
        passed = {f"{a} {b}": wire.there.carried for (a, b), wire in wires.items()}
        passed |= {f"{b} {a}": wire.back.carried for (a, b), wire in wires.items()}
        return seconds, logs, passed


def main() -> None:
    """Train twice, and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=tuple(TURNS), default="logistic")
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--rtt", type=float, default=50.0, help="milliseconds there and back (default 50)")
    parser.add_argument("--rate", type=float, default=20.0, help="Mbit/s each way of a link (default 20)")
    add_json(parser)
    options = parser.parse_args()
    delay, rate = options.rtt / 2000, options.rate * 1e6 / 8
    folder = Path(tempfile.mkdtemp(prefix="vfl-link-"))
    source = prepared(folder / "files", options.model, options.customers)
    shutil.copytree(source, folder / "slow")
    near, logs = trained(source)
    expected = replayed(logs, delay=delay, rate=rate).seconds["bank"]
    base = replayed(logs, delay=0.0, rate=float("inf")).seconds["bank"]
    far, logs, passed = slowly(folder / "slow", delay, rate)
    hops = hops_apart(replayed(logs, delay=delay, rate=rate), TURNS[options.model])
    said = {way: bytes_between(logs, *way.split()) for way in passed}
    found = {
        "model": options.model,
        "customers": options.customers,
        "rtt_ms": options.rtt,
        "mbit": options.rate,
        "loopback_seconds": near,
        "link_seconds": far,
        "explained_seconds": near + expected - base,
        "hops": hops,
        "messages": said,
        "recorded": passed,
    }
    answer(found, _table(found), options.json)
    sys.exit(any(passed[way] < size for way, size in said.items()))


def _table(found: dict[str, Any]) -> list[str]:
    ratio = found["link_seconds"] / found["explained_seconds"]
    hops = found["hops"]
    lines = [
        f"{found['model']}, {found['customers']} customers, {found['rtt_ms']:g} ms there and back, "
        f"{found['mbit']:g} Mbit/s",
        f"loopback   {found['loopback_seconds']:7.1f} s",
        f"link       {found['link_seconds']:7.1f} s",
        f"explained  {found['explained_seconds']:7.1f} s   link / explained {ratio:.2f}",
        f"hops       {statistics.median(hops):7g}     from one turn to the next, {min(hops)} to {max(hops)}",
        "",
        f"{'from, to':18}{'messages':>12}{'recorded':>12}{'more':>8}",
    ]
    for way, size in found["messages"].items():
        passed = found["recorded"][way]
        lines.append(f"{way:18}{size:12,}{passed:12,}{passed / size - 1 if size else 0:8.2%}")
    return lines


if __name__ == "__main__":
    main()
