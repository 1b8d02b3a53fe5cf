"""What the guest notes while trees grow: progress, and what run.json says of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from parties.programs.run import Run
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts
from vfl.errors import ProtocolError
from vfl.steps import State, Steps
from vfl.trees.grow import Ensemble
from vfl.trees.opening import Opener
from vfl.trees.tree import Tree
from vfl.wire.flow import Peer, Receive, Role, Send
from vfl.wire.message import Disclosed, Message


@dataclass(slots=True)
class Growth:
    """The seconds that each tree took."""

    run: Run
    seconds: list[float] = field(default_factory=list)
    _mark: float = field(default_factory=time.monotonic)

    def remember(self) -> None:
        """Go on where the run was cut off."""
        kept = self.run.steps.remember("growth", lambda: {"seconds": self.seconds})
        self.seconds = kept["seconds"] if kept else []

    def report(self, ensemble: Ensemble) -> None:
        """Note a new tree."""
        now = time.monotonic()
        self.seconds.append(now - self._mark)
        self._mark = now
        grown = len(ensemble.trees)
        # The guest grows the first tree alone, in no time: that says nothing of the others.
        joint = grown - self.run.grow_rules.guest_grows_first
        self.run.progress.advance(joint, f"tree {grown}, {len(ensemble.trees[-1].leaves)} leaves")

    def facts(self, ensemble: Ensemble, before: int) -> dict[str, Any]:
        """Return what run.json says of the new trees that the model keeps, after those from `before`."""
        parties = (self.run.guest.name, *self.run.host_names)
        return {
            "before": before,
            "grown": len(self.seconds),
            "kept": len(ensemble.trees),
            "losses": ensemble.losses,
            "each": [
                _shape(tree, parties) | {"seconds": round(seconds, 3)}
                for tree, seconds in zip(ensemble.trees, self.seconds, strict=False)
            ],
        }


def _shape(tree: Tree, parties: tuple[str, ...]) -> dict[str, Any]:
    depth = max(tree.leaves).bit_length() - 1
    splits = {name: len(tree.splits_of(party)) for party, name in enumerate(parties)}
    return {"depth": depth, "leaves": len(tree.leaves), "splits": splits}


@dataclass(slots=True)
class Counted:
    """An opener that counts by host the sums the guest learns: each is one of g and one of h."""

    opener: Opener
    sums: Counter[str] = field(default_factory=Counter)

    def remember(self, steps: Steps) -> None:
        """Go on where the run was cut off."""
        self.sums.update(steps.remember("sums", lambda: dict(self.sums)) or {})

    async def open(self, packed: Ciphertexts, packing: Packing, *, source: Peer) -> list[int]:
        """Return the sums."""
        self.sums[source.name] += packing.count
        return await self.opener.open(packed, packing, source=source)

    def blame(self, source: Peer, what: str) -> ProtocolError:
        """Return the error for sums of this source that cannot be."""
        return self.opener.blame(source, what)

    async def close(self) -> None:
        """Ask for nothing more."""
        await self.opener.close()


Books = dict[tuple[str, str], Disclosed]
"""What was disclosed, by peer and message."""


@dataclass(slots=True)
class Heard:
    """A role that runs unchanged while its books are kept: what it tells, and what it is told."""

    role: Role[Any]
    told: Books = field(default_factory=dict)
    said: Books = field(default_factory=dict)

    def remember(self, steps: Steps) -> None:
        """Go on where the run was cut off."""
        for name, books in (("told", self.told), ("said", self.said)):
            kept = steps.remember(name, partial(_as_state, books)) or {"entries": []}
            books.update({(peer, kind): Disclosed(*numbers) for peer, kind, *numbers in kept["entries"]})

    def __await__(self) -> Generator[Send | Receive, Any, Any]:
        value = None
        try:
            while True:
                step = self.role.send(value)
                value = yield step
                if isinstance(step, Receive):
                    _enter(self.told, step.sender, value)
                else:
                    _enter(self.said, step.to, step.message)
        except StopIteration as stop:
            return stop.value
        finally:
            self.role.close()

    def bits(self, books: Books, peer: Peer, message: type[Message]) -> int:
        """Return the bits of all messages of a kind in one of the books."""
        return books.get((peer.name, message.__name__), Disclosed()).bits


def _as_state(books: Books) -> State:
    return {"entries": [[*key, d.numbers, d.bits, d.sealed] for key, d in books.items()]}


def _enter(books: Books, peer: str, message: Message) -> None:
    key = (peer, type(message).__name__)
    books[key] = books.get(key, Disclosed()) + message.disclosed()
