"""Malformed frames by the hundred thousand against whoever listens: host and arbiter.

    scripts/bench frames --frames 100000

Each server is a process of its own.  It is called by everybody who can reach its port:

    peers         with a certificate it knows: first frames that are no hello, hellos of other jobs, hellos
                  in another's name, and after a good hello whatever comes before the server has answered
    strangers     with a certificate it does not know, one of them made out to the host's own name
    noise         bytes that are no TLS

The server must live, say nothing of its own trouble, keep its memory under --megabytes more than
before, and change no file; nobody but its peers may get a word out of it.  Afterwards the three parties
train, as if nothing had been.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from parties.config.job import Job
from scripts.benchmarks.staged.stage import ROLES, SERVERS, Stage, ports_in, prepared
from vfl.errors import SecurityError
from vfl.wire.certificates import Identity, create_identity, load_identity
from vfl.wire.channel import grpc, open_channel, open_stream
from vfl.wire.codec import MAX_MESSAGE
from vfl.wire.frames import MAX_FRAME, PART, Hello, ack_frame, cut, hello_frame
from vfl.wire.network import dial

BARRAGE = 200
"""Frames of one stream."""


class Attacker:
    """Who calls one server, with the keys of its peers."""

    def __init__(self, folder: Path, server: str, port: int, dice: random.Random) -> None:
        names = [name for name in ROLES if name != server]
        self.server, self.address = server, f"127.0.0.1:{port}"
        self.contract = Job.load(folder / "job.yaml").contract_hash()
        self.root = (folder / f"{server}.crt").read_bytes()
        self.peers = [load_identity(n, folder / f"{n}.key", folder / f"{n}.crt") for n in names]
        self.dice = dice
        self.answers: Counter[str] = Counter()
        """How streams ended."""

    def barrage(self, peer: Identity) -> int:
        """Say one stream of malformed frames as this peer; return how many."""
        hello = Hello(self.contract, f"{self.dice.getrandbits(64):016x}", "train", peer.name)
        first, kind = self._first(hello)
        frames = [first, *(self._frame() for _ in range(BARRAGE - 1))]
        with open_channel(self.address, peer, self.server, self.root) as channel:
            stream = open_stream(channel, iter(frames))
            try:
                replies = list(stream)
                self.answers[f"{kind}: ended with {len(replies)} frames"] += 1
            except grpc.RpcError as error:
                assert isinstance(error, grpc.Call)
                self.answers[f"{kind}: {error.code().name}"] += 1
        return len(frames)

    def flood(self, peer: Identity) -> None:
        """Say hello, then send long messages that nobody asked for."""
        hello = Hello(self.contract, f"{self.dice.getrandbits(64):016x}", "train", peer.name)
        frames = [hello_frame(hello), *(100 * [*cut(bytes(4 * PART))])]
        with open_channel(self.address, peer, self.server, self.root) as channel:
            replies = list(open_stream(channel, iter(frames)))
        self.answers[f"a flood: ended with {len(replies)} frames"] += 1

    def _first(self, hello: Hello) -> tuple[bytes, str]:
        other = next(p.name for p in self.peers if p.name != hello.party)
        choices = [
            (self.dice.randbytes(self.dice.randrange(64)), "noise"),
            (b"\x01" + self.dice.randbytes(20), "a torn hello"),
            (hello_frame(hello)[: self.dice.randrange(1, 40)], "half a hello"),
            (hello_frame(Hello("beef" * 16, hello.run, "train", hello.party)), "another job"),
            (hello_frame(Hello(hello.contract, hello.run, "train", other)), "another's name"),
            (hello_frame(Hello(hello.contract, hello.run, "train", self.server)), "the server's name"),
        ]
        if hello.party != "bank":  # whom the server would answer, and begin a run with
            choices.append((hello_frame(hello), "a good hello"))
        return self.dice.choice(choices)

    def _frame(self) -> bytes:
        return self.dice.choice(
            [
                b"",
                self.dice.randbytes(self.dice.randrange(1, 200)),
                struct.pack(">BI", 2, self.dice.getrandbits(32)) + bytes(self.dice.randrange(100)),
                struct.pack(">BI", 2, MAX_MESSAGE) + bytes(PART),
                struct.pack(">BI", 3, 5) + b"short",
                ack_frame(self.dice.getrandbits(60)),
                b"\x04" + self.dice.randbytes(30),
                b"\x05",
                bytes(self.dice.choice((MAX_FRAME, MAX_FRAME + 1))),
            ]
            if self.dice.random() < 0.02  # the long ones are rare
            else [b"", b"\x02", b"\x63", self.dice.randbytes(self.dice.randrange(1, 40)), b"\x03\0\0\0\5x"]
        )

    def strangers(self, count: int) -> None:
        """Call with certificates that nobody knows; raise SystemExit if one is answered."""
        for k in range(count):
            stranger = create_identity(self.dice.choice(("insurer", "bank", "eve")) if k else "insurer")
            hello = Hello(self.contract, "0" * 16, "train", stranger.name)
            try:
                dial(self.address, stranger, self.server, self.root, hello, connect_timeout=20)
            except SecurityError:
                self.answers["a stranger: refused"] += 1
            else:
                raise SystemExit(f"{self.server} answered a stranger")

    def noise(self, count: int) -> None:
        """Say what is no TLS."""
        for _ in range(count):
            with socket.create_connection(self.address.rsplit(":", 1), timeout=10) as plain:
                try:
                    plain.sendall(self.dice.randbytes(self.dice.randrange(1, 4096)))
                except OSError:
                    self.answers["noise: cut off"] += 1


def megabytes(process: int) -> float:
    """Return the resident memory of a process at its highest."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def files_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that parties may change."""
    paths = [p for name in (*ROLES, "state") for p in (folder / name).rglob("*") if p.is_file()]
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in paths}


def attacked(stage: Stage, server: str, frames: int, dice: random.Random, bound: float) -> Iterator[str]:
    """Attack one server; yield what is to be told."""
    stage.start(server)
    process = stage.processes[server]
    while "waiting for the guest" not in stage.log(server).read_text():
        time.sleep(0.1)
    attacker = Attacker(stage.folder, server, ports_in(stage.folder)[server], dice)
    attacker.barrage(attacker.peers[0])
    before, files, begun = megabytes(process.pid), files_of(stage.folder), time.monotonic()
    said = 0
    while said < frames:
        said += attacker.barrage(dice.choice(attacker.peers))
    for peer in attacker.peers:
        if peer.name != "bank":  # whom the server would answer
            attacker.flood(peer)
    attacker.strangers(20)
    attacker.noise(500)
    grown = megabytes(process.pid) - before
    seconds = time.monotonic() - begun
    if process.poll() is not None or files_of(stage.folder) != files or grown > bound:
        raise SystemExit(f"{server}: exit code {process.poll()}, {grown:.0f} MB more; see {stage.folder}")
    yield f"{server}: {said:,} malformed frames in {seconds:.0f} s, {before:.0f} MB, then {grown:.0f} more"
    for what, count in sorted(attacker.answers.items()):
        yield f"    {what:44}{count:8,}"


def main() -> None:
    """Attack every server, then train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--megabytes", type=float, default=256.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="vfl-frames-"))
    stage, dice = Stage(prepared(folder / "files", "logistic", 800)), random.Random(options.seed)  # noqa: S311
    try:
        for server in SERVERS:
            for line in attacked(stage, server, options.frames, dice, options.megabytes):
                print(line, flush=True)
        stage.start("bank")
        stage.finish()
    finally:
        stage.stop()
    if traces := stage.traces():
        raise SystemExit(f"{traces[0]}; see {folder}")
    print("afterwards they trained")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
