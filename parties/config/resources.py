"""What a run may take of a party's machine, and of its time."""

from __future__ import annotations

from pydantic import Field

from parties.config.schema import Section


class Compute(Section):
    """How much of the machine a run may take."""

    processes: int | None = Field(default=None, ge=1, description="Cores to use; empty means all of them.")


class Timeouts(Section):
    """How long to wait, in seconds."""

    connect: float = Field(default=60.0, gt=0, description="Seconds until a peer must have been reached.")
    message: float = Field(
        default=3600.0, gt=0, description="Seconds until a peer's next message must have come."
    )
    optional: float = Field(
        default=60.0,
        gt=0,
        description="Seconds for which the guest waits, before it begins a training, for hosts that the job "
        "calls optional, all of them together.",
    )
    resume: float = Field(
        default=600.0,
        gt=0,
        description="Seconds for which a training waits for a peer that was lost; then it is paused, to be "
        "resumed with `vfl resume`.",
    )
