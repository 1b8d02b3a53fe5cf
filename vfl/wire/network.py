"""Parties in different places: the network driver, whole.

    listener.Listener, dialling.dial    two parties find and authenticate each other
    greeting.greet                      a word outside of any run
    link.Link                           messages between them, over frames as `frames` specifies
    session.Session                     one party's role, driven over its links

Importing this module imports gRPC.
"""

from vfl.wire.dialling import answers, dial, presented, split_address
from vfl.wire.frames import Hello
from vfl.wire.greeting import Greeting, greet
from vfl.wire.link import Link
from vfl.wire.listener import Listener
from vfl.wire.session import PhaseCost, Session, Witness, forbidden, public_reason

__all__ = [
    "Greeting",
    "Hello",
    "Link",
    "Listener",
    "PhaseCost",
    "Session",
    "Witness",
    "answers",
    "dial",
    "forbidden",
    "greet",
    "presented",
    "public_reason",
    "split_address",
]
