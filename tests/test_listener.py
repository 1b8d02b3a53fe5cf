"""A listener that goes away loses nobody, and whatever is said to it, the right peer is heard."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest
from network_fixtures import (
    CERTIFICATES,
    CONTRACT,
    HOST,
    accept,
    bound_port,
    call,
    dial_free_port,
    hello,
    listening,
    raw_stream,
    together,
)

from vfl.errors import LostError
from vfl.wire.channel import grpc
from vfl.wire.frames import Kind, cut, hello_frame, kind_of
from vfl.wire.network import Listener


def test_a_listener_that_closes_leaves_its_links():
    listener = listening()
    guest = together({"guest": partial(call, listener), "host": accept(listener)})["guest"]
    listener.close()
    with pytest.raises(LostError, match="host: is gone"):
        guest.receive(5)


def test_who_waits_to_be_accepted_when_a_listener_closes_may_call_again():
    with bound_port(listens=False) as port:
        pass
    address = f"127.0.0.1:{port}"

    def twice():
        with Listener(address, HOST, CERTIFICATES) as first:
            while not first.calls_for_another("guest", "none"):
                threading.Event().wait(0.01)
        with Listener(address, HOST, CERTIFICATES) as second:
            accept(second)().close()

    def patient():
        dial_free_port(port, timeout=20).close()

    assert together({"guest": patient, "host": twice}) == {"guest": None, "host": None}


def test_who_speaks_before_it_was_answered_is_cut_off():
    frames = [hello_frame(hello()), *cut(b"nobody asked for this")]
    with listening() as listener, raw_stream(listener, frames) as stream:
        assert [kind_of(frame) for frame in stream] == [Kind.ABORT]
        with pytest.raises(LostError, match="did not call"):
            listener.accept("guest", contract=CONTRACT, timeout=0.1)


def test_after_thousands_of_malformed_frames_the_right_peer_is_heard():
    dice = np.random.default_rng(5)
    firsts = [b"", b"\x01", b"\x01\x96", hello_frame(hello())[:20], hello_frame(hello("arbiter")), b"\x63"]
    with listening() as listener:
        for _ in range(40):
            frames = [firsts[dice.integers(6)], *(dice.bytes(dice.integers(40)) for _ in range(100))]
            with raw_stream(listener, frames) as stream, pytest.raises(grpc.RpcError):
                list(stream)
        ends = together({"guest": partial(call, listener), "host": accept(listener)})
        assert ends["host"].hello == hello()
