"""`vfl runs` and `vfl resume`: the trainings that a guest has begun, and the way on with one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.cli.roles import JobArgument, OutOption, PartyOption, opened, print_trained
from parties.cli.tables import table
from parties.cli.voice import TERMINATED, Format, FormatOption, results, stop_on_request
from parties.progress import shown
from vfl.errors import ConfigError


def add_to(application: typer.Typer) -> None:
    """Give the application these commands."""
    application.command("runs", epilog="\b\nExample:\n  vfl runs out/guest")(runs)
    application.command("resume", epilog="\b\nExample:\n  vfl resume job.yaml --party bank.yaml")(resume)


def runs(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The folder where a party's results go.")] = Path(
        "runs"
    ),
    form: FormatOption = Format.text,
) -> None:
    """List a party's trainings: cut off, done, failed."""
    from parties.programs.lasting import as_told

    results({"out": str(out), "runs": as_told(out)}, form, _lines)


def resume(
    job: JobArgument,
    party: PartyOption = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Which run.  [default: the latest that was cut off]"),
    ] = None,
    out: OutOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Go on with a training that was cut off."""
    agreed, own = opened(job, party, "guest")
    from parties.programs import lasting
    from parties.programs.guest import train
    from parties.programs.links import Contacts

    folder = out or own.out
    waiting = [run] if run else lasting.unfinished(Contacts.load(agreed, own), folder)
    if not waiting:
        raise ConfigError(str(folder), "no run of this job was cut off", "begin one: vfl guest train")
    stop_on_request(TERMINATED)
    with shown() as progress:
        summary = train(agreed, own, folder, progress, resumed=waiting[0])
    print_trained(summary, own, folder, form)


def _lines(values: dict[str, Any]) -> Iterator[str]:
    if not values["runs"]:
        yield f"no trainings in {values['out']}"
        return
    head = ("run", "job", "begun", "state")
    yield from table(head, [tuple(run[key] for key in head) for run in values["runs"]])
