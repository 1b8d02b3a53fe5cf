"""`vfl check`: what a party can know before it meets the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.tables import shortened, table
from parties.cli.voice import Format, FormatOption, results, say

if TYPE_CHECKING:
    from parties.config.job import Job
    from parties.config.party import Party


def add_to(application: typer.Typer) -> None:
    """Give the application this command."""
    application.command("check", epilog="\b\nExample:\n  vfl check job.yaml --party bank.yaml")(check)


def check(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job file that all parties share.")],
    party: Annotated[
        Path | None,
        typer.Option(
            "--party", metavar="FILE", help="The party's own file.  [default: every NAME.yaml beside JOB]"
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", metavar="N", min=1, help="Common customers that train.  [default: all own]"),
    ] = None,
    estimates: Annotated[
        bool, typer.Option("--cost/--no-cost", help="Time this machine, and say what a training takes.")
    ] = True,
    form: FormatOption = Format.text,
) -> None:
    """Check files, tables and keys before meeting peers.

    Then times this machine for a second or two and foretells seconds, gigabytes,
    ciphertexts and disk of a training, partners' columns assumed to be as many as the own.
    """
    from parties.config.job import Job
    from parties.config.party import Party
    from parties.inspection import inspect

    agreed = Job.load(job)
    gates = agreed.open_gates()
    beside = [job.parent / f"{name}.yaml" for name in sorted(agreed.parties)]
    paths = [party] if party else [path for path in beside if path.exists()]
    own = [Party.load(path, agreed) for path in paths]
    found = [inspect(agreed, party, gates, fits=estimates) for party in own]
    shared = any(party.compute.backend != "threads" for party in own)
    values: dict[str, Any] = {
        "job": agreed.job,
        "contract": agreed.contract_hash(),
        "pinned": sorted(name for name, member in agreed.parties.items() if member.certificate),
        "overridden": gates.overridden,
        "parties": found,
        "cost": _cost(agreed, found, rows, shared=shared) if estimates else None,
    }
    if values["cost"]:
        values["cost"]["disk"] = _disk(values["cost"]["journal"], own, agreed)
    results(values, form, _lines)
    if len(paths) == 1 and len(values["pinned"]) == len(agreed.parties):
        say(f"next: vfl approve {job} --party {paths[0]}")


def _lines(values: dict[str, Any]) -> Iterator[str]:
    yield f"job {values['job']}: ok"
    yield f"  contract {values['contract']}"
    yield f"  pinned certificates: {', '.join(values['pinned']) or 'none'}"
    for breach in values["overridden"]:
        yield f"  allowed by the job: {breach}"
    for party in values["parties"]:
        yield ""
        yield f"{party['role']} {party['party']}: ok, identity {party['identity']}"
        for name in ("train", "score"):
            if part := party.get(name):
                yield from _table_lines(name, part)
    if values["cost"]:
        yield from _cost_lines(values["cost"])


def _cost(job: Job, found: list[dict[str, Any]], rows: int | None, *, shared: bool) -> dict[str, Any] | None:
    """Return what a training takes, None where nobody's table is here; `shared`: there is a cluster."""
    from parties.cost.estimate import cost, shape_of
    from parties.cost.probe import probe_here

    shape = shape_of(job, found, rows)
    if shape is None:
        return None
    rates, named = probe_here(job.encryption.bits, str(job.encryption.randomiser_bits))
    return cost(shape, rates).as_json() | {"machine": f"{named}, without the cluster" if shared else named}


def _disk(journal: dict[str, float], own: list[Party], agreed: Job) -> dict[str, dict[str, Any]]:
    """Return the disk that each party's journal takes at most at once, and what its folder has."""
    from parties.doctor.files import room_in

    return {
        party.party: {
            "folder": str(party.out),
            "bytes": journal[agreed.parties[party.party].role],
            "free": room_in(party.out),
        }
        for party in own
    }


def _cost_lines(found: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"what a training on {found['rows']:,} common customers takes, by {found['machine']}"
    rows = [
        (name, *_amounts(part)) for name, part in [*found["phases"].items(), ("all", found)] if part["bytes"]
    ]
    yield from table(("", "all parties here", "a machine each", "GB sent", "ciphertexts", "trips"), rows)
    if guess := found["guess"]:
        here, apart = (
            " to ".join(map(_duration, guess[f"seconds_{how}"])) for how in ("on_this_machine", "apart")
        )
        least, most = guess["between"]
        guessed = f"  {guess['gradients']} gradients of {guess['degrees']} degrees are a guess"
        if guess["shared"]:
            yield f"{guessed} of the first fit. Each"
            yield f"  column that leaves leads to another, {guess['shared']} gradients in all at most:"
            yield f"  {here}, or {apart}"
        else:
            yield f"{guessed}. Of ten such fits"
            yield f"  nine took {least:g} to {most:g} times as many: {here}, or {apart}"
    for name, disk in found["disk"].items():
        yield f"  disk of {name}: {disk['bytes'] / 1e9:.2f} GB at once, {disk['free'] / 1e9:.2f} GB are free"
        if disk["bytes"] > disk["free"]:
            yield f"    make room in {disk['folder']}, or the training pauses"


def _amounts(part: dict[str, Any]) -> tuple[str, ...]:
    here, apart = (_duration(part[f"seconds_{how}"]) for how in ("on_this_machine", "apart"))
    return (
        here,
        apart,
        f"{part['bytes'] / 1e9:.2f}",
        f"{part['ciphertexts']:,.0f}",
        f"{part['round_trips']:,.0f}",
    )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 10_000 else f"{seconds / 3600:.1f} h"


def _table_lines(name: str, part: dict[str, Any]) -> Iterator[str]:
    yield f"  to {name}: {part['file']}, {part['rows']} rows, {part['customers']} customers"
    for split, count in part.get("splits", {}).items():
        known = f"{count['rows']} rows"
        if "events" in count:
            known += f", {count['events']} bad ({count['events'] / count['rows']:.2%})"
        else:
            known += f", outcomes of {count['total'] / count['rows']:.6g} on average"
        yield f"    {split}: {known}"
    rows = [
        (shortened(c["name"], 40), c["kind"], f"{c['blank'] / part['rows']:.1%}", str(c["distinct"]))
        for c in part["columns"]
    ]
    for line in table(("column", "kind", "blank", "distinct"), rows):
        yield f"    {line}"
