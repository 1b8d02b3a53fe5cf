"""`vfl peers`: the other parties' certificates, taken into a party's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.contracts import JobArgument, PartyOption
from parties.cli.init import RoleName
from parties.cli.tables import table
from parties.cli.voice import Format, FormatOption, results, say
from vfl.errors import ConfigError, SecurityError

if TYPE_CHECKING:
    from parties.meeting.acquaintance import Files

peer_commands = typer.Typer(
    help="Take the other parties' certificates into the files.",
    epilog="\b\nExample:\n  vfl peers add job.yaml insurer.crt trustee.crt",
    rich_markup_mode=None,
)


def add_to(application: typer.Typer) -> None:
    """Give the application these commands."""
    application.add_typer(peer_commands, name="peers")


@peer_commands.callback()
def peers() -> None:
    """Take the other parties' certificates into the files."""


@peer_commands.command("add", epilog="\b\nExample:\n  vfl peers add job.yaml insurer.crt trustee.crt")
def add(
    job: JobArgument,
    cards: Annotated[
        list[Path], typer.Argument(metavar="CRT...", help="The others' NAME.crt, as `vfl init` made them.")
    ],
    party: PartyOption = None,
    role: Annotated[
        RoleName | None, typer.Option("--role", help="What the party does.  [default: as its file says]")
    ] = None,
    dial: Annotated[
        str | None,
        typer.Option("--dial", metavar="HOST:PORT", help="Where it listens.  [default: as its file says]"),
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", metavar="HEX", help="What it read to you over the phone: 32 digits."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take a new certificate in place of the pinned one.")
    ] = False,
    form: FormatOption = Format.text,
) -> None:
    """Pin the others' certificates, and enter where they are reached.

    The pins go into the job, addresses into the party's own file, certificates beside
    it. Says what to compare over the phone. The own file among them does no harm.
    """
    from parties.config.party import address as checked
    from parties.meeting.acquaintance import Files
    from parties.meeting.card import heard, read_card, spoken

    if len(cards) > 1 and (role or dial or fingerprint):
        raise ConfigError("CRT...", "--role, --dial and --fingerprint are of one party", "name one file")
    files, met, kept = Files.load(job, party), [], {}
    changed = False
    for path in cards:
        card = read_card(path)
        try:
            checked(dial or card.address or "absent:0")
        except ValueError as error:
            raise ConfigError("--dial" if dial else str(path), str(error)) from None
        if fingerprint is not None and not heard(fingerprint, card.fingerprint):
            what = f"holds {spoken(card.fingerprint)} ..., which is not what you heard"
            raise SecurityError(str(path), what, f"do not use it; ask {card.name} to send it another way")
        changed |= files.pin(card, role and role.value, replace=replace)
        if place := files.know(card, dial):
            kept[place] = card
            met.append(_met(files, card.name, spoken(card.fingerprint)))
    for place, card in kept.items():
        place.write_text(card.text(), encoding="ascii")
    files.save()
    values = {"job": str(job), "party": files.name, "peers": met, "missing": files.missing()}
    results(values, form, _lines)
    for line in _next(files, changed=changed, compared=fingerprint is not None):
        say(f"next: {line}")


def _met(files: Files, name: str, said: str) -> dict[str, Any]:
    return {"name": name, "role": files.role_of(name), "says": said, "dial": files.own["peers"][name]["dial"]}


def _lines(values: dict[str, Any]) -> Iterator[str]:
    rows = [(p["name"], p["role"], p["dial"] or "it calls", p["says"]) for p in values["peers"]]
    yield from table(("party", "role", "called at", "first digits of its fingerprint"), rows)


def _next(files: Files, *, changed: bool, compared: bool) -> Iterator[str]:
    """Yield what is to be done now."""
    if missing := files.missing():
        yield f"{', '.join(missing)} missing: vfl peers add {files.job_path} NAME.crt"
        return
    if not compared:
        yield "call each of them and compare these digits with those that `vfl init` printed there"
    if changed:
        others = [name for name in files.job["parties"] if name != files.name]
        sent = ", ".join(map(str, [files.job_path, *files.certificates()]))
        add = "adds" if len(others) == 1 else "add"
        yield f"send {sent} to {' and '.join(others)}, who {add} the certificates as you did"
    yield f"vfl check {files.job_path} --party {files.own_path}"
