"""`vfl init`: a party's files, ready to be filled in."""

from __future__ import annotations

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


NEXT = {
    "guest": "send {certificate} and this fingerprint to the others, enter theirs in {job}, "
    "agree on the file, run `vfl check {job}`, then sign it: `vfl approve {job}`",
    "host": "send {certificate} and this fingerprint to the guest; put the job and the others' "
    "certificates in {folder}, run `vfl check {job}`, then sign it: `vfl approve {job}`",
    "arbiter": "send {certificate} and this fingerprint to the guest; put the job and the others' "
    "certificates in {folder}, run `vfl check {job}`, then sign it: `vfl approve {job}`",
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
    form: FormatOption = Format.text,
) -> None:
    """Make a party's key, certificate and files.

    Prints the certificate's fingerprint, for the others to pin.  Existing files are never
    overwritten.
    """
    from parties.config.templates import job_text, party_text
    from vfl.wire.certificates import create_identity, fingerprint, save_identity

    party = _checked(name or role.value, role.value)
    texts = {folder / f"{party}.yaml": party_text(role.value, party)}
    _refuse_existing(list(texts))
    identity = create_identity(party)
    pin = fingerprint(identity.certificate_pem)
    job = folder / "job.yaml"
    if role is RoleName.guest:
        texts[job] = job_text(party, pin)
        _refuse_existing([job])
    key, certificate = save_identity(identity, folder)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    files = [str(path) for path in (*texts, key, certificate)]
    say(f"wrote {', '.join(files)}")
    results({"party": party, "role": role.value, "fingerprint": pin, "files": files}, form, _lines)
    say("next: " + NEXT[role.value].format(certificate=certificate, job=job, folder=folder))


def _lines(values: dict[str, Any]) -> list[str]:
    return [str(values["fingerprint"])]


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
