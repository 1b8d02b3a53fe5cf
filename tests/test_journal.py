"""A journal gives back what was on disk when the party died, and nothing that was not."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import numpy as np
import pytest

from vfl.errors import ConfigError, PausedError
from vfl.wire.journal import Journal
from vfl.wire.parcels import LARGE

SECRET = b"the party's private key"
ABOUT = {"run": "r1", "state": "running"}
LONG = bytes(LARGE)
"""A message that is a file of its own."""


def new(folder: Path) -> Journal:
    """Return the journal of a new run."""
    return Journal.create(folder / "r1" / "journal.db", SECRET, os.urandom, ABOUT)


def again(journal: Journal, secret: bytes = SECRET) -> Journal:
    """Return the journal as it is found after its process was killed: nothing is closed."""
    journal.settle()
    return Journal.open(journal.path, secret, os.urandom)


def parcels_of(journal: Journal) -> list[str]:
    """Return the messages that are files of their own."""
    return sorted(path.stem for path in journal.path.parent.glob("*.parcel"))


def test_a_party_that_died_while_it_made_a_journal_makes_it_again(tmp_path: Path) -> None:
    folder = tmp_path / "r1"
    folder.mkdir()
    for name in ("journal.part", "journal.part-wal"):
        (folder / name).write_bytes(b"half made")
    assert new(tmp_path).about == ABOUT
    assert [path.name for path in folder.glob("*.part*")] == []


def test_a_stored_message_is_given_back_byte_for_byte(tmp_path: Path) -> None:
    journal = new(tmp_path)
    assert all(journal.keep("host", message) for message in (b"one", b"", bytes(5 << 20)))
    assert journal.keep("arbiter", b"two")
    found = again(journal)
    assert list(found.stored("host", 0)) == [b"one", b"", bytes(5 << 20)]
    assert list(found.stored("host", 2)) == [bytes(5 << 20)]
    assert list(found.stored("arbiter", 0)) == [b"two"]


def test_a_role_that_is_run_again_sends_what_it_had_sent_and_goes_on_from_there(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.keep("host", b"before")
    journal.checkpoint("step", {"done": 1})
    journal.keep("host", b"sent")
    found = again(journal)
    assert found.sent == {"host": 1}
    assert not found.keep("host", b"made anew under other randomness")
    assert found.keep("host", b"new")
    assert list(found.stored("host", 0)) == [b"before", b"sent", b"new"]


def test_what_was_stored_is_counted_and_what_was_about_to_be_is_not(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.keep("host", b"one")
    journal.keep("arbiter", b"one")
    journal.checkpoint("step", {"done": 1})
    journal.keep("host", b"two")
    journal.settle()
    journal.keep("host", b"its line is in the audit log, and the power fails")
    journal._writer.end()
    found = Journal.open(journal.path, SECRET, os.urandom)
    assert found.stored_counts() == {"host": 2, "arbiter": 1}


def test_draws_are_made_again_if_a_message_may_have_told_of_them(tmp_path: Path) -> None:
    journal = new(tmp_path)
    first = [journal.draw(lambda: os.urandom(8)) for _ in range(3)]
    journal.keep("host", b"depends on them")
    lost = journal.draw(lambda: os.urandom(8))
    found = again(journal)
    assert [found.draw(lambda: b"anew") for _ in range(3)] == first
    assert found.draw(lambda: b"anew") == b"anew" != lost


def test_a_second_death_finds_the_draws_of_both_lives(tmp_path: Path) -> None:
    journal = new(tmp_path)
    drawn = [journal.draw(lambda: b"1")]
    journal.keep("host", b"a")
    journal = again(journal)
    drawn = [journal.draw(lambda: b"x"), journal.draw(lambda: b"2")]
    journal.keep("host", b"a")
    journal.keep("host", b"b")
    found = again(journal)
    assert [found.draw(lambda: b"y") for _ in range(3)] == [*drawn, b"y"] == [b"1", b"2", b"y"]


def test_after_a_checkpoint_what_was_drawn_before_is_gone(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.draw(lambda: b"a mask that was used")
    journal.keep("host", b"masked")
    journal.checkpoint("step", {})
    assert again(journal).draw(lambda: b"anew") == b"anew"
    assert sqlite3.connect(journal.path).execute("SELECT COUNT(*) FROM draws").fetchone() == (0,)


def test_steps_give_back_numbers_texts_bytes_and_arrays(tmp_path: Path) -> None:
    state = {
        "rows": np.arange(5),
        "w": np.array([[0.1, -2.0]]),
        "flags": np.array([True, False]),
        "nested": {"trees": [{"1": 0.5}], "p": (2**600).to_bytes(80, "big"), "none": None},
        "text": "é",
    }
    journal = new(tmp_path)
    journal.took("host")
    journal.checkpoint("step", state)
    journal.took("host")
    found = again(journal)
    kept = found.state("step")
    assert kept is not None
    for name in ("rows", "w", "flags"):
        np.testing.assert_array_equal(kept[name], state[name])
        assert kept[name].dtype == state[name].dtype
    assert (kept["nested"], kept["text"]) == (state["nested"], "é")
    assert found.state("another") is None
    assert found.taken == {"host": 1}


def test_what_a_peer_needs_no_more_is_dropped_with_the_next_checkpoint(tmp_path: Path) -> None:
    journal = new(tmp_path)
    for message in (b"0", b"1", b"2"):
        journal.keep("host", message)
    journal.needless = lambda: {"host": 2}
    journal.checkpoint("step", {})
    assert list(again(journal).stored("host", 2)) == [b"2"]
    with pytest.raises(ConfigError, match="host asks for what it said it had"):
        list(journal.stored("host", 1))
    journal.needless = lambda: {"host": 3}
    journal.checkpoint("step", {})
    with pytest.raises(ConfigError, match="host asks for what it said it had"):
        list(again(journal).stored("host", 2))


def test_what_follows_a_write_comes_once_it_is_on_disk_and_in_order(tmp_path: Path) -> None:
    journal = new(tmp_path)
    seen: list[tuple[int, int]] = []

    def look(k: int) -> None:
        with sqlite3.connect(journal.path) as base:
            (stored,) = base.execute("SELECT COUNT(*) FROM sent").fetchone()
            seen.append((k, stored))

    for k in range(1, 6):
        assert journal.keep("host", bytes(k << 18), lambda k=k: look(k))
    journal.settle()
    assert [k for k, _ in seen] == [1, 2, 3, 4, 5]
    assert all(stored >= k for k, stored in seen)


def test_a_checkpoint_tells_what_had_been_taken_by_then(tmp_path: Path) -> None:
    journal = new(tmp_path)
    told: list[dict[str, int]] = []
    journal.on_checkpoint = told.append
    journal.took("host")
    journal.checkpoint("step", {})
    journal.took("host")
    journal.settle()
    assert told == [{"host": 1}]


def test_a_file_is_for_its_owner_alone_and_tells_nothing_without_the_key(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.draw(lambda: b"secret draw")
    journal.keep("host", b"secret message")
    journal.checkpoint("step", {"coefficient": "secret state"})
    journal.keep("host", b"secret message")
    journal.settle()
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    on_disk = b"".join(path.read_bytes() for path in journal.path.parent.iterdir())
    assert b"running" in on_disk
    assert b"secret" not in on_disk
    with pytest.raises(ConfigError, match="belongs to another key"):
        again(journal, b"another key")


def test_a_blob_that_was_moved_or_changed_is_refused(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.keep("host", b"a")
    journal.keep("host", b"b")
    journal.settle()
    with sqlite3.connect(journal.path) as base:
        base.execute("UPDATE sent SET message = (SELECT message FROM sent WHERE number = 1) WHERE number = 0")
    with pytest.raises(ConfigError, match="was changed"):
        list(again(journal).stored("host", 0))


def test_a_finished_run_leaves_what_it_was_and_nothing_else(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal.keep("host", bytes(LARGE // 2))
    journal.keep("host", LONG)
    journal.checkpoint("step", {})
    journal.note(state="done")
    journal.finish()
    found = again(journal)
    assert found.about == {"run": "r1", "state": "done"}
    assert found.state("step") is None
    assert journal.path.stat().st_size < LARGE // 2
    assert parcels_of(journal) == []


def test_a_disk_that_takes_nothing_pauses_the_run(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal._base.execute("PRAGMA max_page_count = 9")
    with pytest.raises(
        PausedError, match=r"journal\.db: cannot be written: database or disk is full"
    ) as full:
        journal.keep("host", bytes(LARGE // 2))
        journal.settle()
    assert full.value.exit_code == 7
    assert "vfl resume" in full.value.hint


def test_after_a_failure_nothing_is_written_and_nothing_follows(tmp_path: Path) -> None:
    journal = new(tmp_path)
    journal._base.execute("PRAGMA max_page_count = 9")
    told: list[Exception] = []
    followed: list[str] = []
    journal.on_failure(told.append)
    journal.keep("host", bytes(LARGE // 2), lambda: followed.append("too large"))
    with pytest.raises(PausedError):
        journal.settle()
    with pytest.raises(PausedError):
        journal.keep("host", b"", lambda: followed.append("small"))
    journal.close()
    assert not followed
    assert [type(error) for error in told] == [PausedError]
