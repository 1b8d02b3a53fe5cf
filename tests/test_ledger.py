"""The ledger: everything that leaves is counted, by receiver and message."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.wire.ledger import Ledger
from vfl.wire.message import Message


@dataclass(frozen=True, slots=True)
class Counts(Message):
    """Events by bin.  Reveals: each bin's events."""

    events: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stop(Message):
    """Whether to stop.  Reveals: one bit."""

    now: bool


def test_a_message_is_counted_for_each_receiver():
    ledger = Ledger()
    for to in ("host", "arbiter", "host"):
        ledger.record(to, Counts(np.arange(4)), 50)
    ledger.record("host", Stop(True), 9)
    assert ledger.as_json() == [
        {
            "to": to,
            "phase": "test_ledger",
            "message": name,
            "reveals": reveals,
            "messages": messages,
            "plain_numbers": numbers,
            "plain_bits": bits,
            "sealed_values": 0,
            "bytes": size,
        }
        for to, name, reveals, messages, numbers, bits, size in [
            ("host", "Counts", "each bin's events.", 2, 8, 512, 100),
            ("arbiter", "Counts", "each bin's events.", 1, 4, 256, 50),
            ("host", "Stop", "one bit.", 1, 1, 1, 9),
        ]
    ]


def test_a_party_that_sent_nothing_disclosed_nothing():
    assert Ledger().as_json() == []
