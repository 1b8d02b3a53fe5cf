"""A host solves the event counts of its bins for labels.

Who: a host that follows the protocol and is told its bins' events (`woe_to_host: true`).  Wants: the labels.
How: the counts are Z^T y, Z the indicators of all its bins.  The labels of least norm, Z (Z^T Z)^+ Z^T y,
rank its rows; by chance alone, where its columns say nothing of labels, with an AUC of

    Phi(sqrt(d / (2 (n - d) p (1 - p)))),    d = c (b - 1) of c columns of b bins

(as of gradients, see `vfl.gates.SPREAD_PER_COLUMN`, where d is so small that n stands for n - d).
What stops it: nothing but the number of bins.  The gate few_rows counts columns, and bins where each is a
column of the model (`woe_to_host: false`); small_bins asks for 50 rows a bin.  SECURITY.md says so.
Pass: the formula holds, so that a compliance officer can go by it; where n p (1 - p) >= 8 d, at most .60.
"""

from __future__ import annotations

import numpy as np
import pytest
from attacked_runs import label_auc, report
from scipy.stats import norm

from vfl.gates import SPREAD_PER_COLUMN

COLUMNS, SHARE = 20, 0.2


def guessed(rows: int, bins: int, seed: int) -> float:
    """Return the AUC of a host's guess at labels of which its columns say nothing."""
    draw = np.random.default_rng(seed)
    y = (draw.random(rows) < SHARE).astype(np.int8)
    codes = draw.integers(0, bins, (rows, COLUMNS))
    z = (codes[:, :, None] == np.arange(bins)).reshape(rows, -1).astype(np.float64)
    return label_auc(y, z @ np.linalg.lstsq(z.T @ z, z.T @ y, rcond=None)[0])


@pytest.mark.parametrize(("rows", "bins"), [(1000, 10), (1000, 5), (4000, 10), (4000, 4)])
def test_bad_rates_of_many_bins_tell_labels_by_chance_as_the_formula_says(rows: int, bins: int) -> None:
    d, spread = COLUMNS * (bins - 1), rows * SHARE * (1 - SHARE)
    foretold = float(norm.cdf(np.sqrt(d / (2 * spread * (1 - d / rows)))))
    auc = float(np.mean([guessed(rows, bins, seed) for seed in range(5)]))
    report(
        f"labels by the bads in {COLUMNS} columns of {bins} bins (AUC)",
        f"{auc:.3f}",
        f"foretold {foretold:.3f}",
    )
    assert auc == pytest.approx(foretold, abs=0.02)
    assert spread >= SPREAD_PER_COLUMN * COLUMNS
    if spread >= SPREAD_PER_COLUMN * d:
        assert auc <= 0.60
