"""gRPC as vfl uses it: TLS 1.3 or nothing, both certificates pinned, one kind of stream.

gRPC's Python API cannot ask for a least version of TLS.  It does take the cipher suites of TLS
1.2 from the environment: the one named here needs an RSA certificate and ours hold P-256 keys,
so that no handshake can end in TLS 1.2.  The suites of TLS 1.3 are not affected.  gRPC reads the
environment when it is imported: all of `vfl` takes `grpc` from here.

All certificates are self-signed and each is its own root.  The side that dials trusts exactly one
root, its peer's; the side that listens trusts its peers' and then compares the certificate shown
with that of the party named in the hello.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vfl.errors import LostError, PeerError, ProtocolError, SecurityError
from vfl.wire.certificates import Identity, server_name
from vfl.wire.frames import MAX_FRAME, printable

_SUITES, _RSA_ONLY = "GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384"
if "grpc" in sys.modules and os.environ.get(_SUITES) != _RSA_ONLY:
    raise SecurityError(
        "grpc", "was imported before TLS 1.2 could be switched off", "import vfl.wire.network before grpc"
    )
os.environ[_SUITES] = _RSA_ONLY
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc as grpc  # noqa: E402

SERVICE, METHOD, GREETING = "vfl.Wire", "Link", "Greet"

_OPTIONS = [
    ("grpc.max_send_message_length", MAX_FRAME),
    ("grpc.max_receive_message_length", MAX_FRAME),
    # The heartbeat: a peer whose machine or network is gone is noticed within 40 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


def server_options() -> list[tuple[str, int]]:
    """Return the options of the side that listens."""
    return [
        *_OPTIONS,
        ("grpc.so_reuseport", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def server_credentials(identity: Identity, roots: bytes) -> grpc.ServerCredentials:
    """Return credentials that show this identity and let in who holds a key of these roots."""
    pair = (identity.key_pem, identity.certificate_pem)
    return grpc.ssl_server_credentials([pair], root_certificates=roots, require_client_auth=True)


def open_channel(address: str, identity: Identity, peer: str, root: bytes) -> grpc.Channel:
    """Return a channel to the holder of the key of this one certificate, made out to the peer."""
    credentials = grpc.ssl_channel_credentials(root, identity.key_pem, identity.certificate_pem)
    options = [
        *_OPTIONS,
        ("grpc.ssl_target_name_override", server_name(peer)),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    return grpc.secure_channel(address, credentials, options)


def open_stream(channel: grpc.Channel, frames: Iterator[bytes]) -> grpc.CallIterator[bytes]:
    """Start the stream of a link: write these frames, return those of the peer."""
    return channel.stream_stream(f"/{SERVICE}/{METHOD}", None, None)(frames)


def certificate_shown(context: grpc.ServicerContext) -> bytes:
    """Return the certificate that a caller has proven to hold the key of, as PEM."""
    auth: Mapping[str, Any] = context.auth_context()
    version = auth.get("ssl_tls_version", [b"TLSv1.3"])
    assert version == [b"TLSv1.3"], f"a handshake ended in {version}"
    shown: bytes = auth["x509_pem_cert"][0]
    return shown


def incoming(stream: Iterator[bytes], peer: str, at_end: Callable[[], object]) -> Iterator[bytes]:
    """Yield the frames of a stream; raise PeerError where it breaks; in any case, tidy up."""
    try:
        yield from stream
    except grpc.RpcError as error:
        raise blame(error, peer) from None
    finally:
        at_end()


def blame(error: grpc.RpcError, peer: str) -> PeerError:
    """Return the error of ours that says what became of a stream."""
    if not isinstance(error, grpc.Call):
        return LostError(peer, "is gone: the connection broke")
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ProtocolError(peer, f"sent a frame of more than {MAX_FRAME} bytes")
    return LostError(peer, f"is gone: the connection broke ({printable(error.details() or '')})")
