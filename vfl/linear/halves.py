"""Which training the guest's half of the model is from.

    guest -> host: ModelRun

The halves of two trainings make no model: the host refuses any run but that of its own half, to
score with it and to go on from it alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from vfl.errors import ContractError
from vfl.wire.flow import Peer
from vfl.wire.message import Message


@dataclass(frozen=True, slots=True)
class ModelRun(Message):
    """The run that fitted the guest's half.  Reveals: a run's name that both know."""

    run: str


async def guest(run: str, *, host: Peer) -> None:
    """Name the run."""
    await host.send(ModelRun(run))


async def host(held: str | None, *, guest: Peer, grows: bool = False) -> None:
    """Refuse any run but the one that fitted the half held here, None for no half.

    `grows`: the guest goes on from the model, and does not score with it.
    """
    asked = (await guest.receive(ModelRun)).run
    if asked != held:
        does, wants = ("goes on from", "go on from a model") if grows else ("scores with", "score")
        what = f"{guest.name} {does} the model of another training than the one held here"
        if held is None:
            what = f"{guest.name} wants to {wants}, and no model is held here"
        hint = "train again without model.warm_start" if grows else "train again: vfl guest train"
        raise ContractError("model.json", what, hint)
