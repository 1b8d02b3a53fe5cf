"""The customers that all parties with data know, in one order of the rows, and which of them train."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import psi.ecdh
import psi.several
from parties.config.job import Job
from parties.inspection import Listed, clean_ids, training_rows
from parties.programs.run import Run, as_it_is
from vfl.errors import DataError
from vfl.features import split
from vfl.table.read import check_columns
from vfl.table.table import Table
from vfl.table.texts import Ids

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Common:
    """A party's rows of the common customers, in the agreed order, and which of them train."""

    table: Table
    train: Mask

    @cached_property
    def training(self) -> Table:
        """The training rows alone."""
        return self.table.take(np.flatnonzero(self.train))

    @property
    def rows(self) -> dict[str, int]:
        """The rows of each split."""
        return {"train": int(self.train.sum()), "test": int((~self.train).sum())}

    @property
    def facts(self) -> dict[str, Any]:
        """What every party's run.json says of them."""
        return {"intersection": len(self.table), "rows": self.rows}


async def align_guest(run: Run, table: Table) -> Common:
    """Find the common customers, and tell the hosts which of them train.

    Raises DataError where a column carries nothing in the rows that do.
    """
    run.progress.phase("finding common customers")
    rows, _ = await match_guest(run, table, run.job.alignment.min_intersection)
    common = table.take(rows)
    train = training_rows(common)
    if not train.any():
        raise DataError(table.source, "no common customer is in the split train", "see data.split")
    await run.step("split", lambda: split.guest(train, hosts=run.hosts), lambda _: None, lambda _: None)
    return _checked(Common(common, train))


async def align_host(run: Run, table: Table) -> Common:
    """Find the common customers, and learn which of them train; raises DataError as `align_guest`."""
    common = table.take(await match_host(run, table, run.job.alignment.min_intersection))
    train = await run.step("split", lambda: split.host(len(common), guest=run.guest), as_it_is, as_it_is)
    return _checked(Common(common, train))


def _checked(common: Common) -> Common:
    check_columns(common.training)
    return common


def measured_rows(job: Job, train: Mask) -> Mask:
    """Return the rows whose joint score the guest may know after a training."""
    splits = job.disclosure.metrics
    return (train & ("train" in splits)) | (~train & ("test" in splits))


async def match_guest(run: Run, table: Listed, minimum: int) -> tuple[Rows, Rows]:
    """Return which rows are of common customers, in the agreed order, and which of others."""
    clean = clean_ids(run.job, table)
    ids = clean.ids
    found = await run.step("alignment", lambda: _found_by_guest(run, ids, minimum), as_it_is, as_it_is)
    is_other = np.ones(len(clean), np.bool_)
    is_other[found] = False
    return clean.rows[found], clean.rows[is_other]


async def match_host(run: Run, table: Listed, minimum: int) -> Rows:
    """Return which rows are of common customers, in the agreed order."""
    clean = clean_ids(run.job, table)
    ids = clean.ids
    found = await run.step("alignment", lambda: _found_by_host(run, ids, minimum), as_it_is, as_it_is)
    rows: Rows = clean.rows[found]
    return rows


async def _found_by_guest(run: Run, ids: Ids, minimum: int) -> Rows:
    rng, domain, group, most = run.rng, run.domain, run.group, run.job.alignment.max_ids
    found = (
        psi.ecdh.guest(ids, rng, host=run.host, minimum=minimum, domain=domain, most=most, group=group)
        if len(run.hosts) == 1
        else psi.several.guest(
            ids, rng, hosts=run.hosts, minimum=minimum, domain=domain, most=most, group=group
        )
    )
    return (await found).rows


async def _found_by_host(run: Run, ids: Ids, minimum: int) -> Rows:
    rng, domain, group, count = run.rng, run.domain, run.group, len(run.hosts)
    most = run.job.alignment.max_ids
    found = (
        psi.ecdh.host(ids, rng, guest=run.guest, minimum=minimum, domain=domain, most=most, group=group)
        if count == 1
        else psi.several.host(
            ids, rng, guest=run.guest, hosts=count, minimum=minimum, domain=domain, most=most, group=group
        )
    )
    return (await found).rows


def cleaned(job: Job, table: Table) -> tuple[Ids, Table]:
    """Return the ids as the job compares them, and the table's rows in their order."""
    clean = clean_ids(job, table)
    return clean.ids, table if len(clean) == len(table) else table.take(clean.rows)
