"""What job and party files say of features: keys that would not be heeded are refused, with their line."""

from __future__ import annotations

from pathlib import Path

import pytest
from program_runs import job

from parties.config.party import Party
from parties.sources import read_training
from vfl.errors import ConfigError

PARTY = """\
vfl: 1
party: bank
data:
  table: bank.csv
  label: label
  bins:
    %s
identity: {certificate: bank.crt, key: bank.key}
peers:
  insurer: {dial: "localhost:1", certificate: insurer.crt}
  trustee: {dial: "localhost:2", certificate: trustee.crt}
"""
TABLE = "id,label,income,region\na,0,1,x\nb,1,2,y\n"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("features: {trend: descending}", "features.trend: only binning: optimal merges bins"),
        ("features: {max_bins: 4}", "features.max_bins: only binning: optimal merges bins"),
        ("features: {min_share: 0.1}", "features.min_share: only binning: optimal merges bins"),
        (
            "features: {binning: optimal, trend: up}",
            'features.trend: must be auto, ascending, descending or none, is the text "up"',
        ),
        ("features: {kind: standard, binning: width}", "features.binning: kind: standard has no bins"),
        (
            "disclosure: {woe_to_host: false}\nfeatures: {binning: optimal}",
            "disclosure: woe_to_host must be true: a host does features.binning: optimal itself",
        ),
    ],
)
def test_a_job_whose_bins_contradict_it_is_refused(section: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        job(section)
    assert said in str(refusal.value)


def load(said: str, features: str, folder: Path) -> Party:
    path = folder / "bank.yaml"
    path.write_text(PARTY % said, encoding="utf-8")
    return Party.load(path, job(features))


OPTIMAL = "features: {binning: optimal}"


@pytest.mark.parametrize(
    ("said", "features", "complaint"),
    [
        ("income: {cuts: [2, 1]}", OPTIMAL, "data.bins.income.cuts: cuts must increase"),
        ("income: {special: [-1, -1]}", OPTIMAL, "data.bins.income.special: a special code is named twice"),
        ("income: {trend: ascending}", "", "data.bins.income.trend: is for columns that are merged"),
        ("income: {cuts: [1], trend: none}", OPTIMAL, "trend: is for columns that are merged"),
        ("income: {cuts: [1]}", "features: {kind: standard}", "features.kind standard has no bins"),
        ("income: {special: [1]}", "model: {kind: trees}", "trees have bins of their own"),
        ("income: {cut: [1]}", OPTIMAL, "data.bins.income.cut: unknown key"),
    ],
)
def test_wishes_for_a_column_that_would_not_be_heeded_are_refused(
    said: str, features: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(said, features, tmp_path)
    assert complaint in str(refusal.value)
    assert "bank.yaml:7" in str(refusal.value)


@pytest.mark.parametrize(
    ("said", "complaint", "hint"),
    [
        ("incomes: {special: [1]}", "there is no such column among the features", "did you mean income?"),
        ("region: {cuts: [1]}", "the column holds categories, which have no cuts", "remove cuts"),
        ('income: {special: ["n/a"]}', "the column holds numbers, and 'n/a' is a text", "without quotes"),
    ],
)
def test_wishes_that_do_not_fit_the_table_are_refused(
    said: str, complaint: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "bank.csv").write_text(TABLE, encoding="utf-8")
    party = load(said, OPTIMAL, tmp_path)
    assert party.data is not None
    with pytest.raises(ConfigError) as refusal:
        read_training(party.data)
    assert complaint in str(refusal.value)
    assert hint in refusal.value.hint


def test_whole_numbers_stay_whole_so_that_they_can_name_levels(tmp_path: Path) -> None:
    party = load("region: {special: [-1, x]}", OPTIMAL, tmp_path)
    assert party.data is not None
    assert list(map(str, party.data.bins["region"].special)) == ["-1", "x"]
