"""A party that dies while columns are compared goes on, and the same columns stay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import KEY, PRIVATE
from program_runs import BANK, INSURER, by_id, changed, job, party
from protocol_tables import GUEST, HOST
from test_lasting import Stage

from parties.config.job import JobParty
from parties.programs.alignment import Common
from parties.programs.features import HostsColumn
from parties.programs.lasting import Recorded
from parties.programs.model import columns_of
from parties.programs.overlap import guest_without_overlap, host_without_overlap
from parties.programs.run import Run, as_it_is
from parties.progress import Silent
from vfl.arbitration import Quota
from vfl.features import correlation
from vfl.stats.binned import Bins, WoeColumns
from vfl.table.table import Table
from vfl.wire.flow import Role
from vfl.wire.journal import Journal

ROLES = ("guest", "host", "arbiter")
AGREED = job("features: {bins: 3, selection: {max_joint_correlation: 0.7}}").model_copy(
    update={"parties": {name: JobParty(role=name) for name in ROLES}}
)
TWIN = changed(INSURER, "twin", np.arange(420) % 3.0)
TABLES = {"guest": by_id(changed(BANK, "same", np.arange(420) % 3.0)), "host": by_id(TWIN)}
VALUES = {"claims": 0.4, "premium": 0.1, "region": 0.2, "twin": 0.3}


def inputs(name: str) -> tuple[Common, WoeColumns]:
    """Return a party's common rows, and weights of evidence of its columns."""
    table: Table = TABLES[name]
    common = Common(table, TABLES["guest"].split == "train")
    bins = Bins.fit(columns_of(table), common.train, 3)
    return common, WoeColumns(bins, tuple(np.linspace(-1, 1, size) for size in bins.sizes))


def run_of(name: str, journal: Journal) -> Run:
    """Return the run of a party that keeps a journal."""
    own = party("trustee").model_copy(update={"party": name})
    return Run.begin(AGREED, own, "run 1", "train", Silent(), rng=Recorded(journal), steps=journal)


async def guest(journal: Journal) -> Any:
    """Return the names that stay, and what was learnt of which columns."""
    run, (common, features) = run_of("guest", journal), inputs("guest")
    theirs = [HostsColumn(HOST, k, *column, kept=True) for k, column in enumerate(VALUES.items())]
    facts = {"information_value": {"guest": dict.fromkeys(features.names, 0.25)}, "left_out": {"guest": {}}}
    left, marked = await guest_without_overlap(run, common, KEY, features, theirs, facts)
    return left.names, [column.kept for column in marked], facts["correlation"]


async def host(journal: Journal) -> Any:
    """Return the names that stay."""
    run, (common, features) = run_of("host", journal), inputs("host")
    return (await host_without_overlap(run, common, KEY, features, {"left_out": {"host": {}}})).names


async def arbiter(journal: Journal) -> None:
    """Answer once."""
    answered = partial(correlation.arbiter, PRIVATE, Quota(99), guest=GUEST, host=HOST)
    await run_of("arbiter", journal).step("correlation with host", answered, as_it_is, as_it_is)


PARTS: dict[str, Callable[[Journal], Role[Any]]] = {"guest": guest, "host": host, "arbiter": arbiter}


@pytest.mark.parametrize("victim", ROLES)
def test_a_party_that_dies_while_columns_are_compared_keeps_the_same(victim: str, tmp_path: Path) -> None:
    lives = Stage(tmp_path, roles=PARTS).play({victim: [2, 4]})
    names, kept, found = lives["guest"]
    assert names == ("income", "tenure", "age")
    assert kept == [True] * 4
    assert found["twin"]["same"] == pytest.approx(1, abs=correlation.WITHIN)
    assert lives["host"] == ("claims", "premium", "region", "twin")
