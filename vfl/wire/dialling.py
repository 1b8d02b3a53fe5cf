"""Calling a peer that listens: patience while it is absent, a plain word when it is another."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from hashlib import sha256

from vfl.errors import (
    ConfigError,
    ContractError,
    LostError,
    ProtocolError,
    SecurityError,
    VflError,
)
from vfl.wire.certificates import Identity, fingerprint, trusted_pem
from vfl.wire.channel import blame, grpc, incoming, open_channel, open_stream
from vfl.wire.frames import Hello, Kind, hello_frame, kind_of, open_abort, open_hello, printable, short_hash
from vfl.wire.link import Link
from vfl.wire.outbox import Outbox

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between two calls of an absent peer, doubled from one to the other."""

REFUSALS = 3
"""Times that the right peer may drop our connection before we take it for an answer."""


class _AbsentError(Exception):
    """Nobody answers yet."""


class _DroppedError(_AbsentError):
    """The right peer answered and dropped the connection before it said anything."""


def dial(
    address: str,
    identity: Identity,
    peer: str,
    certificate_pem: bytes,
    hello: Hello,
    *,
    connect_timeout: float,
) -> Link:
    """Return a link to the peer that listens at host:port, once it has taken up the run.

    Raises LostError when it does not within `connect_timeout` seconds, SecurityError when another
    certificate is presented or ours is refused, ContractError when it holds another contract.
    """
    assert hello.party == identity.name
    deadline = time.monotonic() + connect_timeout
    root = trusted_pem(certificate_pem, peer)
    pause, drops = FIRST_PAUSE, 0
    while True:
        try:
            _require_presented(address, peer, fingerprint(root), deadline)
            return _call(address, identity, peer, root, hello, deadline)
        except _AbsentError as absent:
            drops += isinstance(absent, _DroppedError)
            if drops == REFUSALS:
                raise _refusal(identity, peer, address) from None
            if time.monotonic() + pause >= deadline:
                raise _no_answer(peer, address, connect_timeout, absent) from None
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def answers(address: str, peer: str, certificate_pem: bytes, *, patience: float) -> bool:
    """Tell whether the peer begins to listen at host:port within so many seconds.

    It shows its certificate, and has proven nothing.  Raises SecurityError where another one is shown.
    """
    deadline, pause = time.monotonic() + patience, FIRST_PAUSE
    pin = fingerprint(trusted_pem(certificate_pem, peer))
    while True:
        try:
            _require_presented(address, peer, pin, deadline)
            return True
        except _AbsentError:
            if time.monotonic() + pause >= deadline:
                return False
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[host]:port``."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(address, "is not an address", "write host:port, e.g. arbiter.example.org:7000")
    return host.strip("[]"), int(port)


def presented(address: str, patience: float) -> str:
    """Return the fingerprint of the certificate that whoever listens at an address shows.

    It is shown, not proven.  Raises ssl.SSLError where the listener does not speak TLS 1.3, OSError where
    nobody answers.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(split_address(address), timeout=patience) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return f"sha256:{sha256(secured.getpeercert(binary_form=True) or b'').hexdigest()}"


def _require_presented(address: str, peer: str, pin: str, deadline: float) -> None:
    """Ask who answers at an address.  The handshake of the link itself checks it again, with proof."""
    try:
        found = presented(address, max(deadline - time.monotonic(), FIRST_PAUSE))
    except ssl.SSLError:
        raise _AbsentError("what answers there does not speak TLS 1.3") from None
    except OSError as error:
        raise _AbsentError(error.strerror or str(error)) from None
    if found != pin:
        raise SecurityError(
            peer, f"{address} presents the certificate {found}, expected {pin}", "compare pins with the peer"
        )


def _call(address: str, identity: Identity, peer: str, root: bytes, hello: Hello, deadline: float) -> Link:
    outbox = Outbox()
    outbox.put(hello_frame(hello), 0)
    channel = open_channel(address, identity, peer, root)
    stream = open_stream(channel, iter(outbox))
    alarm = threading.Timer(max(deadline - time.monotonic(), 0), stream.cancel)
    alarm.daemon = True
    alarm.start()
    try:
        reply = _first(iter(stream), peer, address)
        _require_same(reply, hello, peer)
    except BaseException:
        outbox.break_off()
        channel.close()
        raise
    finally:
        alarm.cancel()
    return Link(peer, reply, outbox, incoming(iter(stream), peer, channel.close), stream.cancel)


def _first(stream: Iterator[bytes], peer: str, address: str) -> Hello:
    """Return the peer's hello, its first frame."""
    try:
        frame = next(stream)
        if kind_of(frame) is Kind.ABORT:
            raise open_abort(frame, peer)
        return open_hello(frame)
    except ValueError as error:
        raise ProtocolError(peer, f"sent a malformed frame: {error}") from None
    except StopIteration:
        raise _DroppedError("it ended the stream without a hello") from None
    except grpc.RpcError as error:
        raise _unanswered(error, peer, address) from None


def _unanswered(error: grpc.RpcError, peer: str, address: str) -> VflError | _AbsentError:
    assert isinstance(error, grpc.Call)
    said = printable(error.details() or "")
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return _DroppedError("it drops the connection")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return _AbsentError("it holds too many links")
        case grpc.StatusCode.CANCELLED:
            return _AbsentError("it listens, but did not take up the run")
        case grpc.StatusCode.PERMISSION_DENIED:
            return SecurityError(peer, f"{address} refuses us: {said}")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return ProtocolError(peer, f"refuses our hello: {said}")
        case _:
            return blame(error, peer)


def _require_same(reply: Hello, hello: Hello, peer: str) -> None:
    if reply.party != peer:
        raise ProtocolError(peer, f"calls itself {reply.party}")
    if reply.contract != hello.contract:
        ours, theirs = short_hash(hello.contract), short_hash(reply.contract)
        raise ContractError(
            peer, f"contract differs: ours {ours}, theirs {theirs}", "both sides need the same job file"
        )
    if (reply.run, reply.task) != (hello.run, hello.task):
        raise ProtocolError(peer, "answered for another run")


def _refusal(identity: Identity, peer: str, address: str) -> SecurityError:
    pin = fingerprint(identity.certificate_pem)
    return SecurityError(
        peer,
        f"{address} drops our connection after the handshake; it does not accept our certificate {pin}",
        f"give {peer} the certificate of {identity.name}",
    )


def _no_answer(peer: str, address: str, waited: float, absent: _AbsentError) -> LostError:
    return LostError(
        peer,
        f"no answer at {address} within {waited:g} s",
        f"{absent}; is {peer} running, and is the address right?",
    )
