"""Between two parties, with both their keys: passes every frame on as it is, and keeps count of it.

Only whoever holds the keys of both ends can stand here: a bench or a test.
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

import msgpack

from vfl.wire.certificates import Identity
from vfl.wire.channel import (
    METHOD,
    SERVICE,
    grpc,
    incoming,
    open_channel,
    open_stream,
    server_credentials,
    server_options,
)
from vfl.wire.frames import Assembler, Kind, kind_of

MOST_STREAMS = 8


@dataclass
class Heard:
    """What passed in one direction."""

    frames: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    messages: list[tuple[str, int, str]] = field(default_factory=list)
    """Kind, bytes and SHA-256 of each."""

    def listen(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the frames of a stream."""
        assembler = Assembler()
        for frame in frames:
            kind = kind_of(frame)
            self.frames[kind.name] += 1
            self.bytes += len(frame)
            if kind in (Kind.PART, Kind.END) and (data := assembler.add(frame)) is not None:
                self.messages.append((kind_in(data), len(data), sha256(data).hexdigest()))
            yield frame


def kind_in(message: bytes) -> str:
    """Return the kind that a message names (see `vfl.wire.codec`)."""
    (size,) = struct.unpack_from(">I", message)
    name: str = msgpack.unpackb(message[4 : 4 + size])[0]
    return name.rpartition(".")[2]


class Recorder:
    """A context manager; `port` is where the caller calls in place of whom it calls."""

    def __init__(self, caller: Identity, called: Identity, port: int) -> None:
        """Stand before a port of this machine; `called` listens there, `caller` calls."""
        self.there, self.back = Heard(), Heard()
        self._caller, self._called, self._target = caller, called, f"127.0.0.1:{port}"
        self._server = grpc.server(ThreadPoolExecutor(MOST_STREAMS), options=server_options())
        handler = grpc.stream_stream_rpc_method_handler(self._pass)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),)
        )
        credentials = server_credentials(called, caller.certificate_pem)
        self.port = self._server.add_secure_port("127.0.0.1:0", credentials)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()

    def _pass(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        root = self._called.certificate_pem
        channel = open_channel(self._target, self._caller, self._called.name, root)
        stream = open_stream(channel, self.there.listen(requests))
        context.add_callback(threading.Thread(target=channel.close, daemon=True).start)
        yield from self.back.listen(incoming(iter(stream), self._called.name, channel.close))
