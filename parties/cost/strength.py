"""How far the logits of a guest's own model spread: what its check can know of how much a joint fit takes."""

from __future__ import annotations

import numpy as np

from parties.config.job import Job
from parties.programs.model import columns_of
from vfl.linear import alone
from vfl.stats.binned import Bins
from vfl.stats.woe import bin_counts, woe
from vfl.table.table import Table

MOST_ROWS = 20_000
"""Rows that are looked at: evenly spaced ones, of a longer table."""


def strength(job: Job, training: Table) -> float | None:
    """Return the standard deviation of the logits of the guest's columns alone, on weights of evidence.

    None without columns, or without labels of both kinds.  Bins are as many as the job's, and not merged.
    """
    rows = training.take(np.arange(0, len(training), max(1, len(training) // MOST_ROWS)))
    if not rows.columns or rows.label is None or not 0 < (events := int(rows.label.sum())) < len(rows):
        return None
    columns = columns_of(rows)
    bins = Bins.fit(columns, np.ones(len(rows), np.bool_), job.features.bins)
    x = []
    for slots, size in zip(bins.slots_of(columns), bins.sizes, strict=True):
        x.append(woe(*bin_counts(slots, rows.label, size), events, len(rows) - events)[slots])
    w = alone.fitted_labels(np.column_stack(x), rows.label, job.logistic.C)
    return float((np.column_stack(x) @ w[1:]).std())
