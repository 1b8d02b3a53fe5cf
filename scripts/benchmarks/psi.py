"""Private set intersection between two processes: ours, ours on libsodium, OpenMined's, in one run.

Each party is a process of its own, and one thread computes in each; half of the ids are common.  Ids per
second are those of one list by the wall seconds of the slower party: both lists are as long.  OpenMined's
tells the client alone, and compares compressed sets of one false positive in 10^9.

    scripts/bench psi --rows 100000
    scripts/bench psi --check 1000000     compare both backends of the group, byte by byte, instead
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from parties.programs.memory import peak_memory
from psi import ecdh
from psi.group import ORDER, UNIFORM, best
from vfl.crypto.modular.ifma import gate
from vfl.crypto.randomness import Randomness
from vfl.wire.certificates import Identity, create_identity, load_identity, save_identity
from vfl.wire.flow import Peer
from vfl.wire.frames import Hello
from vfl.wire.network import Listener, Session, dial

CONTRACT = "c0ffee" + 58 * "0"
ROLES = "guest", "host"
TIMEOUT = 3600.0


def ids_of(role: str, rows: int) -> list[str]:
    """Return a party's ids; the other holds half of them."""
    first = 0 if role == "guest" else rows // 2
    return [f"customer-{number:010d}" for number in range(first, first + rows)]


def measured(work: Callable[[], int]) -> dict[str, float]:
    """Return what a party's work took, and how many ids it found common."""
    begun, cpu = time.monotonic(), time.process_time()
    common = work()
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    return {"common": common, "seconds": seconds, "cpu": cpu, "megabytes": peak_memory()["peak_memory_mb"]}


def our_party(role: str, kind: str, rows: int, folder: Path) -> dict[str, float]:
    """Run one of our roles over TLS on this machine."""
    group = best(1, kind)
    column = np.empty(rows, dtype=object)
    column[:] = ids_of(role, rows)
    me, other = (
        load_identity(name, folder / f"{name}.key", folder / f"{name}.crt")
        for name in (role, *(name for name in ROLES if name != role))
    )
    session = Session({other.name: _link(me, other, folder)}, timeout=TIMEOUT)
    options: dict[str, Any] = {"minimum": 1, "domain": CONTRACT.encode(), "group": group}

    def work() -> int:
        if role == "guest":
            return len(session.run(ecdh.guest(column, Randomness(), host=Peer("host"), **options)))
        return len(session.run(ecdh.host(column, Randomness(), guest=Peer("guest"), **options)))

    found = measured(work)
    session.close()
    return found


def _link(me: Identity, other: Identity, folder: Path) -> Any:
    certificates, port = {other.name: other.certificate_pem}, folder / "port"
    if me.name == "host":
        listener = Listener("127.0.0.1:0", me, certificates)
        _announce(port, listener.port)
        return listener.accept("guest", contract=CONTRACT, timeout=TIMEOUT)
    hello = Hello(CONTRACT, "1", "train", me.name)
    return dial(
        f"127.0.0.1:{_awaited(port)}",
        me,
        other.name,
        other.certificate_pem,
        hello,
        connect_timeout=TIMEOUT,
    )


def openmined_party(role: str, rows: int, folder: Path) -> dict[str, float]:
    """Run OpenMined's client (our guest) or server over a socket."""
    import private_set_intersection.python as peer

    ids = ids_of(role, rows)
    with _socket(role, folder) as stream:

        def client() -> int:
            mine = peer.client.CreateWithNewKey(True)
            _write(stream, mine.CreateRequest(ids).SerializeToString())
            setup, response = peer.ServerSetup(), peer.Response()
            setup.ParseFromString(_read(stream))
            response.ParseFromString(_read(stream))
            return len(mine.GetIntersection(setup, response))

        def server() -> int:
            mine, request = peer.server.CreateWithNewKey(True), peer.Request()
            _write(stream, mine.CreateSetupMessage(1e-9, rows, ids).SerializeToString())
            request.ParseFromString(_read(stream))
            _write(stream, mine.ProcessRequest(request).SerializeToString())
            return 0

        return measured(client if role == "guest" else server)


def _socket(role: str, folder: Path) -> Any:
    if role == "guest":
        return socket.create_connection(("127.0.0.1", _awaited(folder / "port"))).makefile("rwb")
    with socket.create_server(("127.0.0.1", 0)) as server:
        _announce(folder / "port", server.getsockname()[1])
        return server.accept()[0].makefile("rwb")


def _announce(path: Path, port: int) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(str(port))
    fresh.rename(path)


def _awaited(path: Path) -> int:
    while not path.exists():
        time.sleep(0.02)
    return int(path.read_text())


def _write(stream: Any, data: bytes) -> None:
    stream.write(len(data).to_bytes(8, "big") + data)
    stream.flush()


def _read(stream: Any) -> bytes:
    data: bytes = stream.read(int.from_bytes(stream.read(8), "big"))
    return data


def together(kind: str, rows: int) -> dict[str, float]:
    """Run both parties; return what the run took."""
    with tempfile.TemporaryDirectory() as name:
        for role in ROLES:
            save_identity(create_identity(role), Path(name))
        command = [sys.executable, "-m", "scripts.benchmarks.psi", "--rows", str(rows), "--kind", kind]
        parties = [
            subprocess.Popen([*command, "--role", role, "--folder", name], stdout=subprocess.PIPE)
            for role in ROLES
        ]
        found = [json.loads(party.communicate()[0]) for party in parties]
    assert found[0]["common"] == rows - rows // 2
    seconds = max(party["seconds"] for party in found)
    return {
        "ids_per_second": rows / seconds,
        "seconds": seconds,
        "cpu_seconds": sum(party["cpu"] for party in found),
        "megabytes": max(party["megabytes"] for party in found),
    }


def kinds() -> list[str]:
    """Return what can be measured here, ours first; say what cannot."""
    lacking = {"ifma": gate.missing(), "sodium": None, "openmined": None}
    if importlib.util.find_spec("private_set_intersection") is None:
        lacking["openmined"] = "openmined_psi is not installed (pip install openmined_psi)"
    for kind, why in lacking.items():
        if why:
            print(f"{kind} is left out: {why}", file=sys.stderr)
    return [kind for kind, why in lacking.items() if not why]


def check(rows: int, at_once: int = 20_000) -> None:
    """Compare both backends on random bytes and fresh powers; stop at the first difference."""
    fast, reference, rng = best(1, "ifma"), best(1, "sodium"), Randomness()
    for done in range(0, rows, at_once):
        uniform = np.frombuffer(rng.bytes(UNIFORM * at_once), np.uint8).reshape(-1, UNIFORM)
        scalar = 1 + rng.below(ORDER - 1)
        elements = reference.mapped(uniform)
        powers = reference.raised(elements, scalar)
        assert np.array_equal(fast.mapped(uniform), elements)
        assert np.array_equal(fast.mapped_and_raised(uniform, scalar), powers)
        assert np.array_equal(fast.raised(elements, scalar), powers)
        print(f"\r{done + at_once} elements are the same", end="", file=sys.stderr)
    print(file=sys.stderr)


def main() -> None:
    """Print a line for each implementation, or be one party of one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", help="ifma, sodium, openmined")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", type=int, metavar="ELEMENTS")
    for internal in ("--role", "--kind", "--folder"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        check(options.check)
    elif options.role:
        party = options.role, options.rows, Path(options.folder)
        found = (
            openmined_party(*party)
            if options.kind == "openmined"
            else our_party(party[0], options.kind, *party[1:])
        )
        print(json.dumps(found))
    else:
        report({kind: together(kind, options.rows) for kind in options.only or kinds()}, options)


def report(found: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    """Print what was measured, and how many times as fast the first is."""
    first = next(iter(found.values()))
    for result in found.values():
        result["first_is_faster_by"] = first["ids_per_second"] / result["ids_per_second"]
        result["first_takes_less_cpu_by"] = result["cpu_seconds"] / first["cpu_seconds"]
    if options.json:
        print(json.dumps({"rows": options.rows, "load": os.getloadavg()[0], **found}))
        return
    print(
        f"{options.rows:10} ids each{'ids/s':>10}{'wall s':>9}{'CPU s':>9}{'MB':>7}{'ratio':>8}{'of CPU':>8}"
    )
    for kind, r in found.items():
        rates = f"{r['ids_per_second']:10.0f}{r['seconds']:9.2f}{r['cpu_seconds']:9.2f}{r['megabytes']:7.0f}"
        print(f"{kind:19}{rates}{r['first_is_faster_by']:8.1f}{r['first_takes_less_cpu_by']:8.1f}")


if __name__ == "__main__":
    main()
