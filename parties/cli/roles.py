"""`vfl guest`, `vfl host`, `vfl arbiter`: one party's part of a job, each on its own machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from parties.cli.tables import comparison, summary_lines
from parties.cli.voice import TERMINATED, Format, FormatOption, complain, results, stop_on_request
from parties.progress import shown
from vfl.errors import ConfigError

if TYPE_CHECKING:
    from parties.config.job import Job, Role
    from parties.config.party import Party

JobArgument = Annotated[Path, typer.Argument(metavar="JOB", help="The job file that all parties share.")]
PartyOption = Annotated[
    Path | None,
    typer.Option(
        "--party", metavar="FILE", help="The party's own file.  [default: its name and .yaml, beside JOB]"
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where results go.  [default: `out` of the party's file]"),
]
OnceOption = Annotated[bool, typer.Option("--once", help="Serve one run, then end.")]
FailOption = Annotated[
    bool, typer.Option("--end-on-failure", help="End with the first run that fails.", hidden=True)
]
PortFileOption = Annotated[
    Path | None,
    typer.Option(
        "--port-file", metavar="FILE", help="Write the port that is listened on to FILE.", hidden=True
    ),
]

guest = typer.Typer(
    help="The party that holds the labels.",
    epilog="\b\nExample:\n  vfl guest train job.yaml",
    rich_markup_mode=None,
)
host = typer.Typer(
    help="A party that holds columns.",
    epilog="\b\nExample:\n  vfl host serve job.yaml",
    rich_markup_mode=None,
)
arbiter = typer.Typer(
    help="The party that holds the decryption key, and no data.",
    epilog="\b\nExample:\n  vfl arbiter serve job.yaml",
    rich_markup_mode=None,
)


@guest.command("train", epilog="\b\nExample:\n  vfl guest train job.yaml --party bank.yaml --out runs/1")
def guest_train(
    job: JobArgument,
    party: PartyOption = None,
    out: OutOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Fit the joint model with the other parties, and report on it."""
    agreed, own = opened(job, party, "guest")
    from parties.programs.guest import train

    stop_on_request(TERMINATED)
    folder = out or own.out
    with shown() as progress:
        summary = train(agreed, own, folder, progress)
    print_trained(summary, own, folder, form)


def print_trained(summary: dict[str, Any], own: Party, folder: Path, form: Format) -> None:
    """Print what a training came to, and where its files are."""
    files = ["", f"report   {folder / 'report.html'}", f"ledger   {folder / 'ledger.json'}: who learned what"]
    results(summary, form, lambda run: [*comparison(run, own.party), *files])


@guest.command(
    "score", epilog="\b\nExample:\n  vfl guest score job.yaml --input batch.csv --output scores.csv"
)
def guest_score(
    job: JobArgument,
    table: Annotated[
        Path | None,
        typer.Option(
            "--input", metavar="FILE", help="Customers to score.  [default: `data` of the party's file]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Where scores go.  [default: in the out folder]"),
    ] = None,
    party: PartyOption = None,
    out: OutOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Score common customers with the joint model; needs no labels."""
    agreed, own = opened(job, party, "guest")
    from parties.programs.guest import score

    stop_on_request(TERMINATED)
    with shown() as progress:
        summary = score(agreed, own, out or own.out, progress, input=table, output=output)
    results(summary, form, lambda run: summary_lines({k: v for k, v in run.items() if k != "warnings"}))


@guest.command("online", epilog="\b\nExample:\n  vfl guest online job.yaml --listen 127.0.0.1:8080")
def guest_online(
    job: JobArgument,
    party: PartyOption = None,
    out: OutOption = None,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where requests are answered.")
    ] = "127.0.0.1:8080",
    port_file: PortFileOption = None,
) -> None:
    """Score one customer a request, over HTTP, until told to stop.

    The contract must allow it (disclosure.online): the host learns which of its customers
    is scored, and when. POST /score {"id": "0042"}.
    """
    agreed, own = opened(job, party, "guest")
    from parties.online.service import serve

    stop_on_request(0)
    with shown() as progress:
        serve(agreed, own, out or own.out, progress, listen=listen, port_file=port_file)


@host.command("serve", epilog="\b\nExample:\n  vfl host serve job.yaml --party insurer.yaml --once")
def host_serve(
    job: JobArgument,
    party: PartyOption = None,
    out: OutOption = None,
    once: OnceOption = False,
    fail: FailOption = False,
    port_file: PortFileOption = None,
) -> None:
    """Take part in runs that the guest begins, until told to stop."""
    _serve(job, party, out, "host", once=once, complains=not fail, port_file=port_file)


@arbiter.command("serve", epilog="\b\nExample:\n  vfl arbiter serve job.yaml --party trustee.yaml")
def arbiter_serve(
    job: JobArgument,
    party: PartyOption = None,
    out: OutOption = None,
    once: OnceOption = False,
    fail: FailOption = False,
    port_file: PortFileOption = None,
) -> None:
    """Decrypt masked sums within the contract's quota, until stopped."""
    _serve(job, party, out, "arbiter", once=once, complains=not fail, port_file=port_file)


def _serve(
    job: Path,
    party: Path | None,
    out: Path | None,
    role: Literal["host", "arbiter"],
    *,
    once: bool,
    complains: bool,
    port_file: Path | None,
) -> None:
    """Serve in this role until told to stop."""
    agreed, own = opened(job, party, role)
    from parties.programs.serving import Service

    if role == "host":
        from parties.programs.host import serve
    else:
        from parties.programs.arbiter import serve
    service = Service(
        ready=lambda: stop_on_request(0),
        once=once,
        complain=complain if complains else None,
        port_file=port_file,
    )
    with shown() as progress:
        serve(agreed, own, out or own.out, progress, service)


def opened(job_path: Path, party_path: Path | None, role: Role) -> tuple[Job, Party]:
    """Return the job, which must pin every certificate, and the party of this role."""
    from parties.config.job import Job
    from parties.config.party import Party

    job = Job.load(job_path)
    _ = job.pins
    path = party_path or party_file(job_path, job, role)
    party = Party.load(path, job)
    actual = job.parties[party.party].role
    if actual != role:
        raise ConfigError(f"{path}: party", f"{party.party} is this job's {actual}, not its {role}")
    return job, party


def party_file(job_path: Path, job: Job, role: Role) -> Path:
    """Return the one file beside the job of a party of this role."""
    names = [name for name, party in job.parties.items() if party.role == role]
    if not names:
        raise ConfigError(str(job_path), f"the job {job.job} has no {role}")
    paths = [job_path.parent / f"{name}.yaml" for name in names]
    found = [path for path in paths if path.exists()]
    if len(paths) > 1 and len(found) != 1:
        what = f"{job.job} has {len(names)} {role}s, and {len(found) or 'none'} of their files are here"
        raise ConfigError("--party", what, f"name the file: --party {paths[0]}")
    return (found or paths)[0]
