"""What a party's audit log says of a run, beside its ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def assert_audited(folder: Path, name: str) -> None:
    """Expect a line for each message of the ledger, although the run was cut off in between."""
    ledger = json.loads((folder / name / "ledger.json").read_text(encoding="utf-8"))
    run = json.loads((folder / name / "run.json").read_text(encoding="utf-8"))["run"]
    log = (folder / "state" / name / "audit.jsonl").read_text(encoding="utf-8")
    lines = [line for line in map(json.loads, log.splitlines()) if line.get("run") == run]
    assert "run resumed" in {line["event"] for line in lines}
    left = sent(lines)
    for entry in ledger:
        kind = entry["to"], entry["message"]
        numbers = [line["numbers"] for line in left if (line["to"], line["kind"]) == kind]
        assert (len(numbers), sum(numbers)) == (entry["messages"], entry["plain_numbers"]), entry


def sent(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of messages that left, of a run's lines."""
    left = list[dict[str, Any]]()
    for line in lines:
        if line["event"] == "sent":
            left.append(line)
        elif line["event"] == "run resumed":
            counts, before = Counter[str](), left
            left = []
            for one in before:
                counts[one["to"]] += 1
                if counts[one["to"]] <= line["stored"].get(one["to"], 0):
                    left.append(one)
    return left
