"""A listener that goes away loses nobody: whoever called may call again."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from network_fixtures import (
    CERTIFICATES,
    HOST,
    accept,
    bound_port,
    call,
    dial_free_port,
    listening,
    together,
)

from vfl.errors import LostError
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
