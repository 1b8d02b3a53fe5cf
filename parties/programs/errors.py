"""Standard errors of a party's own coefficients, after the fit, where the contract lets them be had."""

from __future__ import annotations

from parties.programs.limits import check_cells, check_pairs
from parties.programs.run import Run
from vfl.crypto.paillier import PublicKey
from vfl.linear import inference
from vfl.linear.columns import Columns
from vfl.linear.inference import Design
from vfl.stats.wald import wald

Errors = dict[str, dict[str, float]]
"""Standard error, z and p of each coefficient, as `vfl.stats.wald` returns them."""


async def guest_errors(
    run: Run, names: tuple[str, ...], columns: Columns, theirs: int, key: PublicKey
) -> Errors:
    """Return the guest's; `theirs`: the number of the host's model columns."""
    if not run.job.disclosure.standard_errors:
        return {}
    design = _design(run, columns, theirs)
    run.progress.phase("standard errors", 1.0)
    covariance = await inference.guest(
        design,
        theirs,
        key=key,
        rng=run.rng,
        host=run.host,
        arbiter=run.arbiter,
        report=lambda part: run.progress.advance(part, ""),
    )
    return wald(names, columns.w, covariance)


async def host_errors(
    run: Run, names: tuple[str, ...], columns: Columns, theirs: int, key: PublicKey
) -> Errors:
    """Return the host's; `theirs`: the number of the guest's model columns."""
    if not run.job.disclosure.standard_errors:
        return {}
    design = _design(run, columns, theirs)
    covariance = await inference.host(
        design, theirs, key=key, rng=run.rng, guest=run.guest, arbiter=run.arbiter
    )
    return wald(names, columns.w, covariance)


def _design(run: Run, columns: Columns, theirs: int) -> Design:
    rows, width = columns.x.shape
    check_pairs(run, rows, width + theirs)
    check_cells(run, columns.x)
    return Design(columns.x, columns.penalty, columns.logit)
