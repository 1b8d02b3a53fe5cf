"""Two hosts in one job: its programs align all three tables, in memory and over the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network_fixtures import run_all, sessions
from program_runs import BANK, INSURER, job, run_of
from protocol_runs import several_roles

from parties.cli.roles import party_file
from parties.config.job import Job, JobParty
from parties.programs.alignment import Common, align_guest, align_host, match_guest, match_host
from psi import several
from vfl.errors import ConfigError, ContractError
from vfl.table.table import Numeric, Table
from vfl.wire.flow import Role
from vfl.wire.memory import run_in_memory


def lender_table() -> Table:
    """Return a table of every third customer of the insurer, and of some that nobody else has."""
    ids = np.concatenate([INSURER.ids[::-3], np.array([f"x{k}" for k in range(40)], object)])
    return Table(ids, {"loans": Numeric(np.arange(len(ids), dtype=float))}, None, None, "lender.csv")


LENDER = lender_table()
TABLES = {"bank": BANK, "insurer": INSURER, "lender": LENDER}
COMMON = set(BANK.ids) & set(INSURER.ids) & set(LENDER.ids)


def with_lender(more: str = "") -> Job:
    """Return the small job with a second host."""
    agreed = job(more)
    return agreed.model_copy(update={"parties": agreed.parties | {"lender": JobParty(role="host")}})


def aligned(agreed: Job, tables: dict[str, Table] = TABLES) -> dict[str, Common]:
    """Return what each party with data has after the alignment of a training."""
    roles: dict[str, Role[Any]] = {
        name: (align_guest if name == "bank" else align_host)(run_of(agreed, name), table)
        for name, table in tables.items()
    }
    return run_in_memory(roles).results


def test_three_tables_end_in_one_order_of_the_rows_all_three_have() -> None:
    found = aligned(with_lender())
    (order,) = {tuple(common.table.ids) for common in found.values()}
    assert set(order) == COMMON
    assert 100 <= len(order) == len(COMMON) < len(LENDER)
    assert list(order) != sorted(order)


def test_both_hosts_learn_which_rows_train() -> None:
    found = aligned(with_lender())
    assert found["bank"].table.split is not None
    for common in found.values():
        np.testing.assert_array_equal(common.train, found["bank"].table.split == "train")
        assert len(common.training) == common.rows["train"] > 0


def test_the_least_intersection_is_that_of_all_three() -> None:
    agreed = with_lender(f"alignment: {{min_intersection: {len(COMMON) + 1}}}")
    assert len(set(BANK.ids) & set(INSURER.ids)) > len(COMMON) + 1
    with pytest.raises(ContractError, match=f"{len(COMMON)} ids in common to the guest and all 2 hosts"):
        aligned(agreed)


def test_ids_are_compared_by_the_rules_of_the_job() -> None:
    shouting = replace(LENDER, ids=np.array([id.upper() for id in LENDER.ids], object))
    found = aligned(with_lender("alignment: {case: lower}"), TABLES | {"lender": shouting})
    assert {id.lower() for id in found["lender"].table.ids} == COMMON


def test_a_batch_to_score_is_matched_with_all_hosts_and_the_others_are_kept_apart() -> None:
    agreed = with_lender()
    runs = {name: run_of(agreed, name, task="score") for name in TABLES}
    hosts: Callable[..., Any] = match_host
    roles = {name: hosts(runs[name], TABLES[name], 1) for name in ("insurer", "lender")}
    results = run_in_memory({"bank": match_guest(runs["bank"], BANK, 1), **roles}).results
    common, others = (list(BANK.ids[rows]) for rows in results["bank"])
    assert set(common) == COMMON
    assert set(others) == set(BANK.ids) - COMMON
    assert all(list(TABLES[name].ids[results[name]]) == common for name in roles)


def test_which_host_serves_is_told_by_the_only_file_there_is_or_else_by_its_option(tmp_path: Path) -> None:
    agreed, path = with_lender(), tmp_path / "job.yaml"
    with pytest.raises(ConfigError, match=r"--party: small has 2 hosts, and none of their files are here"):
        party_file(path, agreed, "host")
    (tmp_path / "lender.yaml").touch()
    assert party_file(path, agreed, "host") == tmp_path / "lender.yaml"
    (tmp_path / "insurer.yaml").touch()
    with pytest.raises(ConfigError, match="2 of their files are here") as refusal:
        party_file(path, agreed, "host")
    assert refusal.value.hint == f"name the file: --party {tmp_path / 'insurer.yaml'}"
    assert party_file(path, agreed, "guest") == tmp_path / "bank.yaml"


def test_a_job_without_an_arbiter_has_no_file_of_one(tmp_path: Path) -> None:
    agreed = job()
    alone = {name: party for name, party in agreed.parties.items() if party.role != "arbiter"}
    with pytest.raises(ConfigError, match="the job small has no arbiter"):
        party_file(tmp_path / "job.yaml", agreed.model_copy(update={"parties": alone}), "arbiter")


def test_over_the_network_the_same_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "CHUNK", 50)
    lists = [[f"id{k}" for k in range(0, 600, step)] for step in (1, 2, 3)]
    with sessions(["guest", "host1", "host2"]) as drivers:
        found = run_all(drivers, several_roles(*lists))
    together = run_in_memory(several_roles(*lists)).results
    for party, alignment in together.items():
        assert len(alignment) == 100
        np.testing.assert_array_equal(found[party].rows, alignment.rows)
