"""`vfl local`: every party of a job on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.cli.tables import comparison, efforts
from parties.cli.voice import TERMINATED, Format, FormatOption, results, stop_on_request


def add_to(application: typer.Typer) -> None:
    """Give the application this command."""
    application.command("local", epilog="\b\nExample:\n  vfl local configs/demo/job.yaml --out run")(local)


def local(
    job: Annotated[
        Path, typer.Argument(metavar="JOB", help="The job; each party's file lies beside it as NAME.yaml.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where every party's folder goes.")],
    form: FormatOption = Format.text,
) -> None:
    """Run all parties of a job on this machine.

    Trains, then scores, with every party in a process of its own over loopback TLS.
    Certificates are made where the job pins none.
    """
    from parties.local import run_local

    stop_on_request(TERMINATED)
    results(run_local(job, out), form, outcome)


def outcome(run: dict[str, Any]) -> list[str]:
    """Return what a local run came to, and where the rest lies."""
    guest = Path(run["out"]) / "guest"
    report = json.loads((guest / "run.json").read_text(encoding="utf-8"))
    return [
        *comparison(report, run["guest"]),
        "",
        *efforts(report, _books(report, Path(run["out"]))),
        "",
        f"report   {guest / 'report.html'}",
        f"ledger   {guest / 'ledger.json'}: who learned what",
        f"configs  {Path(run['out']) / 'job.yaml'}, and party.yaml in each party's folder",
    ]


def _books(report: dict[str, Any], out: Path) -> dict[str, dict[str, Any]]:
    """Return what each party's run.json says, by its name."""
    folders = {name: name if role == "host" else role for name, role in report["parties"].items()}
    return {
        name: json.loads((out / folder / "run.json").read_text(encoding="utf-8"))
        for name, folder in folders.items()
    }
