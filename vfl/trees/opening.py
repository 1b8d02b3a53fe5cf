"""How the guest learns packed sums that a host made of its ciphertexts.

    repeat, for each vector of sums
        guest -> arbiter: Another
        guest -> arbiter: MaskedSums
        host -> arbiter: Vouched
        arbiter -> guest: DecryptedSums
    guest -> arbiter: Another

With an arbiter the guest masks them and asks it, host by host in the same order, and the arbiter decrypts
as many sums of as many bits as that host says that it made, and no others; without one it has the key itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vfl.arbitration import Quota, learn, misled, unpacked
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.errors import ProtocolError
from vfl.steps import FORGOTTEN, Steps
from vfl.trees import hidden, shown
from vfl.trees.gradients import Slot
from vfl.trees.grow import Rules
from vfl.trees.histogram import Layout
from vfl.wire.flow import Peer
from vfl.wire.message import Message

STEP = "opening"


@dataclass(frozen=True, slots=True)
class Another(Message):
    """Whether another histogram is to be decrypted.  Reveals: how many histograms there are."""

    more: bool


class Opener(Protocol):
    """How the guest learns packed sums that a host sent."""

    async def open(self, packed: Ciphertexts, packing: Packing, *, source: Peer) -> list[int]:
        """Return the sums."""
        ...

    def blame(self, source: Peer, what: str) -> ProtocolError:
        """Return the error for sums of this source that cannot be."""
        ...

    async def close(self) -> None:
        """Ask for nothing more."""
        ...


@dataclass(frozen=True, slots=True)
class ByArbiter:
    """The arbiter decrypts what the guest has masked."""

    key: PublicKey
    rng: Randomness
    arbiter: Peer

    async def open(self, packed: Ciphertexts, packing: Packing, *, source: Peer) -> list[int]:
        """Return the sums; the arbiter sees as many uniform numbers."""
        await self.arbiter.send(Another(True))
        return await learn(packed, packing, key=self.key, rng=self.rng, arbiter=self.arbiter, source=source)

    def blame(self, source: Peer, what: str) -> ProtocolError:
        """Name the source, and the arbiter that may have decrypted something else."""
        return misled(source, self.arbiter, what)

    async def close(self) -> None:
        """Let the arbiter go."""
        await self.arbiter.send(Another(False))


@dataclass(frozen=True, slots=True)
class ByOwnKey:
    """The guest decrypts; hosts randomise what they send so that it tells nothing but its plaintext."""

    private: PrivateKey

    async def open(self, packed: Ciphertexts, packing: Packing, *, source: Peer) -> list[int]:
        """Return the sums."""
        return unpacked(self.private.decrypt(packed), packing, source.blame)

    def blame(self, source: Peer, what: str) -> ProtocolError:
        """Name the source."""
        return source.blame(what)

    async def close(self) -> None:
        """Nobody waits."""


async def arbiter(
    private: PrivateKey, quota: Quota, *, guest: Peer, hosts: tuple[Peer, ...], steps: Steps = FORGOTTEN
) -> None:
    """Decrypt masked histograms, each host's in turn, until the guest needs no more."""
    turn = 0
    if (kept := steps.state(STEP)) is not None:
        quota.left, turn = kept["left"], kept["turn"]
    while (await guest.receive(Another)).more:
        await quota.answer_vouched(private, party=guest, maker=hosts[turn])
        turn = (turn + 1) % len(hosts)
        steps.checkpoint(STEP, {"left": quota.left, "turn": turn})


def most_opened(layout: Layout, slot: Slot, rules: Rules, n: int) -> int:
    """Return how many packed ciphertexts full trees of the rules take of one host, under a modulus n."""
    summed = [1 << max(level - 1, 0) for level in range(rules.max_depth)]
    packing = hidden.packing if rules.hides_rows else shown.packing
    one = sum(packing(nodes, layout.slots, slot.bits, n).plaintexts for nodes in summed)
    return one * (rules.n_estimators - rules.guest_grows_first)
