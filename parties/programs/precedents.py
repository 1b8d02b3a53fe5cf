"""A training against the party's earlier ones: asked before anybody learns anything of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from parties.inspection import clean_ids
from parties.programs.alignment import Common
from parties.programs.earlier import Earlier, Record, check_rank
from parties.programs.limits import check_outcome_spread, check_spread
from parties.programs.model import columns_of
from parties.programs.run import Run
from vfl.arbitration import Shape
from vfl.gates import RARE_ROWS, Gates
from vfl.linear import crossed
from vfl.stats.binned import Bins
from vfl.stats.binning import BLANK, UNSEEN, from_json
from vfl.table.table import Table
from vfl.table.texts import Ids
from vfl.wire.flow import Peer

Matrix = NDArray[np.float64]
Codes = NDArray[np.int64]
"""Each row's bin, BLANK and UNSEEN included."""

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
        check_rank(run.gates, host, len(_counted_ids(run, common)), shape.sums, host.name)
        return
    kept = earlier.kept(run.id)
    columns = {_under_weights(run, common, earlier, mark): shape.sums}
    if kept.folds > 1:
        columns = {f"{mark} in {kept.folds} folds": kept.folds * shape.sums}
    record = replace(kept, columns=kept.columns | {host.name: columns})
    earlier.check_columns(record, host.name, run.gates)
    earlier.keep(record)


def with_sample(run: Run, common: Common, rows: int, shapes: Sequence[Shape] = ()) -> Record | None:
    """Return the record of a run whose first gradients are of so many rows, None where none are kept.

    Sums over a sample are others than over all rows, and so count as further columns of the hosts.
    `shapes`: of the hosts' gradients, none at a host.
    """
    if run.earlier is None:
        return None
    kept = run.earlier.kept(run.id)
    columns = dict(kept.columns)
    for host, shape in zip(run.hosts if shapes else (), shapes, strict=True):
        columns[host.name] = columns[host.name] | {f"sample of {run.id}": shape.sums}
    return replace(kept, columns=columns, sampled=_record(run, common, run.earlier, rows).sampled)


def check_sampled(run: Run, record: Record | None, gates: Gates) -> None:
    """Ask nearly_same_rows of a sample, and few_rows of the hosts' columns once more."""
    if run.earlier and record:
        run.earlier.check_rows(record, gates)
        for host in record.columns:
            run.earlier.check_columns(record, host, gates)


def keep_sampled(run: Run, record: Record | None) -> None:
    """Keep which rows are the sample, and count the columns of sums over it towards later runs' few_rows."""
    if run.earlier and record:
        run.earlier.keep(record)


def check_bins(run: Run, common: Common, bins: Bins) -> None:
    """Ask small_bins of a host's bins beside those of earlier runs on the same rows, and keep them.

    Sums over the bins of two runs tell by difference those over the rows of one bin of the one and one of the
    other: of all such cells, where bins are intervals.
    """
    if run.earlier is None:
        return
    kept, columns = run.earlier.kept(run.id), columns_of(common.training)
    told = {name: binning.as_json() for name, binning in bins.of.items()}
    for old in run.earlier.binned(kept):
        for number, (name, binning) in enumerate(bins.of.items(), start=1):
            said, now = old.bins.get(name), told[name]
            if said is None or said == now or ("cuts" in said) != ("cuts" in now):
                continue  # a column that was numbers and is levels now has other values
            least = _smallest_cell(binning.codes(columns[name]), from_json(said).codes(columns[name]))
            if least < RARE_ROWS:
                what = f"fewer than {RARE_ROWS} training rows tell its bins from those of an earlier run"
                mend = f"it is {name!r}, {least} rows, run {old.run}: keep its bins of then;"
                run.gates.refuse("small_bins", f"column {number}", what, mend)
    run.earlier.keep(replace(kept, bins=told))


def _smallest_cell(new: Codes, old: Codes) -> int:
    """Return the rows of the smallest cell of two binnings, without those that are a bin of both."""
    low = min(BLANK, UNSEEN)
    cells = np.zeros((int(new.max()) - low + 1, int(old.max()) - low + 1), np.int64)
    np.add.at(cells, (new - low, old - low), 1)
    largest = np.maximum(cells.sum(axis=1, keepdims=True), cells.sum(axis=0))
    return int(cells[(cells > 0) & (cells < largest)].min(initial=len(new)))


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
    return run.earlier.mark(clean_ids(run.job, common.training).ids, x) if run.earlier else 0


def _under_weights(run: Run, common: Common, earlier: Earlier, mark: int) -> str:
    """Return the mark of a host's columns: rows that count otherwise make other sums of the same columns."""
    weight = common.training.weight
    if weight is None:
        return str(mark)
    counted = weight[weight > 0, None] / weight.mean()
    return f"{mark} weighted by {earlier.mark(_counted_ids(run, common), counted)}"


def _record(run: Run, common: Common, earlier: Earlier, sample: int = 0) -> Record:
    training, folds = common.training, run.job.cv.folds if run.job.cv else 1
    ids = clean_ids(run.job, training).ids
    known = training.label if training.outcome is None else training.outcome
    return earlier.record(run.id, ids, known, folds, weight=training.weight, sample=sample)


def _counted_ids(run: Run, common: Common) -> Ids:
    """Return the ids of the training rows that count: one of weight 0 is in no sum of a fit."""
    ids, weight = clean_ids(run.job, common.training).ids, common.training.weight
    return ids if weight is None else ids[weight > 0]
