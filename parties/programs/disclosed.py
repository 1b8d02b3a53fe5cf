"""What parties show each other besides the run itself, where the contract has it: names and coefficients."""

from __future__ import annotations

from typing import Any

from parties.programs.model import Features, numbered
from parties.programs.run import Run, as_it_is
from vfl.features import names
from vfl.linear import coefficients
from vfl.table.table import Table

Weights = dict[str, float]


async def hosts_names(run: Run) -> dict[str, tuple[str, ...]]:
    """Return the names of the hosts' columns by host, none where the contract keeps them secret."""
    if run.job.disclosure.host_columns == "anonymous":
        return {}

    async def told() -> dict[str, tuple[str, ...]]:
        return {host.name: await names.guest(host=host) for host in run.hosts}

    def tuples(kept: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
        return {host: tuple(columns) for host, columns in kept.items()}

    return await run.step("names", told, as_it_is, tuples)


async def show_names(run: Run, table: Table) -> None:
    """Tell the guest the names of a host's columns, unless the contract keeps them secret."""
    if run.job.disclosure.host_columns == "named":
        columns = tuple(table.columns)
        await run.step("names", lambda: names.host(columns, guest=run.guest), as_it_is, as_it_is)


async def guest_coefficients(run: Run, table: Table, features: Features, weights: Weights) -> dict[str, Any]:
    """Return what run.json says of all parties' weights, once each host has seen the guest's.

    Nothing where they stay apart.  `weights`: the guest's, the intercept first.
    """
    if not run.job.disclosure.joined_coefficients:
        return {}
    shown = dict(zip(("intercept", *_said(run, table, features)), weights.values(), strict=True))
    theirs = {host.name: await coefficients.guest(shown, host=host) for host in run.hosts}
    return {"joint_coefficients": {run.guest.name: weights, **theirs}}


async def host_coefficients(run: Run, table: Table, features: Features, weights: Weights) -> dict[str, Any]:
    """Return what a host's run.json says of the guest's weights and its own, which the guest then knows."""
    if not run.job.disclosure.joined_coefficients:
        return {}
    shown = dict(zip(_said(run, table, features), weights.values(), strict=True))
    guests = await coefficients.host(shown, guest=run.guest)
    return {"joint_coefficients": {run.guest.name: guests, run.party.party: weights}}


def _said(run: Run, table: Table, features: Features) -> tuple[str, ...]:
    """Return what the others call the columns of a half: numbers, where hosts' names stay secret."""
    if run.job.disclosure.host_columns == "anonymous":
        return numbered(features.sources, tuple(table.columns))
    return features.names
