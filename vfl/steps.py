"""What a role has done so far, kept so that it can go on after its process has died.

A role asks for the `state` of a step before it begins, and calls `checkpoint` where it could begin
again.  Between the two it must draw and send alike whenever it is run on the same messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

State = dict[str, Any]
"""Numbers, texts, bytes, lists, dicts and numpy arrays."""


class Steps(Protocol):
    """Where steps are kept."""

    def state(self, name: str) -> State | None:
        """Return what a step left, None if it has not begun."""
        ...

    def checkpoint(self, name: str, state: State) -> None:
        """Keep what a step leaves: the run goes on from here."""
        ...

    def remember(self, name: str, state: Callable[[], State]) -> State | None:
        """Keep this, too, with every checkpoint; return what was kept of it before."""
        ...


class Forgotten:
    """Steps of a run that begins anew if it is cut off."""

    def state(self, name: str) -> State | None:
        """Return None: nothing was kept."""
        return None

    def checkpoint(self, name: str, state: State) -> None:
        """Keep nothing."""

    def remember(self, name: str, state: Callable[[], State]) -> State | None:
        """Keep nothing."""
        return None


FORGOTTEN = Forgotten()


class Part:
    """The steps of one of several alike parts of a run, kept under names of their own."""

    def __init__(self, steps: Steps, name: str) -> None:
        self._steps, self._name = steps, name

    def state(self, name: str) -> State | None:
        """Return what a step of this part left."""
        return self._steps.state(f"{self._name}: {name}")

    def checkpoint(self, name: str, state: State) -> None:
        """Keep what a step of this part leaves."""
        self._steps.checkpoint(f"{self._name}: {name}", state)

    def remember(self, name: str, state: Callable[[], State]) -> State | None:
        """Keep this, too, with every checkpoint."""
        return self._steps.remember(f"{self._name}: {name}", state)
