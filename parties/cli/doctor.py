"""`vfl doctor`: what stands in the way of a run, each with its mend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.contracts import PartyOption, own_file
from parties.cli.voice import Format, FormatOption, results

if TYPE_CHECKING:
    from parties.doctor.finding import Finding


def add_to(application: typer.Typer) -> None:
    """Give the application this command."""
    application.command("doctor", epilog="\b\nExample:\n  vfl doctor job.yaml --party bank.yaml")(doctor)


def doctor(
    job: Annotated[
        Path | None, typer.Argument(metavar="[JOB]", help="The job; without it, this machine alone.")
    ] = None,
    party: PartyOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Look for what stands in the way of a run.

    Libraries, kernels, memory, certificates, disk, port; of each peer that is called its
    name, port, certificate and clock. The exit code is that with which a run would end.
    """
    from parties.doctor.finding import worst

    findings = list(_looked_at(job, party))
    code = worst(findings)
    results({"findings": [f.as_json() for f in findings], "code": code}, form, _lines)
    if code:
        raise typer.Exit(code)


def _looked_at(job: Path | None, party: Path | None) -> Iterator[Finding]:
    from parties.config.resources import Compute
    from parties.doctor.machine import machine

    if job is None:
        yield from machine(Compute())
        return
    from parties.config.job import Job
    from parties.config.party import Party
    from parties.doctor.files import files
    from parties.doctor.peers import peers

    agreed = Job.load(job)
    own = Party.load(party or own_file(job, agreed), agreed)
    yield from machine(own.compute)
    yield from files(agreed, own)
    yield from peers(agreed, own)


def _lines(values: dict[str, Any]) -> Iterator[str]:
    width = max(len(finding["subject"]) for finding in values["findings"])
    for finding in values["findings"]:
        yield f"{finding['verdict']:4}  {finding['subject']:{width}}  {finding['seen']}"
        if finding["mend"]:
            yield f"{'':4}  {'':{width}}  mend: {finding['mend']}"
