"""CPU seconds beside seconds: of this process, and of its workers while they live and after."""

from __future__ import annotations

import subprocess
import sys
import time

from parties.programs.effort import Effort, cpu_seconds

BUSY = "import time\nwhile time.process_time() < 0.5: pass\n"
WAITING = "print(1, flush=True)\ninput()"
BUSY_CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])\n{WAITING}"


def spent_by(code: str) -> tuple[float, float]:
    """Return the CPU seconds counted while a child that has run this code waits, and after its end."""
    begun = cpu_seconds()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        alive = cpu_seconds() - begun
        child.communicate("\n")
    return alive, cpu_seconds() - begun


def test_a_worker_counts_while_it_lives_and_once_only_when_it_has_ended() -> None:
    alive, ended = spent_by(BUSY + WAITING)
    assert alive > 0.45
    assert alive - 0.05 < ended < alive + 0.4


def test_a_workers_own_children_count_as_well() -> None:
    alive, ended = spent_by(BUSY_CHILD)
    assert alive > 0.45 and ended > 0.45


def test_waiting_takes_seconds_and_no_cpu() -> None:
    effort = Effort()
    time.sleep(0.2)
    spent = effort.as_json()
    assert spent["seconds"] >= 0.2
    assert 0 <= spent["cpu_seconds"] < 0.15
