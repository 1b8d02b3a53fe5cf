"""`vfl profile`: what a party's own table would tell under a job, and what would be refused."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.cli.contracts import JobArgument
from parties.cli.tables import shortened, table
from parties.cli.voice import Format, FormatOption, results
from vfl.errors import ConfigError

WIDTH, LONGEST = 80, 26


def add_to(application: typer.Typer) -> None:
    """Give the application this command."""
    application.command("profile", epilog="\b\nExample:\n  vfl profile job.yaml --party bank.yaml")(profile)


def profile(
    job: JobArgument,
    party: Annotated[Path, typer.Option("--party", metavar="FILE", help="The party's own file.")],
    form: FormatOption = Format.text,
) -> None:
    """Look at the own table before anything is sent.

    Says of each column what it holds, codes that may stand for missing values, and the
    rows of its smallest bin; which gates would refuse; and what partners would learn.
    """
    from parties.config.job import Job
    from parties.config.party import Party
    from parties.profiling.profile import profile as profiled

    agreed = Job.load(job)
    own = Party.load(party, agreed)
    if own.data is None:
        raise ConfigError(str(party), f"{own.party} has no table", "profile a guest or a host")
    results(profiled(agreed, own), form, _lines)


def _lines(values: dict[str, Any]) -> Iterator[str]:
    rows, training = values["rows"], values["training_rows"]
    yield f"{values['role']} {values['party']}: {values['source']}, {rows} rows, of which {training} train"
    yield ""
    cells = [
        (
            shortened(c["name"], LONGEST),
            c["kind"],
            f"{c['blank'] / rows:.1%}",
            str(c["distinct"]),
            "" if c["smallest_bin"] is None else str(c["smallest_bin"]),
            shortened(" ".join(f"{code:g}" for code in c["special"])),
        )
        for c in values["columns"]
    ]
    yield from table(("column", "kind", "blank", "distinct", "least bin", "codes?"), cells)
    if any(c["special"] for c in values["columns"]):
        yield from _item("", "codes?: perhaps not numbers but codes; then say so: data.bins.COLUMN.special")
    yield ""
    yield "would be refused" if values["refuses"] else "no gate refuses these rows; fewer are in common"
    for breach in values["refuses"]:
        yield from _item("- ", breach)
    for breach in values["allowed"]:
        yield from _item("- allowed by the job: ", breach)
    yield ""
    yield "partners would learn"
    for message in values["sends"]:
        yield from _item(f"- {message['to']}: ", f"{message['reveals']}  [{message['formula']}]")


def _item(mark: str, text: str) -> list[str]:
    return textwrap.wrap(f"  {mark}{text}", WIDTH, subsequent_indent="    ", break_on_hyphens=False)
