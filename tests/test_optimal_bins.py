"""Bins that each party merges itself: a monotone scorecard whose coefficients are the pooled ones."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hostile import tampered
from program_runs import BANK, CUSTOMERS, INSURER, by_id, changed, job, train
from protocol_runs import selected_roles
from sklearn.linear_model import LogisticRegression

from parties.programs.model import Half, columns_of
from vfl.errors import ProtocolError
from vfl.features.selected import SelectedColumns
from vfl.stats.counted import CountedBins
from vfl.wire.memory import run_in_memory

OPTIMAL = """\
features: {binning: optimal, bins: 6, max_bins: 4, min_share: 0.1}
model: {tolerance: 1.0e-3, max_iter: 12}
disclosure: {metrics: [test], scores: exact, host_columns: named}
"""
WISHES = {
    "bank": {"income": {"cuts": [0.0, 1.0]}},
    "insurer": {"premium": {"trend": "descending"}, "claims": {"special": [7]}},
}


@pytest.fixture(scope="module")
def merged() -> Any:
    """A training on merged bins, where the insurer's claims have a special code."""
    claims = columns_of(by_id(INSURER))["claims"]
    coded = np.zeros(CUSTOMERS)
    coded[[int(c[1:]) for c in by_id(INSURER).ids]] = claims
    coded[::5] = 7.0
    insurer = changed(INSURER, "claims", coded)
    return insurer, train(job(OPTIMAL, ["small_bins"]), BANK, insurer, WISHES)


def counted(half: Half, table: Any, label: Any, rows: Any) -> dict[str, CountedBins]:
    """Count a half's bins anew, as whoever had the pooled table would."""
    columns, bins = columns_of(table), half.features.bins
    slots = zip(bins.of.items(), bins.slots_of(columns), strict=True)
    return {name: CountedBins.of(binning, own[rows], label[rows]) for (name, binning), own in slots}


def test_the_scorecard_on_merged_bins_is_the_pooled_one_on_these_bins(merged: Any) -> None:
    insurer, (ours, theirs, _) = merged
    label, train_rows = by_id(BANK).label, by_id(BANK).split == "train"
    x = []
    for half, table in ((ours.half, by_id(BANK)), (theirs.half, by_id(insurer))):
        for name, column in counted(half, table, label, train_rows).items():
            values = columns_of(table)[name]
            x.append(column.woe[column.binning.codes(values) % column.binning.slots])
    x = np.column_stack(x)
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(
        x[train_rows], label[train_rows]
    )
    joint = [*ours.half.weights.values(), *theirs.half.weights.values()]
    np.testing.assert_allclose(joint, [*pooled.intercept_, *pooled.coef_[0]], atol=5e-3)


def test_numeric_bins_run_by_the_trend_and_hold_the_share_and_special_codes_stand_apart(merged: Any) -> None:
    insurer, (ours, theirs, _) = merged
    label, train_rows = by_id(BANK).label, by_id(BANK).split == "train"
    guest = counted(ours.half, by_id(BANK), label, train_rows)
    host = counted(theirs.half, by_id(insurer), label, train_rows)
    assert guest["income"].binning.cuts == (0.0, 1.0)
    for name, column in (guest | host).items():
        if name in ("region", "income"):
            continue
        evidence = column.woe[: column.binning.ordered]
        falls = all(a > b for a, b in pairwise(evidence))
        assert falls or (name != "premium" and all(a < b for a, b in pairwise(evidence)))
        assert len(evidence) <= 4
        if len(evidence) > 1:
            assert (column.pos + column.neg)[: len(evidence)].min() >= 0.1 * train_rows.sum()
    assert host["claims"].binning.special == (7.0,)
    assert (host["claims"].pos + host["claims"].neg)[host["claims"].binning.ordered] > 50


def test_both_books_have_the_values_of_the_merged_bins(merged: Any) -> None:
    insurer, (ours, theirs, told) = merged
    label, train_rows = by_id(BANK).label, by_id(BANK).split == "train"
    host = counted(theirs.half, by_id(insurer), label, train_rows)
    values = {name: column.information_value for name, column in host.items()}
    assert ours.facts["information_value"]["host"] == pytest.approx(values, rel=1e-12)
    assert theirs.facts["information_value"]["host"] == pytest.approx(values, rel=1e-12)
    rows = theirs.facts["woe"]["host"]["claims"]
    assert [row["bin"] for row in rows][-1] == "special 7"
    assert sum(row["rows"] for row in rows) == train_rows.sum()
    asked = [e for e in told.ledgers["bank"].as_json() if e["message"] == "MaskedSums"]
    assert len(asked) == 1  # one kind of question, gradients apart: no sum was asked for again


def test_a_half_with_merged_bins_survives_its_file(merged: Any, tmp_path: Any) -> None:
    insurer, (_, theirs, _) = merged
    path = tmp_path / "model.json"
    path.write_text(json.dumps(theirs.half.as_json()), encoding="utf-8")
    np.testing.assert_array_equal(Half.load(path).logit(insurer), theirs.half.logit(insurer))


CHEATS = {
    "a column too few": lambda m: SelectedColumns(m.values[1:], m.kept[1:]),
    "an answer too few": lambda m: SelectedColumns(m.values, m.kept[1:]),
    "a value that is no number": lambda m: SelectedColumns(m.values * np.nan, m.kept),
    "a value beyond all": lambda m: SelectedColumns(m.values + 1e9, m.kept),
    "no column at all": lambda m: SelectedColumns(m.values, m.kept & False),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_host_that_selects_what_cannot_be_is_blamed(cheat: str) -> None:
    roles = selected_roles()
    with pytest.raises(ProtocolError) as caught:
        run_in_memory(roles | {"host": tampered(roles["host"], SelectedColumns, CHEATS[cheat])})
    assert caught.value.peer == "host"
