"""`vfl keys`: the key and the certificate by which the others know a party."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.contracts import JobArgument, PartyOption, opened
from parties.cli.voice import Format, FormatOption, results, say

if TYPE_CHECKING:
    from vfl.wire.certificates import Identity

key_commands = typer.Typer(
    help="Make, show or replace a party's key.",
    epilog="\b\nExample:\n  vfl keys show job.yaml --party bank.yaml",
    rich_markup_mode=None,
)


def add_to(application: typer.Typer) -> None:
    """Give the application these commands."""
    application.add_typer(key_commands, name="keys")


@key_commands.command("new", epilog="\b\nExample:\n  vfl keys new bank my-job")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The party's name.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to put both files in.")],
    form: FormatOption = Format.text,
) -> None:
    """Make a key and a certificate.

    Prints the certificate's fingerprint, for the others to pin. Nothing is overwritten.
    """
    from vfl.wire.certificates import create_identity, save_identity

    identity = create_identity(name)
    _told(identity, save_identity(identity, folder), form)


@key_commands.command("show", epilog="\b\nExample:\n  vfl keys show job.yaml --party bank.yaml")
def show(job: JobArgument, party: PartyOption = None, form: FormatOption = Format.text) -> None:
    """Say which certificates a party holds, and until when."""
    from parties.inspection import pinned_certificates
    from vfl.wire.certificates import fingerprint, parse_certificate

    agreed, own = opened(job, party)
    identity, known = pinned_certificates(agreed, own)
    found = {
        name: {
            "fingerprint": fingerprint(pem),
            "until": f"{parse_certificate(pem, name).not_valid_after_utc:%Y-%m-%d}",
        }
        for name, pem in {own.party: identity.certificate_pem, **dict(sorted(known.items()))}.items()
    }
    results(
        {"party": own.party, "certificates": found},
        form,
        lambda _: [f"{name}: {shown['fingerprint']} until {shown['until']}" for name, shown in found.items()],
    )


@key_commands.command("rotate", epilog="\b\nExample:\n  vfl keys rotate job.yaml --party bank.yaml")
def rotate(job: JobArgument, party: PartyOption = None, form: FormatOption = Format.text) -> None:
    """Make a new key beside the old one.

    The old key vouches for the new one in the audit log, and signs until the new one is
    first used. Prints the new fingerprint, and what the others need.
    """
    from parties.audit.log import AuditLog
    from parties.inspection import pinned_certificates
    from vfl.wire.certificates import create_identity, save_identity

    agreed, own = opened(job, party)
    former, _ = pinned_certificates(agreed, own)
    identity, place = create_identity(own.party), own.identity.key
    stem = next(s for k in count(2) if not (place.parent / f"{(s := f'{own.party}-{k}')}.key").exists())
    files = save_identity(identity, place.parent, stem)
    AuditLog.of(own, former).vouch(identity)
    _told(identity, files, form)
    say(
        f"next: put both files into the own file, under identity; then vfl peers add {job} {files[1]} "
        "--replace; send the certificate and the job to the others, who add it likewise and compare the "
        "fingerprint by telephone; then everybody signs the job anew: vfl approve"
    )


def _told(identity: Identity, files: tuple[Path, Path], form: Format) -> None:
    from vfl.wire.certificates import fingerprint

    values: dict[str, Any] = {
        "party": identity.name,
        "fingerprint": fingerprint(identity.certificate_pem),
        "files": [str(path) for path in files],
    }
    say(f"wrote {', '.join(values['files'])}")
    results(values, form, lambda _: [values["fingerprint"]])
