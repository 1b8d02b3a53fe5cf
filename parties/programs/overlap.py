"""Columns of two parties that say the same: of two beyond the agreed correlation one leaves the model.

The guest learns, rounded, how its columns go with each host's, and chooses: the column of the higher
information value stays, the strongest columns choosing first.  Columns of two hosts are not compared.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import Common
from parties.programs.features import HostsColumn
from parties.programs.limits import check_columns_count
from parties.programs.model import Features, columns_of
from parties.programs.run import Run, as_it_is
from vfl.crypto.paillier import PublicKey
from vfl.errors import DataError
from vfl.features import correlation, kept
from vfl.stats.binned import WoeColumns
from vfl.stats.selection import overlapping

Matrix = NDArray[np.float64]


async def guest_without_overlap(
    run: Run,
    common: Common,
    key: PublicKey,
    features: Features,
    theirs: list[HostsColumn],
    facts: dict[str, Any],
) -> tuple[Features, list[HostsColumn]]:
    """Return the guest's columns that stay beside the hosts', and the hosts' with those that do not marked.

    `facts`: with the information values of the guest's; what was learnt, and why columns went, is added.
    """
    most = run.job.features.selection.max_joint_correlation
    if most is None:
        return features, theirs
    assert isinstance(features, WoeColumns)
    run.progress.phase("comparing columns")
    own, others = features.names, [column for column in theirs if column.kept]
    r = await _correlations(run, features.transform(columns_of(common.training)), others, key)
    values = facts["information_value"]["guest"]
    strengths = [*(values[name] for name in own), *(column.value for column in others)]
    why = _left_out(r, [*own, *(column.label for column in others)], strengths, most)
    gone = [column for j, column in enumerate(others, start=len(own)) if j in why]
    for host in run.hosts:
        stays = [column not in gone for column in others if column.host == host]
        await run.step(
            f"kept of {host.name}", partial(kept.guest, stays, host=host), lambda _: None, lambda _: None
        )
    facts["correlation"] = {
        column.label: dict(zip(own, found.round(3).tolist(), strict=True))
        for column, found in zip(others, r.T, strict=True)
    }
    facts["left_out"]["guest"] |= {own[j]: reason for j, reason in why.items() if j < len(own)}
    facts["overlap"] = {column.label: why[j] for j, column in enumerate(others, start=len(own)) if j in why}
    left = [name for j, name in enumerate(own) if j not in why]
    marked = [replace(column, kept=False) if column in gone else column for column in theirs]
    return _only(features, left, common.table.source), marked


async def _correlations(run: Run, x: Matrix, others: list[HostsColumn], key: PublicKey) -> Matrix:
    """Return r of the guest's columns with all of the hosts', host by host."""
    found = []
    for host in run.hosts:
        count = sum(column.host == host for column in others)
        compared = partial(correlation.guest, x, count, key=key, rng=run.rng, host=host, arbiter=run.arbiter)
        back = partial(np.array, dtype=np.float64)
        found.append(await run.step(f"correlation with {host.name}", compared, lambda r: r.tolist(), back))
    return np.column_stack(found)


async def host_without_overlap(
    run: Run, common: Common, key: PublicKey, features: Features, facts: dict[str, Any]
) -> Features:
    """Return the host's columns that stay beside the guest's; put into the facts why others do not."""
    if run.job.features.selection.max_joint_correlation is None:
        return features
    assert isinstance(features, WoeColumns)
    z = features.transform(columns_of(common.training))
    await run.step(
        "correlation",
        lambda: correlation.host(
            z, key=key, rng=run.rng, gates=run.gates, guest=run.guest, arbiter=run.arbiter
        ),
        as_it_is,
        as_it_is,
    )
    stays = await run.step("kept", lambda: kept.host(z.shape[1], guest=run.guest), as_it_is, as_it_is)
    check_columns_count(run, sum(stays))
    facts["left_out"]["host"] |= {
        name: f"{run.guest.name} has a column like it, of a higher information value"
        for name, stay in zip(features.names, stays, strict=True)
        if not stay
    }
    left = [name for name, stay in zip(features.names, stays, strict=True) if stay]
    return _only(features, left, common.table.source)


def _left_out(cross: Matrix, labels: list[str], strengths: list[float], most: float) -> dict[int, str]:
    """Return why columns go, by their place among the guest's and then the hosts'.

    `cross`: correlations of the guest's columns with the hosts', shape (d, e); two of one side count as 0,
    for within a party it has chosen itself.
    """
    d, e = cross.shape
    r = np.block([[np.zeros((d, d)), cross], [cross.T, np.zeros((e, e))]])
    ranked = sorted(range(d + e), key=lambda j: -strengths[j])
    return {
        j: f"its correlation with {labels[near]} is {r[j, near]:.2f}, to {correlation.WITHIN:.2f}"
        for j, near in overlapping(r, ranked, most).items()
    }


def _only(features: WoeColumns, left: list[str], source: str) -> WoeColumns:
    """Return the columns that are left; raise DataError where none is."""
    if not left:
        hint = "raise the job's features.selection.max_joint_correlation, or bring other columns"
        raise DataError(source, "every column says what a stronger one of a partner says", hint)
    return features.only(left)
