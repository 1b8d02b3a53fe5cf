"""`vfl approve` and `vfl job`: a party's signature under a job, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.tables import table
from parties.cli.voice import Format, FormatOption, results, say
from vfl.errors import ConfigError

if TYPE_CHECKING:
    from parties.config.job import Job
    from parties.config.party import Party

JobArgument = Annotated[Path, typer.Argument(metavar="JOB", help="The job file that all parties share.")]
PartyOption = Annotated[
    Path | None,
    typer.Option("--party", metavar="FILE", help="The party's own file.  [default: the only one beside JOB]"),
]

NEXT = {
    "guest": "once the others serve: vfl guest train {files}",
    "host": "vfl host serve {files}",
    "arbiter": "vfl arbiter serve {files}",
}

job_commands = typer.Typer(
    help="Read a contract, see who approved it, withdraw.",
    epilog="\b\nExample:\n  vfl job status job.yaml --party bank.yaml",
    rich_markup_mode=None,
)


def add_to(application: typer.Typer) -> None:
    """Give the application these commands."""
    epilog = "\b\nExample:\n  vfl approve job.yaml --party bank.yaml --expires 2027-06-30"
    application.command("approve", epilog=epilog)(approve)
    application.add_typer(job_commands, name="job")


def approve(
    job: JobArgument,
    party: PartyOption = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            "--expires", metavar="DAY", formats=["%Y-%m-%d"], help="Last day.  [default: in a year]"
        ),
    ] = None,
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", min=1, help="Trainings and scorings at most.")
    ] = 100,
    form: FormatOption = Format.text,
) -> None:
    """Sign a job: its runs may take place.

    Shows what is signed. A run starts once every party has signed the very same job; the
    signature is sent to the others when it does.
    """
    from parties.contract.approval import approve as sign
    from parties.contract.approval import document_path
    from parties.contract.policy import check_policy
    from parties.contract.words import in_words
    from parties.inspection import pinned_certificates

    agreed, own = opened(job, party)
    check_policy(agreed, own.policy)
    identity, _ = pinned_certificates(agreed, own)
    words = list(in_words(agreed))
    until = expires.date() if expires else None
    if until and until < datetime.now(UTC).date():
        raise ConfigError("--expires", f"{until} is over", "name a day to come")
    terms = sign(agreed, identity, own.approvals, expires=until, runs=runs).approval
    path = document_path(own.approvals, agreed, own.party)
    values = terms.model_dump(mode="json") | {"file": str(path)}
    last = f"{own.party} approves this until {terms.expires}, for {terms.runs} runs at most: {path}"
    results(values, form, lambda _: [*words, "", last])
    role = agreed.parties[own.party].role
    files = f"{job} --party {party or own_file(job, agreed)}"
    say(f"next: {NEXT[role].format(files=files)}")


@job_commands.command("show", epilog="\b\nExample:\n  vfl job show job.yaml")
def show(job: JobArgument, form: FormatOption = Format.text) -> None:
    """Say in plain words what a job's parties agree to."""
    from parties.config.job import Job
    from parties.contract.words import in_words, learning

    agreed = Job.load(job)
    values = {
        "job": agreed.job,
        "contract": agreed.contract_hash(),
        "terms": agreed.model_dump(mode="json"),
        "learn": learning(agreed),
    }
    results(values, form, lambda _: in_words(agreed))


@job_commands.command("status", epilog="\b\nExample:\n  vfl job status job.yaml --party bank.yaml")
def status(job: JobArgument, party: PartyOption = None, form: FormatOption = Format.text) -> None:
    """Say who has approved, until when, and how many runs are left.

    Others' approvals are known here once a run has brought them, or their file was put
    beside the own one. Runs are those that this party has counted.
    """
    from parties.contract.status import standing

    agreed, own = opened(job, party)
    found = [standing(agreed, own, name) for name in agreed.parties]
    values = {"job": agreed.job, "contract": agreed.contract_hash(), "approvals": found}
    results(values, form, _status_lines)


@job_commands.command("revoke", epilog="\b\nExample:\n  vfl job revoke job.yaml --party bank.yaml")
def revoke(job: JobArgument, party: PartyOption = None, form: FormatOption = Format.text) -> None:
    """Withdraw the own approval.

    A run under way stops at its next message, later ones do not begin.
    """
    from parties.contract.status import withdraw

    agreed, own = opened(job, party)
    withdrawn = withdraw(agreed, own)
    results(
        {"job": agreed.job, "contract": agreed.contract_hash(), "party": own.party, "withdrawn": withdrawn},
        form,
        lambda _: [f"{own.party} has withdrawn its approval of {agreed.job}"],
    )
    say("tell the other parties: those that do not meet this one in a run cannot know")


def _status_lines(values: dict[str, Any]) -> Iterator[str]:
    yield f"job {values['job']}, contract {values['contract']}"
    rows = [
        (a["party"], a["role"], a["expires"] or "", *map(_count, (a["used"], a["left"])), a["standing"])
        for a in values["approvals"]
    ]
    yield from table(("party", "role", "until", "runs used", "left", ""), rows)


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def opened(job_path: Path, party_path: Path | None) -> tuple[Job, Party]:
    """Return the job, which must pin every certificate, and the party's own file."""
    from parties.config.job import Job
    from parties.config.party import Party

    job = Job.load(job_path)
    _ = job.pins
    return job, Party.load(party_path or own_file(job_path, job), job)


def own_file(job_path: Path, job: Job) -> Path:
    """Return the one file of a party of the job that lies beside it."""
    paths = [job_path.parent / f"{name}.yaml" for name in sorted(job.parties)]
    found = [path for path in paths if path.exists()]
    if len(found) != 1:
        what = f"{len(found) or 'none'} of the parties' files lie beside {job_path}"
        raise ConfigError("--party", what, f"name the own one: --party {paths[0]}")
    return found[0]
