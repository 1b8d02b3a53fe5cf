"""All commands under their names."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from parties.cli import (
    audit,
    check,
    contracts,
    demo,
    doctor,
    init,
    keys,
    local,
    model,
    peers,
    profile,
    report,
    roles,
    runs,
    voice,
)
from vfl import __version__

application = typer.Typer(
    name="vfl",
    help="Vertical federated learning for credit risk: one joint model, no table shown to anyone.",
    epilog="\b\nExample:\n  vfl demo --out demo-run",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)

demo.add_to(application)
local.add_to(application)
check.add_to(application)
profile.add_to(application)
init.add_to(application)
doctor.add_to(application)
peers.add_to(application)
contracts.add_to(application)
runs.add_to(application)
report.add_to(application)
model.add_to(application)
keys.add_to(application)
audit.add_to(application)
application.add_typer(roles.guest, name="guest")
application.add_typer(roles.host, name="host")
application.add_typer(roles.arbiter, name="arbiter")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"vfl {__version__}")
        raise typer.Exit


@application.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of all commands."""


def main() -> None:
    """Run the command that the process was started with, and end the process."""
    arguments = sys.argv[1:] or ["--help"]
    command = typer.main.get_command(application)
    sys.exit(voice.exit_code(lambda: command.main(arguments, prog_name="vfl", standalone_mode=False)))
