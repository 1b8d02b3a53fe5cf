"""A training whose parties are ended at random moments, against the same training left alone.

    scripts/bench kills --model trees --times 30            one party at a time: bank, insurer, trustee
    scripts/bench kills --model logistic --times 5 --all    all three at the same moment
    scripts/bench kills --times 9 --signal TERM             asked to end: exit code 7, no trace in a log
    scripts/bench kills --model logistic --two-hosts        a lender has half of the insurer's columns
    scripts/bench kills --model logistic --without-arbiter  the two decrypt for each other
    scripts/bench kills --model logistic --customers 16000 --sample-from 1000   the first gradients of a tenth

Every party is a process of its own over loopback TLS.  One that is ended is started again at once:
the guest by `vfl resume`, the others by `serve`.  Both halves of the model must come out byte for
byte as those of the training that nobody disturbed, but for the run's name; every ledger must count as
many messages of each kind; and of its masked sums nobody may have got a second version, which
would be a mask used twice or drawn anew.

Trees are made of exact sums, so any two trainings give the same.  A regression's last bits depend
on the order of the rows, which alignment draws anew each time: all its trainings begin where one
was killed just after alignment.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from scripts.benchmarks.staged.stage import (
    NO_ARBITER,
    ROLES,
    TWO_HOSTS,
    Stage,
    cut_after_alignment,
    prepared,
)
from scripts.benchmarks.staged.traffic import lines_of

SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM}
MASKED = "MaskedSums"
RESUMABLE = 7
BEFORE = 0, 143, -signal.SIGTERM
"""Exit codes of a server and of a guest that were not in a run yet, and of one that had just begun."""


def counted(stage: Stage) -> dict[str, dict[str, int]]:
    """Return how many messages of each kind each party's ledger counts, having compared masked sums."""
    counts: dict[str, dict[str, int]] = {}
    for name in stage.roles:
        ledger = json.loads((stage.folder / name / "ledger.json").read_text())
        counts[name] = {f"{e['to']} {e['message']}": e["messages"] for e in ledger}
    for name, told in counts.items():
        for key in (key for key in told if key.endswith(f" {MASKED}")):
            lines = lines_of(stage.folder / "state" / key.split()[0] / "audit.jsonl")
            versions = {x.digest for x in lines if not x.sent and (x.peer, x.kind) == (name, MASKED)}
            if len(versions) != told[key]:
                raise SystemExit(f"{name} sent {len(versions)} versions of its sums; see {stage.folder}")
    return counts


def trained(
    source: Path, folder: Path, moments: list[float], victims: list[str], how: signal.Signals
) -> tuple[dict[str, Any], float, bool]:
    """Train in a copy of the files, ending the victims at these moments.

    Return both halves of the model with the messages counted, the seconds, and whether it was still
    under way at every moment.
    """
    shutil.copytree(source, folder)
    stage = Stage(folder)
    begun, in_time = time.monotonic(), True
    stage.start_all(again=True)
    try:
        for moment in moments:
            if stage.wait(max(0.0, begun + moment - time.monotonic())):
                in_time = False
                break
            codes = {name: stage.end(name, how) for name in victims}
            if how is signal.SIGTERM and not {RESUMABLE, *BEFORE} >= set(codes.values()):
                raise SystemExit(f"exit codes {codes}; see {folder}")
            for name in victims:
                if name != "bank" or not stage.done():
                    stage.start(name, again=True)
        if not stage.done():
            stage.finish()
        seconds = time.monotonic() - begun
    finally:
        stage.stop()
        if traces := stage.traces():
            raise SystemExit(f"{traces[0]}; see {folder}")
    return {"models": stage.models(), "messages": counted(stage)}, seconds, in_time


def main() -> None:
    """Compare disturbed trainings with one that was not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("logistic", "trees"), default="trees")
    parser.add_argument("--times", type=int, default=30, help="trainings with a kill (default 30)")
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--sample-from", type=int, metavar="ROWS", help="begin regressions on a sample")
    parser.add_argument("--all", action="store_true", help="end all parties at once")
    cast = parser.add_mutually_exclusive_group()
    cast.add_argument("--two-hosts", dest="roles", action="store_const", const=TWO_HOSTS, default=ROLES)
    cast.add_argument("--without-arbiter", dest="roles", action="store_const", const=NO_ARBITER)
    parser.add_argument("--signal", choices=SIGNALS, default="KILL")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    how = SIGNALS[options.signal]
    draw = np.random.default_rng(options.seed)
    temporary = Path(tempfile.mkdtemp(prefix="vfl-kills-"))
    source = prepared(
        temporary / "files",
        options.model,
        options.customers,
        roles=options.roles,
        sample_from=options.sample_from,
    )
    names = list(options.roles)
    if options.model == "logistic":
        cut_after_alignment(source)
    wanted, seconds, _ = trained(source, temporary / "alone", [], [], how)
    print(f"{options.model}, {options.customers} customers: {seconds:.1f} s undisturbed", flush=True)
    same = done = tried = 0
    while done < options.times:
        victims = names if options.all else [names[done % len(names)]]
        moment, tried = draw.uniform(0.5, 0.9 * seconds), tried + 1
        got, took, in_time = trained(source, temporary / f"{tried}", [moment], victims, how)
        seconds = min(seconds, took)  # the first one may have had to wait for the machine
        if got != wanted or in_time:
            done, same = done + 1, same + (got == wanted)
            told = "the same model" if got == wanted else "ANOTHER MODEL"
            who = ", ".join(victims)
            print(f"{done:3}  {who} ended after {moment:5.1f} s: {told}, {took:.1f} s", flush=True)
    print(f"{same} of {options.times} ended with the same model, byte for byte")
    if same == options.times:
        shutil.rmtree(temporary)
    sys.exit(same != options.times)


if __name__ == "__main__":
    main()
