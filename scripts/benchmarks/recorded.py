"""What parties' ledgers and audit logs say, beside the bytes that crossed their links.

    scripts/bench recorded --model logistic

Three processes; each of their three links is led through a recorder that holds both parties' keys,
ends their TLS and passes every frame on as it is.  For each link, direction and kind of message the
recorder, the sender's ledger and both audit logs must agree: how many, how many bytes, and in the
logs the SHA-256 of each, in order.  Every log must be whole (`vfl audit verify`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from parties.audit.verify import verify
from scripts.benchmarks.staged.recorder import Heard, Recorder
from scripts.benchmarks.staged.stage import CALLS, ROLES, Stage, let_dial, ports_in, prepared
from scripts.benchmarks.staged.traffic import Line, lines_of
from vfl.wire.certificates import load_identity

Ways = dict[tuple[str, str], Heard]
"""What passed, by sender and receiver."""


def recorded(folder: Path) -> Ways:
    """Train through recorders; return what passed."""
    ports = ports_in(folder)
    identities = {n: load_identity(n, folder / f"{n}.key", folder / f"{n}.crt") for n in ROLES}
    stage, heard = Stage(folder), {}
    with ExitStack() as stack:
        for caller, called in CALLS:
            recorder = Recorder(identities[caller], identities[called], ports[called])
            stack.enter_context(recorder)
            let_dial(folder, caller, called, recorder.port)
            heard |= {(caller, called): recorder.there, (called, caller): recorder.back}
        stage.start_all()
        try:
            stage.finish()
        finally:
            stage.stop()
    return heard


def differences(folder: Path, heard: Ways) -> Iterator[str]:
    """Yield what does not agree."""
    logs: dict[str, list[Line]] = {}
    for name in ROLES:
        path = folder / "state" / name / "audit.jsonl"
        verify(path)
        logs[name] = lines_of(path)
    for (sender, receiver), way in heard.items():
        sent = [(x.kind, x.size, x.digest) for x in logs[sender] if x.sent and x.peer == receiver]
        taken = [(x.kind, x.size, x.digest) for x in logs[receiver] if not x.sent and x.peer == sender]
        if sent != way.messages:
            yield f"{sender} to {receiver}: the log of {sender} and the recorder"
        if taken != way.messages:
            yield f"{sender} to {receiver}: the log of {receiver} and the recorder"
        ledger = json.loads((folder / sender / "ledger.json").read_text())
        said = {e["message"]: (e["messages"], e["bytes"]) for e in ledger if e["to"] == receiver}
        if said != by_kind(way):
            yield f"{sender} to {receiver}: the ledger of {sender} and the recorder"


def by_kind(way: Heard) -> dict[str, tuple[int, int]]:
    """Return how many messages of each kind passed, and their bytes."""
    sizes: Counter[str] = Counter()
    for kind, size, _ in way.messages:
        sizes[kind] += size
    counts = Counter(kind for kind, _, _ in way.messages)
    return {kind: (counts[kind], sizes[kind]) for kind in counts}


def main() -> None:
    """Train once, and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("logistic", "trees"), default="logistic")
    parser.add_argument("--customers", type=int, default=1000)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="vfl-recorded-"))
    source = prepared(folder / "files", options.model, options.customers)
    heard = recorded(source)
    for (sender, receiver), way in heard.items():
        kinds = ", ".join(f"{count} {kind.lower()}" for kind, count in way.frames.items())
        size = sum(size for _, size, _ in way.messages)
        print(f"{sender} to {receiver}: {way.bytes:,} bytes of frames ({kinds}), {size:,} of messages")
        for kind, (count, total) in by_kind(way).items():
            print(f"    {kind:24}{count:6}{total:14,}")
    found = list(differences(source, heard))
    for difference in found:
        print(f"DIFFER: {difference}")
    if found:
        sys.exit(1)
    print("ledgers, audit logs and recorders agree on every message")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
