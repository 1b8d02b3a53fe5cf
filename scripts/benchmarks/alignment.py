"""Alignment inside a whole job: `vfl local` on two generated tables, three real processes.

Both tables hold as many customers, of whom few are common, so that little but the alignment takes
time: the training that follows is the smallest that no gate refuses.  Seconds are those that each
party charges to the messages of `psi.ecdh`, from the message before the first to the last of them: its
ids normalised once more, hashed, raised and compared, and every wait in between.  Bytes are those
of its messages in both directions, by the ids of one list and by those of both.  CPU seconds are
those of the whole run, all processes.

    scripts/bench alignment --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parties.config.yaml import dump

ROLES = {"bank": "guest", "insurer": "host", "trustee": "arbiter"}
SCORED = 1000
"""Rows of the batches that are scored afterwards."""


def write_tables(folder: Path, rows: int, common: int) -> None:
    """Write each party's Parquet table and a small batch to score, rows in random order."""
    rng = np.random.default_rng(1)
    for name, first in (("bank", 0), ("insurer", rows - common)):
        ids = pd.Series(rng.permutation(np.arange(first, first + rows)))
        columns = {f"{name}_{k}": rng.normal(size=rows).round(3) for k in range(3)}
        table = pd.DataFrame({"id": "customer-" + ids.astype(str).str.zfill(10), **columns})
        if name == "bank":
            table["label"] = (columns["bank_0"] + rng.normal(size=rows) > 0).astype(int)
        table.to_parquet(folder / f"{name}.parquet", index=False)
        is_common = (ids >= rows - common) & (ids < rows)
        batch = table[is_common].head(SCORED)
        batch.drop(columns="label", errors="ignore").to_parquet(folder / f"{name}-batch.parquet", index=False)


def write_job(folder: Path) -> Path:
    """Write the job and its parties' files, to which `vfl local` adds addresses and keys; return its path."""
    job = {
        "vfl": 1,
        "job": "alignment",
        "purpose": "A benchmark on generated records; for no decision.",
        "parties": {name: {"role": role} for name, role in ROLES.items()},
        "features": {"kind": "woe", "bins": 4},
        "model": {"tolerance": 0.01},
    }
    dump(job, folder / "job.yaml")
    for name in ROLES:
        party = {
            "vfl": 1,
            "party": name,
            "listen": "127.0.0.1:7443",
            "identity": {"certificate": f"{name}.crt", "key": f"{name}.key"},
            "peers": {
                other: {"certificate": f"{other}.crt", "dial": "127.0.0.1:7443"}
                for other in ROLES
                if other != name
            },
            "timeouts": {"message": 3600.0},
        }
        if name != "trustee":
            label = {"label": "label"} if name == "bank" else {}
            tables = {"table": f"{name}.parquet", "score": f"{name}-batch.parquet"}
            party["data"] = {**tables, "id": "id", **label}
        dump(party, folder / f"{name}.yaml")
    return folder / "job.yaml"


def aligned(rows: int, common: int) -> dict[str, float]:
    """Run the job; return what its alignment took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tables(folder, rows, common)
        job, out = write_job(folder), folder / "out"
        begun, cpu = time.monotonic(), _cpu_of_children()
        command = [sys.executable, "-m", "parties", "local", str(job), "--out", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        whole = {"run_seconds": time.monotonic() - begun, "run_cpu_seconds": _cpu_of_children() - cpu}
        books = {role: _books(out / place) for role, place in (("guest", "guest"), ("host", "insurer"))}
    phase = {role: book["phases"]["ecdh"] for role, book in books.items()}
    assert books["guest"]["intersection"] == common
    seconds = max(cost["seconds"] for cost in phase.values())
    sent = phase["guest"]["sent"] + phase["guest"]["received"]
    return {
        "ids_per_second": rows / seconds,
        **{f"{role}_seconds": cost["seconds"] for role, cost in phase.items()},
        **{f"{role}_megabytes": book["peak_memory_mb"] for role, book in books.items()},
        "bytes_per_id": sent / rows,
        "bytes_per_element": sent / (2 * rows),
        **whole,
    }


def _books(folder: Path) -> dict[str, Any]:
    books: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return books


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print what the alignment of one job took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="customers in each table")
    parser.add_argument("--common", type=int, default=1000, help="of them in both")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = aligned(options.rows, options.common)
    if options.json:
        print(
            json.dumps({"rows": options.rows, "common": options.common, "load": os.getloadavg()[0], **found})
        )
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' '):20}{value:12.1f}")


if __name__ == "__main__":
    main()
