"""`vfl report`: a training's page, drawn anew from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parties.cli.voice import Format, FormatOption, results


def add_to(application: typer.Typer) -> None:
    """Give the application this command."""
    application.command("report", epilog="\b\nExample:\n  vfl report out/guest --output report.html")(report)


def report(
    out: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder where the guest's results went.")
    ] = Path("runs"),
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="The page.  [default: DIR/report.html]")
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Draw a guest's report anew from its files."""
    from parties.programs.files import publish
    from parties.report.stored import redrawn

    target = output or out / "report.html"
    publish(target.parent, {target.name: redrawn(out)})
    results({"report": str(target)}, form, lambda values: iter([values["report"]]))
