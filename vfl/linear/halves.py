"""Which training the guest's half of the model is from.

    guest -> host: ModelRun

The halves of two trainings make no model: the host refuses any run but that of its own half.
"""

from __future__ import annotations

from dataclasses import dataclass

from vfl.errors import ContractError
from vfl.wire.flow import Peer
from vfl.wire.message import Message


@dataclass(frozen=True, slots=True)
class ModelRun(Message):
    """The run that fitted the guest's half.  Reveals: that run's name, which both parties know."""

    run: str


async def guest(run: str, *, host: Peer) -> None:
    """Name the run."""
    await host.send(ModelRun(run))


async def host(held: str | None, *, guest: Peer) -> None:
    """Refuse any run but the one that fitted the half held here, None for no half."""
    asked = (await guest.receive(ModelRun)).run
    if asked != held:
        what = f"{guest.name} scores with the model of another training than the one held here"
        if held is None:
            what = f"{guest.name} wants to score, and no model is held here"
        raise ContractError("model.json", what, "train again: vfl guest train")
