"""A run whose results are there is over, whatever its peers have become."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parties.programs import lasting
from vfl.errors import PausedError, PeerError
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
