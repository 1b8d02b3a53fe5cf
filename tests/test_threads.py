"""Threads that share rows: each row is done once, and nobody waits for a thread that is busy elsewhere."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.crypto.modular.ifma.threads import Threads


@given(st.integers(1, 4), st.integers(0, 3000), st.integers(8, 300))
def test_every_row_is_done_once_in_chunks_that_are_worth_a_thread(count: int, rows: int, least: int) -> None:
    done: list[tuple[int, int]] = []
    Threads(count).share(rows, lambda first, end: done.append((first, end)), least)
    assert [i for first, end in sorted(done) for i in range(first, end)] == list(range(rows))
    assert all(first % 8 == 0 for first, _ in done)
    assert len(done) <= 1 or all(end - first > least - 8 for first, end in done)


def test_work_goes_on_while_the_other_threads_are_busy() -> None:
    threads, busy, go_on = Threads(2), threading.Barrier(3), threading.Event()

    def held_up(first: int, end: int) -> None:
        if first < 8 * 2:  # the first chunk of each of both threads
            busy.wait(30)
            go_on.wait(30)

    caller = threading.Thread(target=threads.share, args=(64, held_up, 8))
    caller.start()
    busy.wait(30)
    done: list[int] = []
    threads.share(64, lambda first, end: done.extend(range(first, end)), 8)
    go_on.set()
    caller.join(30)
    assert done == list(range(64))


def test_what_fails_in_any_thread_fails_for_the_caller() -> None:
    def failing(first: int, end: int) -> None:
        if first == 8:
            raise ZeroDivisionError

    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            Threads(2).share(64, failing, 8)
