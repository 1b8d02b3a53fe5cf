"""A party's own cluster: the same models as in threads, whatever becomes of its workers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cluster_session import CHUNKS, trained
from hypothesis import given
from hypothesis import strategies as st
from program_runs import job
from threaded_cluster import Threaded

from parties.clusters.choice import LIBRARIES, cluster
from parties.clusters.mapped import computed, lost, mapped
from parties.config.party import Party
from parties.config.resources import Compute
from parties.doctor.machine import machine
from vfl import __version__
from vfl.cluster import MOST_BYTES, chunks
from vfl.crypto.modular import Gmp, Spread, from_ints
from vfl.errors import ConfigError, PausedError

TESTS = Path(__file__).parent
APART = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""Where this is allowed Ray, which listens on every address of a machine, has one of its own."""


@pytest.fixture(scope="module")
def sessions() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """A session of each kind whose library is installed; one starts while the other waits."""
    running = {
        kind: session(kind) for kind, library in LIBRARIES.items() if importlib.util.find_spec(library)
    }
    yield running
    for process in running.values():
        process.kill()
        process.communicate()


def session(kind: str) -> subprocess.Popen[str]:
    """Return the session of this kind, every worker computing as slowly as it can."""
    allowed = kind == "ray" and not subprocess.run([*APART, "true"], capture_output=True).returncode
    command = [*(APART if allowed else []), sys.executable, str(TESTS / "cluster_session.py"), kind]
    own = {"VFL_ARITHMETIC": "gmp", "VFL_GROUP": "sodium", "PYTHONPATH": f"{TESTS.parent}:{TESTS}"}
    own |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=os.environ | own, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_a_training_on_a_cluster_that_loses_a_worker_leaves_the_model_of_threads(
    kind: str, sessions: dict[str, subprocess.Popen[str]]
) -> None:
    if kind not in sessions:
        pytest.skip(f"vfl[{kind}] is not installed")
    results, said = sessions[kind].communicate()
    assert sessions[kind].returncode == 0, said[-2000:]
    found = json.loads(results)  # nothing but results on stdout
    assert found["numbers"] == list(range(CHUNKS))
    assert found["trained"] == json.loads(json.dumps(trained(Compute(processes=1))))
    assert found["failing"] == "OSError: chunk 5"  # as itself
    if kind == "dask":
        lost = r"PausedError: cluster at tls://127\.0\.0\.1:\d+: was lost: "
        assert re.match(lost + "Attempted to run task .* on 2 different workers", str(found["deadly"]))
        assert re.match(lost + "Only 0/1 workers", str(found["deserted"]))


def test_what_is_worth_its_journey_is_sent_and_what_is_not_stays() -> None:
    n, one = (1 << 127) - 1, from_ints([1] * 1100, 32)
    exponents = np.ones((1100, 128), np.uint8)
    for rows, sent in ((500, 0), (1100, 4)):
        there = Threaded()
        Spread(there, Gmp()).fixed_base_powers(3, exponents[:rows], n, one[:rows])
        assert there.sent == sent


def test_rows_that_are_sooner_computed_than_sent_stay() -> None:
    assert len(chunks(100_000, 4e-6, 592, 8)) == 1  # a sum by bin of ten columns
    assert len(chunks(100_000, 34e-6, 1152, 8)) == 28  # an encryption: as many as 4 MB hold


@given(st.integers(0, 10**7), st.floats(1e-7, 1e-2), st.integers(1, 10_000), st.integers(1, 500))
def test_chunks_are_all_rows_in_order_and_never_too_long(
    rows: int, seconds: float, width: int, slots: int
) -> None:
    cuts = chunks(rows, seconds, width, slots)
    assert [row for cut in cuts for row in (cut.start, cut.stop)][1:-1] == [
        row for cut in cuts[1:] for row in (cut.start, cut.start)
    ]
    if rows:
        assert cuts[0].start == 0 and cuts[-1].stop == rows
    if len(cuts) > 1:
        assert max(cut.stop - cut.start for cut in cuts) * width <= MOST_BYTES + width


def test_a_worker_of_another_version_does_nothing_and_is_named() -> None:
    def never() -> None:
        raise AssertionError

    assert computed("0.0.9", (never, ())) == (__version__, None)
    with pytest.raises(ConfigError, match=rf"a worker has vfl 0\.0\.9, this party {__version__}"):
        mapped(lambda calls: [("0.0.9", None) for _ in calls], never, [()])


def test_a_cluster_that_is_lost_pauses_the_run() -> None:
    own = Compute(backend="dask", address="tcp://localhost:1")
    with pytest.raises(PausedError, match="cluster at tcp://localhost:1: was lost: gone"), lost(own, OSError):
        raise OSError("gone\nand more")


def test_a_cluster_whose_library_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIBRARIES, "ray", "no_such_library")
    with pytest.raises(ConfigError) as refusal:
        cluster(Compute(backend="ray", address="localhost:1"))
    assert refusal.value.hint == "pip install 'vfl[ray]'"


def test_the_doctor_tells_of_a_cluster_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIBRARIES, "dask", "no_such_library")
    *others, found = machine(Compute(processes=1, backend="dask", address="tcp://localhost:1"))
    assert (found.subject, found.verdict, found.code) == ("cluster", "fail", 2)
    assert "cluster" not in {other.subject for other in others}


PARTY = """\
vfl: 1
party: trustee
listen: localhost:3
identity: {certificate: trustee.crt, key: trustee.key}
peers:
  insurer: {dial: "localhost:1", certificate: insurer.crt}
  bank: {certificate: bank.crt}
compute: %s
"""


def load(compute: str, folder: Path) -> Party:
    path = folder / "trustee.yaml"
    path.write_text(PARTY % compute, encoding="utf-8")
    return Party.load(path, job())


FILES = "authority: a.crt, certificate: b.crt, key: b.key"
CLEAR = "missing: secrets of this party would cross the network in the clear"


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        ("{backend: spark}", 'backend: must be threads, dask or ray, is the text "spark"'),
        ("{backend: dask}", "address: missing"),
        ("{address: tls://a:1}", "address: is for a cluster"),
        ("{key: b.key}", "key: is for a cluster"),
        ("{backend: dask, address: a:1}", 'address: "a:1" is no address of Dask\'s'),
        ("{backend: ray, address: tls://a:1}", 'address: "tls://a:1" is no address of Ray\'s'),
        ("{backend: dask, address: tcp://a:1}", f"authority: {CLEAR}"),
        ("{backend: dask, address: tls://localhost:1}", f"authority: {CLEAR}"),
        ("{backend: ray, address: ray://a:1}", f"authority: {CLEAR}"),
        ("{backend: ray, address: a:1, authority: a.crt, key: b.key}", f"certificate: {CLEAR}"),
        (f"{{backend: dask, address: tcp://a:1, {FILES}}}", "address: tcp:// encrypts nothing"),
    ],
)
def test_a_cluster_that_cannot_be_reached_or_only_in_the_clear_is_refused(
    compute: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(compute, tmp_path)
    assert f"trustee.yaml:8: compute.{said}" in str(refusal.value)


@pytest.mark.parametrize(
    "compute",
    [
        f"{{backend: dask, address: tls://a.example:8786, {FILES}}}",
        f"{{backend: ray, address: a.example:6379, {FILES}}}",
        f"{{backend: ray, address: ray://a.example:10001, {FILES}}}",
        "{backend: dask, address: tcp://127.0.0.1:8786}",
        "{backend: ray, address: localhost:6379}",
    ],
)
def test_the_files_of_a_cluster_lie_beside_the_partys(compute: str, tmp_path: Path) -> None:
    found = load(compute, tmp_path).compute
    assert found.encrypted == ("authority" in compute)
    assert found.key in (None, tmp_path / "b.key")
