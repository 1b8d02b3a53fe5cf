"""`vfl audit`: whether a log is what its party wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.cli.voice import Format, FormatOption, results

audit_commands = typer.Typer(
    help="Show that an audit log is whole.",
    epilog="\b\nExample:\n  vfl audit verify state",
    rich_markup_mode=None,
)


def add_to(application: typer.Typer) -> None:
    """Give the application these commands."""
    application.add_typer(audit_commands, name="audit")


@audit_commands.command(
    "verify", epilog="\b\nExample:\n  vfl audit verify state/bank/audit.jsonl --certificate bank.crt"
)
def verify(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A log, or a folder in which logs lie.")],
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate", metavar="FILE", help="Who must have signed.  [default: whoever began it]"
        ),
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Find a line that was changed, dropped or moved.

    Without --certificate compare the fingerprint that is printed with the party's.
    Ends with exit code 6, and the line's number, where a log is not whole.
    """
    from parties.audit.verify import logs_in, pin_in
    from parties.audit.verify import verify as verified
    from vfl.errors import SecurityError

    wanted = pin_in(certificate) if certificate else None
    found = []
    for log in logs_in(path):
        whole = verified(log)
        if wanted and wanted not in whole.signed_by:
            raise SecurityError(str(log), f"is signed by {whole.signed_by[0]}, not by {wanted}")
        found.append(
            {
                "log": str(log),
                "party": whole.party,
                "signed_by": whole.signed_by,
                "lines": whole.lines,
                "head": whole.head,
                "runs": whole.runs,
            }
        )
    results({"logs": found}, form, _lines)


def _lines(values: dict[str, Any]) -> Iterator[str]:
    for log in values["logs"]:
        states = list(log["runs"].values())
        counts = {said: states.count(said) for said in ("run ended", "run stopped", "cut off")}
        yield f"{log['log']}: whole, {log['lines']} lines of {log['party']}, {len(states)} runs"
        yield "  " + ", ".join(f"{count} {said.removeprefix('run ')}" for said, count in counts.items())
        for pin in log["signed_by"]:
            yield f"  signed by {pin}"
        yield f"  last line {log['head']}"
