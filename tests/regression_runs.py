"""What goes on around the fits of a regression, small and in memory: parts of `protocol_runs`."""

from __future__ import annotations

import numpy as np
from hostile import KEY, PRIVATE
from hosts_runs import ROWS, A, Y
from numpy.typing import NDArray
from protocol_tables import ARBITER, GUEST, Roles
from seeded import Seeded

from vfl.arbitration import Quota
from vfl.linear import heldout, residuals, sample, signs
from vfl.wire.flow import Peer


def logits(hosts: int) -> NDArray[np.float64]:
    """Return logits of hosts, shape (hosts, n)."""
    return np.random.default_rng(9).uniform(-1, 2, (hosts, ROWS))


def heldout_roles(hosts: int = 2, chosen: int = 1) -> Roles:
    """The mean loss of all rows, and a choice of one of three penalties."""
    peers = tuple(Peer(f"host{k + 1}") for k in range(hosts))

    async def guest() -> float:
        loss = await heldout.guest(A, Y, key=KEY, rng=Seeded(50), hosts=peers, arbiter=ARBITER)
        await heldout.choose(chosen, hosts=peers)
        return loss

    async def host(k: int) -> int:
        b, place = logits(hosts)[k], residuals.Place(k, hosts - 1 - k)
        await heldout.host(b, key=KEY, rng=Seeded(51 + k), guest=GUEST, place=place)
        return await heldout.chosen(3, guest=GUEST)

    roles: Roles = {"guest": guest(), "arbiter": Quota(1).answer(PRIVATE, party=GUEST)}
    return roles | {peer.name: host(k) for k, peer in enumerate(peers)}


def sample_roles(*rows: int, own: int = 30) -> Roles:
    """A sample of 30 rows, or of none where a party's gates are closed."""
    hosts = tuple(Peer(f"host{k + 1}") for k in range(len(rows)))
    roles: Roles = {"guest": sample.guest(own, hosts=hosts)}
    return roles | {
        peer.name: sample.host(theirs, guest=GUEST) for peer, theirs in zip(hosts, rows, strict=True)
    }


def signs_roles(*worst: int, own: float | None = 0.3, theirs: float = 0.2, arbiter: bool = True) -> Roles:
    """A column of the wrong sign of every party, or none, of hosts that have two columns each."""
    hosts = tuple(Peer(f"host{k + 1}") for k in range(len(worst)))
    decrypts = ARBITER if arbiter else None
    values = [{0: 0.4, 1: theirs}] * len(worst)
    roles: Roles = {"guest": signs.guest(own, values, hosts=hosts, arbiter=decrypts)}
    for peer, column in zip(hosts, worst, strict=True):
        roles[peer.name] = signs.host(column, guest=GUEST, arbiter=decrypts)
    return roles | ({"arbiter": signs.arbiter(guest=GUEST, hosts=hosts)} if arbiter else {})
