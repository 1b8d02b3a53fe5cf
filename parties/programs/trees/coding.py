"""A party's columns as the bins that trees split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import Common
from parties.programs.model import columns_of
from parties.programs.run import Run
from vfl.errors import DataError
from vfl.gates import RARE_ROWS
from vfl.stats.binned import Bins
from vfl.trees.model import codes_of, layout_of
from vfl.trees.tree import Codes


def fit_bins(run: Run, common: Common, old: Bins | None) -> tuple[Bins, Codes]:
    """Return the `old` bins, or those that the training rows give, and the codes of all common rows.

    A column that splits nothing is warned of, a table of such columns alone refused.
    """
    columns = columns_of(common.table)
    bins = old or Bins.fit(columns, common.train, run.job.trees.max_bin)
    codes = codes_of(bins, columns)
    trained = codes[common.train]
    useless = (trained == trained[0]).all(axis=0)
    if useless.all():
        hint = "bring others, or raise model.max_bin"
        raise DataError(common.table.source, "every column has a single bin: none splits anything", hint)
    for name in np.array(list(columns), object)[useless]:
        run.warn(f"{common.table.source}: {name}: has a single bin, which splits nothing")
    return bins, codes


def check_rare_bins(run: Run, bins: Bins, trained: Codes) -> None:
    """Ask small_bins of a host's training rows: the guest learns two sums over each bin."""
    layout = layout_of(bins)
    for number, (size, slots) in enumerate(zip(layout.bins, layout.slots_of(trained).T, strict=True), 1):
        rows: NDArray[np.int64] = np.bincount(slots, minlength=size + 1)
        if (rows[rows > 0] < RARE_ROWS).any():
            what = f"a bin, or the blanks, that fewer than {RARE_ROWS} training rows share"
            mend = f"it is {list(bins.of)[number - 1]!r}: drop it or merge its levels, or"
            run.gates.refuse("small_bins", f"column {number}", what, mend)
