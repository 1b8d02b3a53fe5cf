"""A word with a peer outside of any run: does it know us, and what does its clock say?

    caller -> listener     the caller's name, UTF-8
    listener -> caller     msgpack [milliseconds since 1970, version of vfl]

One unary call beside the stream of a link, over the same TLS: each side has proven that it holds the
key of the certificate that the other pins.  Reveals: the listener's clock and version, to its peers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import msgpack

from vfl import __version__
from vfl.errors import LostError, ProtocolError, SecurityError
from vfl.wire.certificates import Identity, fingerprint
from vfl.wire.channel import GREETING, SERVICE, certificate_shown, grpc, open_channel
from vfl.wire.frames import printable

MAX_NAME = 64
MAX_VERSION = 32
END_OF_TIME = 1 << 53


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a peer answered: its version, and by how many seconds its clock is ahead of ours, at most
    `slack` off."""

    version: str
    ahead: float
    slack: float


def greet(address: str, identity: Identity, peer: str, root: bytes, patience: float) -> Greeting:
    """Return a peer's greeting; `root` is its certificate.

    Raises SecurityError where it does not accept our certificate, LostError where it says nothing within
    `patience` seconds or is of a version that does not greet, ProtocolError where it answers nonsense.
    """
    with open_channel(address, identity, peer, root) as channel:
        ask = channel.unary_unary(f"/{SERVICE}/{GREETING}", None, None)
        try:
            before = time.time()
            answer: bytes = ask(identity.name.encode(), timeout=patience)
            after = time.time()
        except grpc.RpcError as error:
            assert isinstance(error, grpc.Call)
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED):
                what = f"{address} does not accept our certificate {fingerprint(identity.certificate_pem)}"
                raise SecurityError(peer, what, f"give {peer} the certificate of {identity.name}") from None
            said = printable(error.details() or error.code().name)
            raise LostError(peer, f"{address} answers no greeting: {said}") from None
    milliseconds, version = _opened(answer, peer)
    return Greeting(version, milliseconds / 1000 - (before + after) / 2, (after - before) / 2)


def answering(pins: Mapping[str, str]) -> grpc.RpcMethodHandler[bytes, bytes]:
    """Return what answers greetings of the parties of these pins."""

    def answer(name: bytes, context: grpc.ServicerContext) -> bytes:
        caller = name[:MAX_NAME].decode(errors="replace")
        if pins.get(caller) != fingerprint(certificate_shown(context)):
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not a party that is known here")
        packed: bytes = msgpack.packb([time.time_ns() // 1_000_000, __version__])
        return packed

    return grpc.unary_unary_rpc_method_handler(answer)


def _opened(answer: bytes, peer: str) -> tuple[int, str]:
    try:
        milliseconds, version = msgpack.unpackb(answer)
    except Exception:
        raise ProtocolError(peer, "answered a greeting with something else") from None
    if type(milliseconds) is not int or not 0 <= milliseconds < END_OF_TIME or type(version) is not str:
        raise ProtocolError(peer, "answered a greeting with something else")
    return milliseconds, printable(version[:MAX_VERSION])
