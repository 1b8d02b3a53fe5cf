"""`vfl check`: what a party can know before it meets the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.cli.tables import shortened, table
from parties.cli.voice import Format, FormatOption, results, say


def add_to(application: typer.Typer) -> None:
    """Give the application this command."""
    application.command("check", epilog="\b\nExample:\n  vfl check job.yaml --party bank.yaml")(check)


def check(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job file that all parties share.")],
    party: Annotated[
        Path | None,
        typer.Option(
            "--party", metavar="FILE", help="The party's own file.  [default: every NAME.yaml beside JOB]"
        ),
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Check files, tables and keys before meeting peers."""
    from parties.config.job import Job
    from parties.config.party import Party
    from parties.inspection import inspect

    agreed = Job.load(job)
    gates = agreed.open_gates()
    beside = [job.parent / f"{name}.yaml" for name in sorted(agreed.parties)]
    paths = [party] if party else [path for path in beside if path.exists()]
    found = [inspect(agreed, Party.load(path, agreed), gates) for path in paths]
    values = {
        "job": agreed.job,
        "contract": agreed.contract_hash(),
        "pinned": sorted(name for name, member in agreed.parties.items() if member.certificate),
        "overridden": gates.overridden,
        "parties": found,
    }
    results(values, form, _lines)
    if len(paths) == 1 and len(values["pinned"]) == len(agreed.parties):
        say(f"next: vfl approve {job} --party {paths[0]}")


def _lines(values: dict[str, Any]) -> Iterator[str]:
    yield f"job {values['job']}: ok"
    yield f"  contract {values['contract']}"
    yield f"  pinned certificates: {', '.join(values['pinned']) or 'none'}"
    for breach in values["overridden"]:
        yield f"  allowed by the job: {breach}"
    for party in values["parties"]:
        yield ""
        yield f"{party['role']} {party['party']}: ok, identity {party['identity']}"
        for name in ("train", "score"):
            if part := party.get(name):
                yield from _table_lines(name, part)


def _table_lines(name: str, part: dict[str, Any]) -> Iterator[str]:
    yield f"  to {name}: {part['file']}, {part['rows']} rows, {part['customers']} customers"
    for split, count in part.get("splits", {}).items():
        rate = count["events"] / count["rows"]
        yield f"    {split}: {count['rows']} rows, {count['events']} bad ({rate:.2%})"
    rows = [
        (shortened(c["name"], 40), c["kind"], f"{c['blank'] / part['rows']:.1%}", str(c["distinct"]))
        for c in part["columns"]
    ]
    for line in table(("column", "kind", "blank", "distinct"), rows):
        yield f"    {line}"
