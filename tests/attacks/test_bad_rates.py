"""A host solves the event counts of its bins for labels, and takes differences of them.

Who: a host that follows the protocol and is told its bins' events (`woe_to_host: true`).  Wants: the labels.
How: the counts are Z^T y, Z the indicators of all its bins.  The labels of least norm, Z (Z^T Z)^+ Z^T y,
rank its rows; by chance alone, where its columns say nothing of labels, with an AUC of

    Phi(sqrt(d / (2 (n - d) p (1 - p)))),    d = c (b - 1) of c columns of b bins

(as of gradients, see `vfl.gates.SPREAD_PER_COLUMN`, where d is so small that n stands for n - d).
What stops it: nothing but the number of bins.  The gate few_rows counts columns, and bins where each is a
column of the model (`woe_to_host: false`); small_bins asks for 50 rows a bin.  SECURITY.md says so.
By difference: two runs on the same rows, between which a cut has moved, tell the bads of who lies between.
The host's gate small_bins stops it where it keeps to the rows: it remembers the bins of its runs.
Pass: the formula holds, so that a compliance officer can go by it; where n p (1 - p) >= 8 d, at most .60.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from attacked_runs import ARBITER, GUEST, HOST, KEY, PRIVATE, label_auc, report
from numpy.typing import NDArray
from program_runs import BANK, INSURER, job, train
from scipy.stats import norm
from seeded import Seeded

from parties.programs.precedents import _smallest_cell
from vfl.arbitration import Quota
from vfl.errors import ContractError
from vfl.features import woe
from vfl.gates import SPREAD_PER_COLUMN, Gates
from vfl.stats.binning import BLANK, UNSEEN
from vfl.table.table import Categorical
from vfl.wire.memory import run_in_memory

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


def bads(y: NDArray[np.int8], x: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bads up to each cut of the host's column, as it is told them by bins."""
    codes, gates = np.searchsorted(cuts, x), Gates(frozenset())
    run = run_in_memory(
        {
            "guest": woe.guest(y, key=KEY, rng=Seeded(1), gates=gates, host=HOST, arbiter=ARBITER),
            "host": woe.host(
                [codes], [len(cuts) + 1], key=KEY, rng=Seeded(2), gates=gates, guest=GUEST, arbiter=ARBITER
            ),
            "arbiter": woe.arbiter(PRIVATE, Quota(9), guest=GUEST, host=HOST),
        }
    )
    (told,) = run.results["host"]
    return np.cumsum(told)[:-1]


def test_a_cut_that_has_moved_past_a_customer_tells_its_label() -> None:
    draw = np.random.default_rng(5)
    x, y = np.sort(draw.normal(size=1000)), (draw.random(1000) < SHARE).astype(np.int8)
    places = [(300, 600), *((300 + k, 600 + k) for k in range(1, 13))]
    told = np.array([bads(y, x, x[list(cuts)]) for cuts in places])
    right = np.diff(told, axis=0) == np.column_stack([y[301:313], y[601:613]])
    report("labels of customers whom a cut has moved past", f"{right.mean():.1%}", "refused")
    assert right.all()


def test_ten_bins_and_then_eleven_tell_the_bads_of_ten_customers() -> None:
    draw = np.random.default_rng(6)
    x, y = np.sort(draw.normal(size=1000)), (draw.random(1000) < SHARE).astype(np.int8)
    ten, eleven = (x[[1000 * k // bins - 1 for k in range(1, bins)]] for bins in (10, 11))
    between = (x > eleven[0]) & (x <= ten[0])
    assert bads(y, x, ten)[0] - bads(y, x, eleven)[0] == y[between].sum()
    assert between.sum() == 10


def test_a_cell_that_is_a_bin_of_both_runs_tells_nothing_new() -> None:
    old = np.repeat([BLANK, 0, 1], [7, 100, 200])
    assert _smallest_cell(np.repeat([BLANK, 0, 1, 2], [7, 100, 80, 120]), old) == 80
    assert _smallest_cell(old, np.repeat([BLANK, UNSEEN, 0, 1], [7, 60, 40, 200])) == 40
    assert _smallest_cell(np.repeat([BLANK, 0, 1], [7, 101, 199]), old) == 1
    assert _smallest_cell(np.repeat([0, 1], [107, 200]), old) == 7


def test_such_a_run_is_refused_by_the_host(tmp_path: Path) -> None:
    """Of the same bins, and of other bins that differ by many, another run takes place."""
    agreed = job("features: {bins: 3}\nmodel: {tolerance: 0.1}", ["few_rows"])
    rows = INSURER.take(np.flatnonzero(np.isin(INSURER.ids, BANK.ids[BANK.split == "train"])))
    name = "premium"
    values = np.sort(rows.columns[name].values)
    places = {"run 1": 100, "again": 100, "many others": 200, "one other": 101}
    for run, place in places.items():
        bins = {"insurer": {name: {"cuts": [float(values[place])]}}}
        if run != "one other":
            train(agreed, BANK, INSURER, bins, id=run, state=tmp_path)
            continue
        with pytest.raises(
            ContractError, match="fewer than 50 training rows tell its bins from those of an e"
        ) as no:
            train(agreed, BANK, INSURER, bins, id=run, state=tmp_path)
        assert "'premium', 1 rows, run again: keep its bins of then; allow it by name" in no.value.hint
    texts = INSURER.columns | {
        name: Categorical(np.array(["low", "high"], object)[(INSURER.columns[name].values > 500).astype(int)])
    }
    train(agreed, BANK, replace(INSURER, columns=texts), id="levels", state=tmp_path)
