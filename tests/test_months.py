"""How far score and columns have moved by month: each party by its own dates, in its own books."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from program_runs import BANK, CUSTOMERS, INSURER, TRAIN, by_id, changed, job, train
from report_runs import a_run, some_scores

from parties.config.party import Party
from parties.programs.model import columns_of
from parties.report.page import render
from vfl.errors import ConfigError, DataError
from vfl.stats.stability import score_stability
from vfl.table.cells import CellError, months
from vfl.table.read import read_table

QUICK = "features: {bins: 3}\nmodel: {tolerance: 0.1, max_iter: 2}\n"
NAMES = np.array(["2026-01", "2026-02", "2026-03", None], object)
OPEN = ["many_leaves", "small_bins"]
OF = NAMES[np.searchsorted([170, TRAIN, 400], np.arange(CUSTOMERS), side="right")]


def dated(table):
    """Return the table with a month for each customer: two in training, one after, and few blanks."""
    return replace(table, month=OF[[int(customer[1:]) for customer in table.ids]])


def test_dates_and_months_of_any_kind_become_months() -> None:
    texts = pa.chunked_array([["2026-01-31", " 2026-02 ", None, "", "2026-03-01 10:00:00"]])
    assert months(texts).tolist() == ["2026-01", "2026-02", None, None, "2026-03"]
    days = pa.chunked_array([pa.array([0, None], pa.date32())])
    assert months(days).tolist() == ["1970-01", None]
    with pytest.raises(CellError, match=r"'31\.1\.2026' is no date"):
        months(pa.chunked_array([["2026-01-31", "31.1.2026"]]))


def test_a_cell_that_is_no_date_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bank.csv"
    path.write_text("id,x,day\na,1,2026-01-01\nb,2,yesterday\n")
    with pytest.raises(DataError, match=r"bank\.csv:3: day: 'yesterday' is no date"):
        read_table(path, id="id", month="day")
    path.write_text("id,x,day\na,1,2026-01-01\nb,2,2026-02\n")
    table = read_table(path, id="id", month="day", types={"day": "date"})
    assert list(table.columns) == ["x"]
    assert table.month is not None
    assert table.take(np.array([1])).month.tolist() == ["2026-02"]
    assert table.digest() != replace(table, month=None).digest()


def test_each_party_says_by_its_own_months_how_far_its_columns_have_moved() -> None:
    premium = np.random.default_rng(1).normal(500, 90, CUSTOMERS)
    premium[TRAIN:] += 200
    ours, theirs, _ = train(job(QUICK), dated(BANK), dated(changed(INSURER, "premium", premium)))
    own, hosts = ours.facts["months"], theirs.facts["months"]
    assert (
        [row["month"] for row in own] == ["2026-01", "2026-02", "2026-03"] == [row["month"] for row in hosts]
    )
    assert [set(row) for row in hosts] == [{"month", "rows", "columns"}] * 3
    assert [set(row["columns"]) for row in own] == [{"income", "tenure", "age"}] * 3
    assert hosts[2]["columns"]["premium"] > 0.5 > 0.25 > hosts[0]["columns"]["premium"]
    common = by_id(dated(BANK))
    assert [row["rows"] for row in own] == [int((common.month == row["month"]).sum()) for row in own]
    march = columns_of(common.take(np.flatnonzero(common.month == "2026-03")))
    assert own[2]["columns"] == ours.half.population.stability(march)


def test_the_score_by_month_is_that_of_the_measured_rows() -> None:
    ours, theirs, _ = train(job(QUICK + "disclosure: {scores: exact}"), dated(BANK), INSURER)
    bank, insurer = by_id(dated(BANK)), by_id(INSURER)
    joint = ours.half.logit(bank) + theirs.half.logit(insurer)
    for row in ours.facts["months"]:
        expected = score_stability(joint[bank.split == "train"], joint[bank.month == row["month"]])
        assert row["score"] == pytest.approx(expected["index"], abs=1e-9)
    assert "months" not in theirs.facts
    half_measured, _, _ = train(
        job(QUICK + "disclosure: {scores: exact, metrics: [train]}"), dated(BANK), INSURER
    )
    told = [row.get("score") for row in half_measured.facts["months"]]
    assert told[:2] == pytest.approx([row["score"] for row in ours.facts["months"]][:2], abs=1e-9)
    assert told[2] is None
    unmeasured, _, _ = train(job(QUICK + "disclosure: {metrics: [test]}"), dated(BANK), INSURER)
    assert all("score" not in row for row in unmeasured.facts["months"])


def test_a_month_of_few_rows_has_no_index_and_trees_have_the_scores() -> None:
    few = replace(dated(BANK), month=np.where(BANK.ids < "c0030", "2025-12", dated(BANK).month))
    grown, _, _ = train(job("model: {kind: trees, n_estimators: 1, max_depth: 2}", OPEN), few, INSURER)
    assert [set(row) for row in grown.facts["months"]] == [{"month", "rows"}] + [
        {"month", "rows", "score"}
    ] * 3


PARTY = """\
vfl: 1
party: insurer
listen: "localhost:3"
data: {table: insurer.csv, month: day}
identity: {certificate: insurer.crt, key: insurer.key}
peers:
  bank: {dial: "localhost:1", certificate: bank.crt}
  trustee: {dial: "localhost:2", certificate: trustee.crt}
"""


def test_a_host_of_trees_is_told_that_it_has_nothing_to_say_by_month(tmp_path: Path) -> None:
    (tmp_path / "insurer.yaml").write_text(PARTY)
    assert Party.load(tmp_path / "insurer.yaml", job()).data.month == "day"
    with pytest.raises(ConfigError, match=r"insurer\.yaml:4: data\.month: a host of trees"):
        Party.load(tmp_path / "insurer.yaml", job("model: {kind: trees}"))


def test_the_report_shows_and_draws_the_months() -> None:
    rows = [
        {"month": "2026-01", "rows": 700, "score": 0.01, "columns": {"income": 0.02, "<b>age": 0.03}},
        {"month": "2026-02", "rows": 800, "score": 0.28, "columns": {"income": 0.31, "<b>age": 0.04}},
        {"month": "2026-03", "rows": 7},
    ]
    page = render(a_run(some_scores()) | {"months": rows}, [], {})
    assert "By month" in page and 'id="months-title"' in page
    assert "score at most 0.2800; column income at most 0.3100" in page
    assert "<b>age" not in page
    assert "By month" not in render(a_run(some_scores()), [], {})
    assert 'id="months-title"' not in render(a_run(some_scores()) | {"months": rows[1:]}, [], {})
