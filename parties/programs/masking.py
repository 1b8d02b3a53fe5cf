"""The hosts' part of logits: masked, where there are several, so that the guest learns the sum alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parties.programs.run import Run
from vfl.linear import pairing, scoring
from vfl.linear.pairing import Masks
from vfl.wire.certificates import load_identity

Vector = NDArray[np.float64]


async def hosts_logits(run: Run, n: int) -> Vector:
    """Return the hosts' part of the logits of n aligned rows; to be asked for once in a run, if of any."""
    if n == 0:
        return np.empty(0)
    if len(run.hosts) > 1:
        await pairing.guest(run.job.pins, run.domain, hosts=run.hosts)
    return await scoring.guest(n, one_point=run.scorecard.one_point, exact=run.exact, hosts=run.hosts)


async def send_logits(run: Run, logits: Vector) -> None:
    """Send the guest this host's part of the logits of aligned rows; once in a run, if of any."""
    if len(logits) == 0:
        return
    masks = await _masks(run) if len(run.hosts) > 1 else None
    one_point = run.scorecard.one_point
    await scoring.host(logits, one_point=one_point, exact=run.exact, guest=run.guest, masks=masks)


async def _masks(run: Run) -> Masks:
    files, name = run.party.identity, run.party.party
    identity = load_identity(name, files.key, files.certificate)
    return await pairing.host(
        identity, run.job.pins, run.domain, hosts=run.host_names, rng=run.rng, guest=run.guest
    )
