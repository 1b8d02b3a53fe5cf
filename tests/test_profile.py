"""A profile says what a run would say later, of the own rows alone and with the own names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from program_runs import BANK, INSURER, changed, job, party
from typer.testing import CliRunner

from parties.cli.application import application
from parties.config.data import Data
from parties.config.job import Job
from parties.config.party import Link
from parties.profiling import profile as profiling
from parties.profiling.profile import profile, suspected
from vfl.table.table import Numeric, Table

STANDARD = "features: {kind: standard}"
WIDE = np.where(np.arange(420) % 17 == 0, 9.0, 1.0)


def profiled(monkeypatch: pytest.MonkeyPatch, table: Table, agreed: Job, name: str) -> dict[str, Any]:
    """Return the profile of a table that stands where the party's file points."""
    monkeypatch.setattr(profiling, "read_training", lambda _: table)
    return profile(agreed, party(name))


@pytest.mark.parametrize(("name", "table"), [("bank", BANK), ("insurer", INSURER)])
def test_rows_that_breach_nothing_are_refused_by_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, table: Table
) -> None:
    found = profiled(monkeypatch, table, job("features: {bins: 3}"), name)
    assert (found["refuses"], found["rows"]) == ([], len(table))
    assert [column["name"] for column in found["columns"]] == list(table.columns)
    assert all(column["smallest_bin"] >= 50 for column in found["columns"])


def test_every_gate_that_would_refuse_is_named_with_the_column(monkeypatch: pytest.MonkeyPatch) -> None:
    rare = changed(INSURER, "claims", WIDE)
    (binned,) = profiled(monkeypatch, rare, job("features: {bins: 3}"), "insurer")["refuses"]
    assert binned.startswith("small_bins: column 1 (claims): a bin holds ")
    (shared,) = profiled(monkeypatch, rare, job(STANDARD), "insurer")["refuses"]
    assert shared.startswith("rare_values: column 1 (claims): a value that fewer than 50")
    opened = profiled(monkeypatch, rare, job(STANDARD, ["rare_values"]), "insurer")
    assert (opened["refuses"], opened["allowed"]) == ([], [shared])
    few = replace(rare, columns={name: rare.columns[name] for name in ("premium", "region")})
    (columns,) = profiled(monkeypatch, few, job(STANDARD), "insurer")["refuses"]
    assert columns == "few_host_columns: columns: 2 take part"
    bads = replace(BANK, label=np.array([k < 12 for k in range(len(BANK))], np.int8))
    (events,) = profiled(monkeypatch, bads, job(STANDARD), "bank")["refuses"]
    assert events.startswith("few_events: labels")


def test_what_partners_would_learn_follows_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def sent(more: str, name: str = "insurer") -> set[str]:
        found = profiled(monkeypatch, INSURER if name == "insurer" else BANK, job(more), name)
        return {message["message"] for message in found["sends"]}

    plain = sent(STANDARD)
    assert {"ListSize", "Opening", "LogitRange", "LogitPoints"} <= plain
    assert not {"BinnedLabels", "ColumnNames", "ExactLogits", "Coefficients"} & plain
    assert sent(f"{STANDARD}\ndisclosure: {{host_columns: named, scores: exact}}") - plain == {
        "ColumnNames",
        "ExactLogits",
    }
    assert "BinEvents" in sent("features: {bins: 3}", "bank")
    hidden = "features: {bins: 3}\ndisclosure: {woe_to_host: false}"
    assert "BinEvents" not in sent(hidden, "bank")
    trees = sent("model: {kind: trees, n_estimators: 1, max_depth: 2}")
    assert "Sides" in trees
    assert "LogitRange" not in trees


@pytest.mark.parametrize(
    ("values", "declared", "codes"),
    [
        ([*range(20, 60), -9, -9, 999, 999], (), [-9.0, 999.0]),
        ([*range(20, 60), -9, -9, 999, 999], (999.0,), [-9.0]),
        ([*range(100), 99, 99], (), []),
        ([*range(-30, 30), -9, -9, -9], (), []),
    ],
)
def test_codes_for_missing_values_are_suspected(
    values: list[float], declared: tuple[float, ...], codes: list[float]
) -> None:
    numbers = np.array(values, np.float64)
    ids = np.array([str(k) for k in range(len(numbers))], object)
    table = Table(ids, {"x": Numeric(numbers)}, None, None, "t")
    assert suspected(table, "x", declared) == codes


def test_the_command_is_readable_at_80_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": INSURER.ids} | {n: c.values for n, c in INSURER.columns.items()})
    frame.rename(columns={"claims": "claims " * 9}).to_csv(tmp_path / "insurer.csv", index=False)
    job("features: {bins: 3}").dump(tmp_path / "job.yaml")
    own = party("insurer").model_copy(
        update={
            "data": Data(table=tmp_path / "insurer.csv"),
            "listen": "127.0.0.1:1",
            "peers": {n: Link(certificate=tmp_path / "x") for n in ("bank", "trustee")},
        }
    )
    own.dump(tmp_path / "insurer.yaml")
    arguments = ["profile", str(tmp_path / "job.yaml"), "--party", str(tmp_path / "insurer.yaml")]
    shown = CliRunner().invoke(application, arguments)
    assert shown.exit_code == 0, shown.exception
    assert max(map(len, shown.output.splitlines())) <= 80
    assert "no gate refuses these rows" in shown.output
