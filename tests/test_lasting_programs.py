"""A run whose results are there is over, whatever its peers have become."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import program_runs
import pytest
from network_fixtures import HOST

from parties.programs import lasting
from parties.programs.links import Contacts
from vfl.errors import DataError, PausedError, PeerError
from vfl.wire.journal import Journal


def journal_in(folder: Path, state: str) -> Journal:
    """Return the journal of a run in this state."""
    return Journal.create(folder / "run" / "journal.db", b"key", os.urandom, {"run": "r", "state": state})


def test_a_peer_that_is_done_is_no_failure_of_a_run_whose_results_are_there(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, lasting.DELIVERING)
    with lasting.alone(journal), lasting.over(journal) as over:
        assert over
        raise PeerError("insurer", "stopped the run: run r: is over: done")
    assert Journal.about_run(journal.path)["state"] == lasting.DONE


@pytest.mark.parametrize(
    ("error", "state"),
    [(PeerError("insurer", "is to blame"), lasting.FAILED), (PausedError("r", "waits"), lasting.RUNNING)],
)
def test_a_run_that_is_under_way_fails_or_waits(error: Exception, state: str, tmp_path: Path) -> None:
    journal = journal_in(tmp_path, lasting.RUNNING)
    with pytest.raises(type(error)), lasting.alone(journal), lasting.over(journal) as over:
        assert not over
        raise error
    assert Journal.about_run(journal.path)["state"] == state


def test_a_run_does_not_go_on_with_another_table_or_with_bins_that_are_said_otherwise(tmp_path: Path) -> None:
    """What a host has summed and sent is of the columns that it began with."""
    _, table = program_runs.tables()
    name, other = next(iter(table.columns)), table.take(np.arange(1, len(table)))
    cuts, others = ({name: {"cuts": [cut]}} for cut in (0.0, 0.1))
    for said in ({}, cuts):
        party = program_runs.party("insurer", bins=said)
        contacts, run = Contacts(program_runs.job(), party, HOST, {}), "a" * 15 + str(len(said))
        began = lasting.inputs(party, table)
        lasting.begin(contacts, tmp_path, run, began).close()
        lasting.found(contacts, tmp_path, run, lasting.inputs(party, table)).close()
        changed = program_runs.party("insurer", bins=others)
        for inputs in (lasting.inputs(party, other), lasting.inputs(changed, table)):
            with pytest.raises(DataError, match=r"what data\.bins says of it, has changed since"):
                lasting.found(contacts, tmp_path, run, inputs)


def test_a_run_that_nobody_takes_part_in_any_more_is_told_to_be_cut_off(tmp_path: Path) -> None:
    path = lasting.path_of(tmp_path, 16 * "a")
    about = {"run": 16 * "a", "state": lasting.RUNNING}
    journal = Journal.create(path, b"key", os.urandom, about)
    assert [run["state"] for run in lasting.as_told(tmp_path)] == ["cut off"]
    with pytest.raises(PausedError), lasting.alone(journal):
        assert [run["state"] for run in lasting.as_told(tmp_path)] == ["running"]
        raise PausedError("r", "waits")
    assert [run["state"] for run in lasting.as_told(tmp_path)] == ["cut off"]
    with lasting.alone(Journal.open(path, b"key", os.urandom)):
        pass
    assert [run["state"] for run in lasting.as_told(tmp_path)] == ["done"]


@pytest.mark.parametrize("stop", [SystemExit(0), KeyboardInterrupt()])
def test_who_is_stopped_while_a_training_waits_says_that_it_can_be_resumed(
    stop: BaseException, tmp_path: Path
) -> None:
    contacts = Contacts(program_runs.job(), program_runs.party("insurer"), HOST, {})
    with pytest.raises(type(stop)), lasting.pausable(contacts, tmp_path):
        raise stop
    about = {"run": 16 * "a", "state": lasting.RUNNING, "contract": contacts.job.contract_hash()}
    Journal.create(lasting.path_of(tmp_path, 16 * "a"), b"key", os.urandom, about)
    with pytest.raises(PausedError, match="was interrupted") as paused, lasting.pausable(contacts, tmp_path):
        raise stop
    assert (paused.value.exit_code, "vfl resume" in paused.value.hint) == (7, True)
