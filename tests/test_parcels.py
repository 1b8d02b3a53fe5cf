"""A large message is on the disk once, before the journal tells of it, until nobody needs it."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
from pathlib import Path

import pytest
from test_journal import LONG, SECRET, again, new, parcels_of

from vfl.errors import ConfigError, PausedError
from vfl.wire.journal import Journal
from vfl.wire.parcels import LARGE


def rows_of(journal: Journal) -> int:
    """Return how many messages another process sees in the journal."""
    with sqlite3.connect(journal.path) as base:
        (count,) = base.execute("SELECT COUNT(*) FROM sent").fetchone()
    base.close()
    return int(count)


def test_a_large_message_is_a_file_of_its_own_and_not_in_the_database(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.keep("host", b"small")
    journal.keep("host", LONG)
    journal.keep("arbiter", LONG)
    journal.settle()
    assert parcels_of(journal) == ["arbiter.0", "host.1"]
    files = [path for path in journal.path.parent.iterdir() if path.suffix != ".parcel"]
    assert sum(path.stat().st_size for path in files) < LARGE
    parcel = journal.path.parent / "host.1.parcel"
    assert stat.S_IMODE(parcel.stat().st_mode) == 0o600
    assert LONG[:64] not in parcel.read_bytes()
    assert list(again(journal).stored("host", 0)) == [b"small", LONG]


def test_it_is_on_the_disk_before_its_row_and_leaves_after_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, seen, sync = new(tmp_path), list[tuple[str, int]](), os.fsync

    def synchronised(file: int) -> None:
        sync(file)
        seen.append((Path(f"/proc/self/fd/{file}").readlink().name, rows_of(journal)))

    monkeypatch.setattr(os, "fsync", synchronised)
    journal.keep("host", LONG, lambda: seen.append(("leaves", rows_of(journal))))
    journal.settle()
    assert seen == [("host.0.parcel", 0), (journal.path.parent.name, 0), ("leaves", 1)]


def test_what_was_half_written_when_its_party_died_is_made_and_written_again(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.keep("host", b"small")
    found = again(journal)
    (journal.path.parent / "host.1.parcel").write_bytes(bytes(3 * LARGE))
    found = again(found)
    assert found.stored_counts() == {"host": 1}
    assert not found.keep("host", b"small")
    assert found.keep("host", LONG)
    assert list(again(found).stored("host", 1)) == [LONG]


def test_it_goes_once_its_receiver_needs_it_no_more_and_is_not_made_again(tmp_path: Path) -> None:
    journal = new(tmp_path)
    for _ in range(3):
        journal.keep("host", LONG)
    journal.settle()
    journal.needless = lambda: {"host": 2}
    journal.keep("host", LONG)
    found = again(journal)
    assert parcels_of(found) == ["host.2", "host.3"]
    assert [found.keep("host", b"made anew") for _ in range(5)] == [False, False, False, False, True]
    with pytest.raises(ConfigError, match="host asks for what it said it had"):
        list(found.stored("host", 1))


def test_those_of_an_earlier_life_go_as_well(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.keep("host", LONG)
    journal.keep("arbiter", LONG)
    found = again(journal)
    found.needless = lambda: {"host": 1}
    found.checkpoint("step", {})
    found.settle()
    assert parcels_of(found) == ["arbiter.0"]
    found.finish()
    assert parcels_of(found) == []


def test_one_that_was_changed_or_moved_is_refused(tmp_path: Path) -> None:
    journal = new(tmp_path)
    for _ in range(2):
        journal.keep("host", LONG)
    journal.settle()
    first, second = (journal.path.parent / f"host.{k}.parcel" for k in range(2))
    for wrong in (second.read_bytes(), first.read_bytes()[:-1], b""):
        first.write_bytes(wrong)
        with pytest.raises(ConfigError, match="was changed"):
            list(again(journal).stored("host", 0))


def test_a_disk_that_takes_no_more_of_it_pauses_the_run_and_nothing_leaves(tmp_path: Path) -> None:
    journal, followed = new(tmp_path), list[str]()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGE // 2, hard))
    try:
        journal.keep("host", LONG, lambda: followed.append("left"))
        with pytest.raises(PausedError, match=r"journal\.db: cannot be written: File too large"):
            journal.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.close()
    found = Journal.open(journal.path, SECRET, os.urandom)
    assert (followed, found.stored_counts()) == ([], {})
    assert found.keep("host", LONG)
    assert list(again(found).stored("host", 0)) == [LONG]
