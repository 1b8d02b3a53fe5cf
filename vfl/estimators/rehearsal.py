"""A protocol with all its parties in this process: real keys, real messages, no network.

The arbiter makes a key and shares it, then the protocol runs.  Nobody is protected from anybody here,
as whoever runs the process sees all columns; so the gates of a job (few rows, rare values) are not
asked.  The key lives as long as the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from vfl.arbitration import receive_key, share_key
from vfl.crypto.modular import Modular, best
from vfl.crypto.paillier import MINIMUM_BITS, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.estimators.columns import ARBITER, GUEST
from vfl.wire.flow import Peer, Role
from vfl.wire.memory import run_in_memory

Part = Callable[[PublicKey, Randomness], Role[Any]]
"""A role of a party that has the arbiter's public key."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What each party ended with, and who told whom what: the entries of each ledger, with `from`."""

    results: dict[str, Any]
    ledger: list[dict[str, Any]]


def rehearse(
    parts: Mapping[str, Part], arbiter: Callable[[PrivateKey], Role[None]], *, threads: int
) -> Rehearsed:
    """Run the parts of the guest and the hosts, and the arbiter's, under a fresh key."""
    modular, rng = _arithmetic(threads), Randomness()

    async def holder() -> None:
        private = PrivateKey.generate(MINIMUM_BITS, rng, modular)
        await share_key(private, parties=tuple(map(Peer, parts)))
        await arbiter(private)

    async def party(part: Part) -> Any:
        n = await receive_key(MINIMUM_BITS, arbiter=Peer(ARBITER))
        return await part(PublicKey(n, modular, source=ARBITER), rng)

    roles: dict[str, Role[Any]] = {name: party(part) for name, part in parts.items()}
    run = run_in_memory(roles | {ARBITER: holder()}, keep=False)
    ledger = [{"from": name} | entry for name in run.ledgers for entry in run.ledgers[name].as_json()]
    return Rehearsed({name: run.results[name] for name in parts}, ledger)


def hosts_of(parties: Iterable[str]) -> tuple[Peer, ...]:
    """Return the parties but the guest."""
    return tuple(Peer(name) for name in parties if name != GUEST)


@cache
def _arithmetic(threads: int) -> Modular:
    return best(threads)
