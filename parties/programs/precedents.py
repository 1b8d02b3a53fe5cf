"""A training against the party's earlier ones: asked before anybody learns anything of its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parties.inspection import clean_ids
from parties.programs.alignment import Common
from parties.programs.earlier import Earlier, Labels, Record, check_rank, with_columns
from parties.programs.limits import check_outcome_spread, check_spread
from parties.programs.run import Run
from vfl.arbitration import Shape
from vfl.gates import Gates
from vfl.linear import crossed
from vfl.table.table import Table
from vfl.table.texts import Ids
from vfl.wire.flow import Peer

Matrix = NDArray[np.float64]

MOST_MORE = 120
"""Bits by which a sum over rows of a column is longer than a residual's fraction, at most."""


async def check_earlier(run: Run, common: Common) -> None:
    """Ask nearly_same_rows of the training rows, and keep them for later runs."""
    earlier = run.earlier
    if earlier is None:
        return

    async def check() -> None:
        record = _record(run, common, earlier)
        earlier.check_rows(record, run.gates)
        earlier.keep(record)

    await run.step("rows", check, lambda _: None, lambda _: None)


def check_hosts_shape(run: Run, common: Common, host: Peer, shape: Shape, mark: int) -> None:
    """Ask few_rows of the model columns that a host brings, and has brought to earlier runs."""
    _check_bits(host, shape, run.fraction if run.job.arbiter else crossed.SHARE_FRACTION)
    _check_spread(run, common, shape.sums)
    earlier = run.earlier
    if earlier is None:
        check_rank(run.gates, host, len(_ids_and_labels(run, common)[0]), shape.sums, host.name)
        return
    kept = earlier.kept(run.id)
    columns = {str(mark): shape.sums}
    if kept.folds > 1:
        columns = {f"{mark} in {kept.folds} folds": kept.folds * shape.sums}
    record = with_columns(kept, kept.columns | {host.name: columns})
    earlier.check_columns(record, host.name, run.gates)
    earlier.keep(record)


def check_sampled(run: Run, shapes: Sequence[Shape], gates: Gates) -> None:
    """Ask few_rows of the hosts' columns once more: sums over a sample are others than over all rows."""
    if run.earlier:
        record = _sampled(run, run.earlier, shapes)
        for host in run.hosts:
            run.earlier.check_columns(record, host.name, gates)


def keep_sampled(run: Run, shapes: Sequence[Shape]) -> None:
    """Count the columns of sums over a sample towards few_rows of later runs."""
    if run.earlier:
        run.earlier.keep(_sampled(run, run.earlier, shapes))


def _sampled(run: Run, earlier: Earlier, shapes: Sequence[Shape]) -> Record:
    kept = earlier.kept(run.id)
    more = {
        host.name: kept.columns[host.name] | {f"sample of {run.id}": shape.sums}
        for host, shape in zip(run.hosts, shapes, strict=True)
    }
    return with_columns(kept, kept.columns | more)


def check_guests_shape(run: Run, common: Common, guest: Peer, shape: Shape, mark: int) -> None:
    """Ask few_rows of the model columns that the guest brings, beside its intercept."""
    _check_bits(guest, shape, run.fraction)
    check_rank(run.gates, guest, common.rows["train"], shape.sums - 1, guest.name)


def check_counted(gates: Gates, guest: Peer, training: Table, columns: int) -> None:
    """Ask few_rows of the guest's own model columns and its rows that count, which no host can tell."""
    if training.weight is not None:
        check_rank(gates, guest, int(np.count_nonzero(training.weight)), columns, guest.name)


def _check_spread(run: Run, common: Common, columns: int) -> None:
    training = common.training
    if training.outcome is not None:
        weight = training.weight
        known = training.outcome if weight is None else training.outcome[weight > 0]
        check_outcome_spread(run, known, columns)
        return
    check_spread(run.gates, training.counted, columns)


def _check_bits(peer: Peer, shape: Shape, fraction: int) -> None:
    if shape.bits > fraction + MOST_MORE:
        raise peer.blame(f"has a gradient whose numbers take {shape.bits} bits")


def mark_of(run: Run, common: Common, x: Matrix) -> int:
    """Return what the same columns on the same training rows have again, 0 where nothing is kept."""
    return run.earlier.mark(_ids_and_labels(run, common)[0], x) if run.earlier else 0


def _record(run: Run, common: Common, earlier: Earlier) -> Record:
    return earlier.record(run.id, *_ids_and_labels(run, common), run.job.cv.folds if run.job.cv else 1)


def _ids_and_labels(run: Run, common: Common) -> tuple[Ids, Labels | None]:
    training = common.training
    known = training.label if training.outcome is None else training.outcome
    ids = clean_ids(run.job, training).ids
    if training.weight is None or known is None:
        return ids, known
    # A row of weight 0 is in no sum: two runs whose weights leave out other rows differ by these.
    counted = training.weight > 0
    return ids[counted], known[counted]
