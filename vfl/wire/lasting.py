"""A run that outlives its connections and its processes.

    a link breaks      whoever dialled dials again, whoever listened waits; each side says how many
                       messages it has taken, and the other begins with the next
    a process dies     it is started again, its role runs from the last checkpoint, and what it had
                       sent since then is what it sends, byte for byte (see `journal`)

A peer that stays away longer than `patience` pauses the run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from vfl.errors import LostError, PausedError
from vfl.wire.journal import HOW_TO_GO_ON, Journal
from vfl.wire.link import Link


class Meet(Protocol):
    """How a peer is reached: dialled or awaited."""

    def __call__(self, peer: str, have: int) -> Link:
        """Return a link on which we have taken so many messages; raise LostError soon if it is absent."""
        ...


@dataclass(frozen=True, slots=True)
class Lasting:
    """What makes a run last: its journal, the way to its peers, and how long to wait for them."""

    journal: Journal
    meet: Meet
    patience: float

    def meet_again(self, links: dict[str, Link], lost: Iterable[str]) -> set[str]:
        """Make anew the links to these peers, and to all that are lost meanwhile; return who they were.

        Peers are tried in turn: each may be waiting for another of us.
        """
        missing, deadline = set(lost), time.monotonic() + self.patience
        made = set(missing)
        while missing:
            for peer in sorted(missing):
                try:
                    links[peer] = self.meet(peer, self.journal.taken.get(peer, 0))
                    self.welcome(links[peer])
                except LostError as absent:
                    if time.monotonic() > deadline:
                        raise self._away(absent) from None
            for link in links.values():
                link.calm()  # before one looks: what is lost later is news
            missing = {peer for peer in {*missing, *links} if peer not in links or links[peer].broken}
            made |= missing
        return made

    def welcome(self, link: Link) -> None:
        """Send what the peer does not have, and let it go only when this side is done as well."""
        link.hold_bye()
        for message in self.journal.stored(link.peer, link.hello.have):
            link.send(message, self.patience)

    def _away(self, absent: LostError) -> PausedError:
        what = f"has been away for {self.patience:g} s"
        return PausedError(absent.peer, what, f"{absent.what}; {HOW_TO_GO_ON}")

    def acknowledge(self, links: dict[str, Link], taken: dict[str, int]) -> None:
        """After a checkpoint: tell peers what they need not keep, since it had been taken by then."""
        for peer, link in links.items():
            if not link.lost:
                link.acknowledge(taken.get(peer, 0), self.patience)
