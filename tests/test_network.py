"""Links between parties that may be absent, dead, hostile or somebody else."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
from network_fixtures import (
    ARBITER,
    CERTIFICATES,
    CONTRACT,
    GUEST,
    HOST,
    QUIETLY_REFUSED,
    SENDS_A_PART,
    SENDS_AND_CLOSES,
    accept,
    another_process,
    bound_port,
    call,
    dial_free_port,
    hello,
    linked,
    listening,
    plain_environment,
    raw_stream,
    spoken,
    together,
)

from vfl.errors import ConfigError, ContractError, PeerError, ProtocolError, SecurityError
from vfl.wire import link
from vfl.wire.certificates import Identity, create_identity, fingerprint, save_identity
from vfl.wire.codec import MAX_MESSAGE
from vfl.wire.frames import PART, ack_frame, bye_frame, cut, hello_frame
from vfl.wire.network import Listener, Session

FIRST_PART = struct.pack(">BI", 2, 3 * PART) + bytes(PART)


# --- what a link does ---


def test_the_two_ends_of_a_link_know_each_other():
    with linked() as (guest, host):
        assert (guest.peer, guest.hello) == ("host", hello("host"))
        assert (host.peer, host.hello) == ("guest", hello("guest"))


def test_a_message_of_64_mib_passes():
    message = os.urandom(1 << 20) * 64
    with linked() as (guest, host):
        arrived = together({"send": partial(guest.send, message), "receive": partial(host.receive, 10)})
        assert arrived["receive"] == message


def test_messages_arrive_in_order_with_the_empty_ones():
    with linked() as (guest, host):
        for message in (b"", b"a", bytes(PART), b"", b"b"):
            guest.send(message)
        assert [host.receive(5) for _ in range(5)] == [b"", b"a", bytes(PART), b"", b"b"]


def test_closing_first_delivers_what_was_sent():
    with linked() as (guest, host):
        host.send(bytes(1 << 24))
        host.close()
        assert guest.receive(5) == bytes(1 << 24)
        with pytest.raises(PeerError, match="host: ended its part of the run while a message was awaited"):
            guest.receive(5)
        with pytest.raises(PeerError, match="host: ended its part of the run"):
            guest.send(b"one more thing")
        guest.close()


def test_a_process_that_closes_and_exits_has_delivered(tmp_path):
    with listening() as listener, another_process(tmp_path, listener, SENDS_AND_CLOSES) as process:
        received = accept(listener)()
        assert received.receive(10) == bytes(1 << 24)
        received.close()
        assert process.wait(10) == 0


def test_an_abort_is_delivered_with_its_reason():
    with linked() as (guest, host):
        guest.abort("the table\n is \x1b[31mempty")
        with pytest.raises(PeerError) as told:
            host.receive(5)
        assert str(told.value) == "guest: stopped the run: the table  is  [31mempty"


def test_an_abort_overtakes_a_message_that_is_under_way(monkeypatch):
    monkeypatch.setattr(link, "INBOX_BYTES", 1)
    monkeypatch.setattr(link, "ABORT_PATIENCE", 0.1)
    with linked() as (guest, host):
        host.send(b"waits in the inbox")
        with pytest.raises(PeerError, match=r"guest: has taken nothing for 0\.2 s"):
            host.send(bytes(1 << 26), timeout=0.2)
            host.send(bytes(1 << 26), timeout=0.2)
        host.abort("nobody listens")
        assert guest.receive(5) == b"waits in the inbox"
        with pytest.raises(PeerError, match=r"host: (stopped the run: nobody listens|is gone)"):
            for _ in range(3):
                guest.receive(5)


# --- who is at the other end ---


def test_a_certificate_nobody_knows_is_refused_and_others_still_get_in():
    stranger = create_identity("guest")
    with listening() as listener:
        with pytest.raises(SecurityError, match=f"host: .*{fingerprint(stranger.certificate_pem)}"):
            call(listener, stranger)
        ends = together({"guest": partial(call, listener), "host": accept(listener)})
        assert ends["host"].peer == "guest"


def test_a_listener_with_another_certificate_is_named_with_its_address():
    impostor = create_identity("host")
    with listening(impostor) as listener, pytest.raises(SecurityError) as error:
        call(listener)
    assert error.value.where == "host"
    for said in (f"127.0.0.1:{listener.port}", fingerprint(impostor.certificate_pem), "expected"):
        assert said in error.value.what


def test_the_certificate_of_another_party_than_the_hello_says_is_refused():
    pretender = Identity("guest", ARBITER.key_pem, ARBITER.certificate_pem)
    with listening() as listener:
        with pytest.raises(SecurityError, match=r"refuses us: sha256:.* is not the certificate of guest"):
            call(listener, pretender)
        with pytest.raises(PeerError, match=r"guest: did not call within 0\.1 s"):
            listener.accept("guest", contract=CONTRACT, timeout=0.1)


def test_a_listener_that_calls_itself_another_is_blamed():
    liar = Identity("arbiter", HOST.key_pem, HOST.certificate_pem)
    with pytest.raises(ConfigError, match=r"arbiter: is not made out to arbiter\.vfl"):
        listening(liar)


def test_a_certificate_made_out_to_another_is_not_trusted():
    with pytest.raises(ConfigError, match=r"certificate of host: is not made out to host\.vfl"):
        dial_free_port(1, certificate=ARBITER.certificate_pem)


def test_another_contract_is_refused_with_both_hashes_and_the_wait_goes_on():
    other = "beef" * 16

    def call_twice(listener):
        with pytest.raises(ContractError) as refused:
            call(listener, contract=other)
        return refused.value.what, call(listener).peer

    with listening() as listener:
        ends = together({"guest": partial(call_twice, listener), "host": accept(listener)})
    assert ends["guest"] == ("contract differs: ours beefbeefbeef, theirs c0ffee000000", "host")
    assert ends["host"].hello.contract == CONTRACT


def test_who_waits_in_vain_is_told_of_a_contract_that_differs():
    with listening() as listener:
        wait = partial(listener.accept, "guest", contract=CONTRACT, timeout=1)
        ends = together({"guest": partial(call, listener, contract="beef" * 16), "host": wait})
    assert str(ends["host"]) == "guest: did not call within 1 s"
    assert ends["host"].hint == "guest called with another contract: beefbeefbeef"


def test_links_of_others_and_of_other_runs_wait_until_they_are_asked_for():
    with listening() as listener:
        calls = {
            "second": partial(call, listener, run="run 2"),
            "arbiter": partial(call, listener, ARBITER),
            "first": partial(call, listener, run="run 1"),
        }
        accepts = (accept(listener, run="run 1"), accept(listener, "arbiter"), accept(listener))
        ends = together({**calls, "host": lambda: [wait() for wait in accepts]})
        assert [(end.peer, end.hello.run) for end in ends["host"]] == [
            ("guest", "run 1"),
            ("arbiter", "run 1"),
            ("guest", "run 2"),
        ]


# --- who is not there ---


def test_an_absent_peer_is_named_within_the_time_out():
    with bound_port(listens=False) as port:
        begun = time.monotonic()
        with pytest.raises(PeerError) as error:
            dial_free_port(port)
    assert time.monotonic() - begun < 5
    assert str(error.value) == f"host: no answer at 127.0.0.1:{port} within 0.2 s"
    assert "refused" in error.value.hint


def test_a_port_that_says_nothing_is_left_after_the_time_out():
    with (
        bound_port(listens=True) as port,
        pytest.raises(PeerError, match=r"host: no answer at .* within 0\.2 s"),
    ):
        dial_free_port(port)


def test_a_peer_that_listens_but_takes_up_no_run_is_told_from_one_that_is_absent():
    with listening() as listener, pytest.raises(PeerError, match=r"no answer at .* within 1 s") as error:
        dial_free_port(listener.port, timeout=1)
    assert "did not take up the run" in error.value.hint


def test_a_peer_that_starts_late_is_found():
    with bound_port(listens=False) as port:
        pass
    begun = threading.Event()

    def late():
        begun.wait()
        with Listener(f"127.0.0.1:{port}", HOST, CERTIFICATES) as listener:
            accept(listener)().close()

    def early():
        begun.set()
        dial_free_port(port, timeout=10).close()

    assert together({"guest": early, "host": late}) == {"guest": None, "host": None}


def test_a_silent_peer_is_named():
    with linked() as (guest, _), pytest.raises(PeerError, match=r"host: silent for 0\.1 s while a message"):
        guest.receive(0.1)


def test_a_peer_killed_in_the_middle_of_a_message_is_noticed_at_once(tmp_path):
    with listening() as listener, another_process(tmp_path, listener, SENDS_A_PART) as process:
        host = accept(listener)()
        assert process.stdout.readline() == "sent a part\n"
        process.kill()
        begun = time.monotonic()
        with pytest.raises(PeerError, match="guest: is gone"):
            host.receive(30)
        assert time.monotonic() - begun < 5


def test_a_port_in_use_cannot_be_listened_at():
    with bound_port(listens=True) as port, pytest.raises(ConfigError, match="cannot listen here"):
        Listener(f"127.0.0.1:{port}", HOST, CERTIFICATES)


# --- what may not be said ---


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ([struct.pack(">BI", 2, MAX_MESSAGE + 1) + bytes(PART)], "a message of 268435457 bytes"),
        ([struct.pack(">BI", 3, 2**32 - 1)], "a message of 4294967295 bytes"),
        ([b""], "an empty frame"),
        ([b"\x63"], "99 is not a valid Kind"),
        ([b"\x02\x00"], "truncated"),
        ([FIRST_PART, struct.pack(">BI", 3, 9) + b"rest"], "changes its length"),
        ([FIRST_PART, struct.pack(">BI", 2, 3 * PART) + b"short"], "does not fit"),
        ([hello_frame(hello())], "out of turn"),
    ],
)
def test_a_malformed_frame_is_its_senders_fault(frames, complaint):
    with (
        spoken(frames) as host,
        pytest.raises(ProtocolError, match=f"guest: sent a malformed frame: .*{complaint}"),
    ):
        host.receive(5)
        host.receive(5)


def test_a_word_after_the_bye_is_its_senders_fault():
    complaint = "guest: sent a malformed frame: a frame out of turn"
    with spoken([bye_frame(), *cut(b"more")]) as host, pytest.raises(ProtocolError, match=complaint):
        host.close()


def test_a_stream_that_ends_without_a_bye_is_broken():
    with spoken(cut(b"first")) as host:
        assert host.receive(5) == b"first"
        with pytest.raises(PeerError, match="guest: is gone: it ended the stream without a bye"):
            host.receive(5)


def test_a_caller_without_a_hello_is_turned_away():
    with listening() as listener, raw_stream(listener, [bye_frame()]) as stream:
        assert list(stream.trailing_metadata()) == []
        assert "INVALID_ARGUMENT" in str(stream.code())


# --- TLS ---


def handshake(port, folder, version, identity=None):
    """Return the version that a client ends up with and the first bytes it is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=HOST.certificate_pem.decode())
    context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if identity is not None:
        key, certificate = save_identity(identity, folder)
        context.load_cert_chain(certificate, key)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="host.vfl") as secured,
    ):
        return secured.version(), secured.recv(9)


def test_a_client_of_tls_1_3_with_a_known_certificate_gets_in(tmp_path):
    with listening() as listener:
        version, first = handshake(listener.port, tmp_path, ssl.TLSVersion.TLSv1_3, GUEST)
    assert version == "TLSv1.3"
    assert first[3:4] == b"\x04", "HTTP/2 begins with its settings"


def test_tls_1_2_is_refused(tmp_path):
    with listening() as listener, pytest.raises(OSError, match=r"EOF|alert|reset"):
        handshake(listener.port, tmp_path, ssl.TLSVersion.TLSv1_2, GUEST)


@pytest.mark.parametrize("identity", [None, create_identity("guest")], ids=["none", "unknown"])
def test_a_client_without_a_known_certificate_is_told_nothing(tmp_path, identity):
    with listening() as listener:
        assert handshake(listener.port, tmp_path, ssl.TLSVersion.TLSv1_3, identity)[1] == b""


def test_grpc_imported_too_early_is_refused():
    early = "import grpc\nimport vfl.wire.network"
    done = subprocess.run(
        [sys.executable, "-c", early], env=plain_environment(), capture_output=True, text=True
    )
    assert "SecurityError: grpc: was imported before TLS 1.2 could be switched off" in done.stderr


def test_importing_vfl_imports_no_grpc_and_a_refusal_is_logged_by_nobody_but_us(tmp_path):
    stranger = create_identity("guest")
    with (
        listening() as listener,
        another_process(tmp_path, listener, QUIETLY_REFUSED, stranger) as process,
    ):
        assert process.communicate(timeout=20) == ("refused\n", "")


def test_an_ack_of_more_messages_than_there_can_be_is_blamed():
    complaint = "guest: sent a malformed frame: an ack of more"
    with spoken([ack_frame((1 << 64) - 1)]) as host, pytest.raises(ProtocolError, match=complaint):
        host.receive(5)


@pytest.mark.parametrize(("first", "name"), [(True, "guest"), (False, "host")])
def test_who_sends_more_than_the_protocol_asks_for_is_named_in_the_end(first, name):
    with linked() as ends:
        cheat, honest = ends if first else reversed(ends)
        cheat.send(b"one more")
        cheat.say_bye()
        with pytest.raises(ProtocolError, match=f"^{name}: sent more than the protocol asks for"):
            Session({name: honest}, timeout=10).close()
