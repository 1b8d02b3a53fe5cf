"""Parties on this machine, and links between them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from vfl.wire.certificates import Identity, create_identity, save_identity
from vfl.wire.channel import grpc, open_channel, open_stream
from vfl.wire.flow import Role
from vfl.wire.frames import Hello, hello_frame
from vfl.wire.network import Link, Listener, Session, dial

CONTRACT = "c0ffee" + 58 * "0"
PARTIES = {name: create_identity(name) for name in ("guest", "host", "arbiter", "host1", "host2")}
GUEST, HOST, ARBITER = (PARTIES[name] for name in ("guest", "host", "arbiter"))
CERTIFICATES = {name: identity.certificate_pem for name, identity in PARTIES.items()}


def hello(party: str = "guest", *, contract: str = CONTRACT, run: str = "run 1") -> Hello:
    """Return what a party says first."""
    return Hello(contract, run, "train", party)


def listening(identity: Identity = HOST) -> Listener:
    """Return a listener that knows all parties, at a free port."""
    return Listener("127.0.0.1:0", identity, CERTIFICATES)


def call(listener: Listener, identity: Identity = GUEST, *, peer: str = "host", **said: str) -> Link:
    """Dial a listener of this process."""
    return dial(
        f"127.0.0.1:{listener.port}",
        identity,
        peer,
        CERTIFICATES[peer],
        hello(identity.name, **said),
        connect_timeout=10,
    )


def dial_free_port(
    port: int, *, peer: str = "host", certificate: bytes = HOST.certificate_pem, timeout: float = 0.2
) -> Link:
    """Dial a port where no listener of ours is."""
    return dial(f"127.0.0.1:{port}", GUEST, peer, certificate, hello(), connect_timeout=timeout)


def accept(listener: Listener, party: str = "guest", **wanted: str) -> Callable[[], Link]:
    """Return the function that waits for a party."""
    return partial(listener.accept, party, contract=CONTRACT, timeout=60, **wanted)


@contextmanager
def bound_port(*, listens: bool) -> Iterator[int]:
    """Yield a port that answers no calls, or that answers them and then says nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listens:
            taken.listen()
        port: int = taken.getsockname()[1]
        yield port


@contextmanager
def linked(caller: str = "guest", listener: str = "host") -> Iterator[tuple[Link, Link]]:
    """Yield both ends of a link: the caller's and the listener's."""
    with listening(PARTIES[listener]) as port, ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(port.accept, caller, contract=CONTRACT, timeout=10)
        ours = call(port, PARTIES[caller], peer=listener)
        theirs = accepted.result()
        try:
            yield ours, theirs
        finally:
            ours.abort("the test is over")


@contextmanager
def spoken(frames: Iterable[bytes]) -> Iterator[Link]:
    """Yield the host's end of a link on which a guest says hello and then exactly these frames."""
    accepted = threading.Event()

    def said() -> Iterator[bytes]:
        yield hello_frame(hello())
        accepted.wait()
        yield from frames

    with listening() as listener, raw_stream(listener, said()):
        host = listener.accept("guest", contract=CONTRACT, timeout=10)
        accepted.set()
        yield host


@contextmanager
def raw_stream(listener: Listener, frames: Iterable[bytes]) -> Iterator[grpc.CallIterator[bytes]]:
    """Yield the stream on which the guest says these frames to a host that listens."""
    with open_channel(f"127.0.0.1:{listener.port}", GUEST, "host", CERTIFICATES["host"]) as channel:
        # gRPC cancels a stream that nobody holds.
        stream = open_stream(channel, iter(frames))
        yield stream


@contextmanager
def sessions(names: Iterable[str], *, timeout: float = 10) -> Iterator[dict[str, Session]]:
    """Yield a session for each party, all linked to one another."""
    with ExitStack() as stack:
        links: dict[str, dict[str, Link]] = {name: {} for name in names}
        for one, other in combinations(links, 2):
            links[one][other], links[other][one] = stack.enter_context(linked(one, other))
        yield {name: Session(peers, timeout=timeout) for name, peers in links.items()}


def run_all(drivers: Mapping[str, Session], roles: Mapping[str, Role[Any]]) -> dict[str, Any]:
    """Run every role at once; return what each returned or raised."""
    return together({name: partial(drivers[name].run, role) for name, role in roles.items()})


def together(calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Make these calls at once; return what each returned or raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures: dict[str, Future[Any]] = {name: pool.submit(call) for name, call in calls.items()}
        return {name: future.exception() or future.result() for name, future in futures.items()}


BEGINNING = """
import sys, threading
from pathlib import Path
import vfl
assert "grpc" not in sys.modules
from vfl.errors import SecurityError
from vfl.wire.certificates import load_certificate, load_identity
from vfl.wire.channel import open_channel, open_stream
from vfl.wire.frames import cut, hello_frame
from vfl.wire.network import Hello, dial
folder, address, contract = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
guest = load_identity("guest", folder / "guest.key", folder / "guest.crt")
host = load_certificate(folder / "host.crt")
hello = Hello(contract, "run 1", "train", "guest")
"""
SENDS_AND_CLOSES = """
link = dial(address, guest, "host", host, hello, connect_timeout=10)
link.send(bytes(1 << 24))
link.close()
"""
SENDS_A_PART = """
accepted = threading.Event()
def frames():
    yield hello_frame(hello)
    accepted.wait()
    yield next(cut(bytes(1 << 22)))
    print("sent a part", flush=True)
    threading.Event().wait()

for _ in open_stream(open_channel(address, guest, "host", host), frames()):
    accepted.set()
"""
QUIETLY_REFUSED = """
try:
    dial(address, guest, "host", host, hello, connect_timeout=10)
except SecurityError:
    print("refused")
"""


def plain_environment() -> dict[str, str]:
    """Return an environment that says nothing about gRPC."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}


@contextmanager
def another_process(
    folder: Path, listener: Listener, program: str, identity: Identity = GUEST
) -> Iterator[subprocess.Popen[str]]:
    """Yield a process of the guest that calls a listener."""
    save_identity(identity, folder)
    save_identity(HOST, folder)
    arguments = [str(folder), f"127.0.0.1:{listener.port}", CONTRACT]
    with subprocess.Popen(
        [sys.executable, "-c", BEGINNING + program, *arguments],
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
