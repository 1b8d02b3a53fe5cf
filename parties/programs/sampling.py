"""Whether a fit begins on a sample of the rows: each party asks its gates of both parts that this makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from parties.config.models import LogisticRules
from parties.programs.alignment import Common
from parties.programs.earlier import check_rank
from parties.programs.limits import check_events, check_shared_values, check_spread, check_weights
from parties.programs.precedents import check_counted, check_sampled, keep_sampled, with_sample
from parties.programs.run import Run, as_it_is
from vfl.arbitration import Shape
from vfl.errors import ContractError, DataError
from vfl.gates import Gates
from vfl.linear import sample
from vfl.table.table import Table

Matrix = NDArray[np.float64]


async def guest_sample(run: Run, common: Common, x: Matrix, shapes: Sequence[Shape]) -> int:
    """Return of how many rows the first gradients are, 0 for all; x: the guest's training rows (n, d).

    `shapes`: of the hosts' gradients.
    """
    if not (rows := _wanted(run, len(x))):
        return 0
    record = with_sample(run, common, rows, shapes)

    def check(gates: Gates) -> None:
        for part in (slice(rows), slice(rows, None)):
            _check_guests(run, common.training.take(np.arange(len(x))[part]), x[part], shapes, gates)
        check_sampled(run, record, gates)

    own = rows if _passes(check) else 0
    agreed: int = await run.step("sample", lambda: sample.guest(own, hosts=run.hosts), as_it_is, as_it_is)
    if agreed:
        keep_sampled(run, record)
    return agreed


async def host_sample(run: Run, common: Common, x: Matrix, guests: Shape) -> int:
    """Return of how many rows the first gradients are; x: the host's training rows, `guests`: the guest's."""
    if not (rows := _wanted(run, len(x))):
        return 0
    record = with_sample(run, common, rows)

    def check(gates: Gates) -> None:
        for part in (slice(rows), slice(rows, None)):
            check_rank(gates, run.guest, len(x[part]), guests.sums - 1, run.guest.name)
            check_shared_values(gates, x[part])
        check_sampled(run, record, gates)

    own = rows if _passes(check) else 0
    agreed: int = await run.step("sample", lambda: sample.host(own, guest=run.guest), as_it_is, as_it_is)
    if agreed:
        keep_sampled(run, record)
    return agreed


def _wanted(run: Run, n: int) -> int:
    """Return the rows of a sample of n, if the job is one for it: fits by folds begin near their end."""
    rules = run.job.regression
    wanted = (
        isinstance(rules, LogisticRules) and n >= rules.sample_from and rules.max_iter > 1 and not rules.cv
    )
    return sample.size(n) if wanted else 0


def _check_guests(run: Run, training: Table, x: Matrix, shapes: Sequence[Shape], gates: Gates) -> None:
    check_events(gates, training)
    check_weights(gates, "labels", training)
    check_counted(gates, run.guest, training, x.shape[1] - 1)
    check_shared_values(gates, x)
    for shape in shapes:
        check_spread(gates, training.counted, shape.sums)


def _passes(check: Callable[[Gates], None]) -> bool:
    """Tell whether all gates stay open, also those that the job overrides: that is said of all rows."""
    try:
        check(Gates(frozenset()))
    except (ContractError, DataError):
        return False
    return True
