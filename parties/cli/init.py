"""`vfl init`: a party's files, ready to be filled in."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.cli.voice import Format, FormatOption, results, say


class RoleName(StrEnum):
    """What a party does."""

    guest = "guest"
    host = "host"
    arbiter = "arbiter"


DEFAULT_PORT = 7443

NEXT = {
    "guest": "let the others send you their NAME.crt, then: vfl peers add {job} NAME.crt ...",
    "host": "send {card} to the guest; put the job and the certificates that it sends back into "
    "{folder}, then: vfl peers add {job} {folder}/*.crt",
}


def add_to(application: typer.Typer) -> None:
    """Give the application this command."""
    epilog = "\b\nExample:\n  vfl init --role guest --name bank my-job"
    application.command("init", epilog=epilog)(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to put the files in.")],
    role: Annotated[RoleName, typer.Option("--role", help="What the party does.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="N", help="The party's name.  [default: its role]")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="HOST:PORT", help="Where the others reach it. Not a guest's."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--table", metavar="FILE", help="Its table.  [default: DIR/NAME.csv]")
    ] = None,
    identifier: Annotated[
        str, typer.Option("--id", metavar="COLUMN", help="The table's column of ids.")
    ] = "id",
    label: Annotated[
        str, typer.Option("--label", metavar="COLUMN", help="A guest's column of labels.")
    ] = "label",
    split: Annotated[
        str | None, typer.Option("--split", metavar="COLUMN", help="A guest's column of train and test.")
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Make a party's key, certificate and files.

    Prints the certificate's fingerprint, for the others to pin.  Existing files are never
    overwritten.
    """
    from parties.config.templates import Answers, job_text, party_text
    from parties.meeting.card import Card, spoken
    from vfl.wire.certificates import create_identity, fingerprint, save_identity

    party = _checked(name or role.value, role.value)
    port = DEFAULT_PORT if address is None else _port(address, role)
    place = f"{party}.csv" if table is None else os.path.relpath(table, folder)
    place, identifier, label, split = map(_quoted, (place, identifier, label, split))
    answers = Answers(place, identifier, label, split, port)
    texts = {folder / f"{party}.yaml": party_text(role.value, party, answers)}
    job = folder / "job.yaml"
    identity = create_identity(party)
    pin = fingerprint(identity.certificate_pem)
    if role is RoleName.guest:
        texts[job] = job_text(party, pin)
    _refuse_existing(list(texts))
    key, certificate = save_identity(identity, folder)
    texts[certificate] = Card(party, pin, identity.certificate_pem, role.value, address).text()
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    files = [str(path) for path in (*list(texts)[:-1], key, certificate)]
    say(f"wrote {', '.join(files)}")
    results({"party": party, "role": role.value, "fingerprint": pin, "files": files}, form, _lines)
    say(f"over the phone: {spoken(pin)}")
    if role is not RoleName.arbiter and table is None:
        say(f"next: name the table in {next(iter(texts))}: data")
    how = NEXT["guest" if role is RoleName.guest else "host"]
    say("next: " + how.format(card=certificate, job=job, folder=folder))


def _lines(values: dict[str, Any]) -> list[str]:
    return [str(values["fingerprint"])]


def _quoted(text: str | None) -> str:
    """Return a text as YAML has it."""
    return json.dumps(text, ensure_ascii=False)


def _port(address: str, role: RoleName) -> int:
    from parties.config.party import address as checked
    from vfl.errors import ConfigError

    if role is RoleName.guest:
        raise ConfigError("--address", "a guest is not called: it calls the others", "leave it out")
    try:
        return int(checked(address).rpartition(":")[2])
    except ValueError as error:
        raise ConfigError("--address", str(error)) from None


def _checked(name: str, role: str) -> str:
    from parties.config.job import named_like
    from vfl.errors import ConfigError

    try:
        return named_like(name, role)
    except ValueError as error:
        raise ConfigError("--name", str(error)) from None


def _refuse_existing(paths: list[Path]) -> None:
    from vfl.errors import ConfigError

    for path in paths:
        if path.exists():
            raise ConfigError(str(path), "exists already", "choose another folder or name")
