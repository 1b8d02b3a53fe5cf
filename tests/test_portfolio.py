"""The generated portfolio: overlapping, blank here and there, learnable, and never below the gates."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from parties.demo.portfolio import write
from vfl.stats.binning import fit_bins
from vfl.stats.metrics import evaluate
from vfl.stats.woe import bin_counts, woe

BANK = ["income", "utilisation", "months_on_book", "delinquencies", "loan_amount", "employment"]
INSURER = [
    "claims_3y",
    "premium_late_payments",
    "vehicle_age",
    "years_insured",
    "coverage_ratio",
    "region",
    "occupation_class",
]
TEXTS = {"employment", "region", "occupation_class"}


def read(folder):
    types = {"id": str, **dict.fromkeys(TEXTS, str)}
    return [pd.read_csv(folder / f"{party}.csv", dtype=types) for party in ("bank", "insurer")]


def values(column):
    if column.name in TEXTS:
        return column.astype(object).where(column.notna(), None).to_numpy(object)
    return column.to_numpy(np.float64)


def binned(joined, names, bins):
    """Return each column's codes and the number of its slots, bins fitted on the training rows."""
    train = (joined["split"] == "train").to_numpy()
    for name in names:
        column = values(joined[name])
        binning = fit_bins(column, train, bins)
        yield binning.codes(column), binning.slots


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("portfolio")
    write(folder, 20_000, 3)
    return folder


def test_the_files_have_the_promised_columns_rows_and_overlap(large):
    bank, insurer = read(large)
    assert list(bank.columns) == ["id", "label", "split", *BANK]
    assert list(insurer.columns) == ["id", *INSURER]
    assert len(bank) == len(insurer) == 23_000
    assert bank["id"].is_unique
    assert insurer["id"].is_unique
    assert len(set(bank["id"]) & set(insurer["id"])) == 20_000
    assert set(bank["label"]) == {0, 1}
    assert (bank["split"] == "train").mean() == pytest.approx(0.7, abs=0.01)


def test_ids_are_texts_with_leading_zeros_and_check_characters(large):
    bank, _ = read(large)
    assert bank["id"].str.fullmatch(r"C-\d{7}-[0-9X]").all()
    assert 0.4 < bank["id"].str.startswith("C-0").mean() < 0.6
    assert set(bank["id"].str[-1]) == set("0123456789X")
    for identity in bank["id"].head(50):
        digits = [*map(int, identity[2:9]), 10 if identity[-1] == "X" else int(identity[-1])]
        assert sum(digit * 2 ** (7 - i) for i, digit in enumerate(digits)) % 11 == 1


def test_the_files_are_shuffled_independently(large):
    bank, insurer = read(large)
    place = {identity: i for i, identity in enumerate(bank["id"])}
    rows = [(place[identity], i) for i, identity in enumerate(insurer["id"]) if identity in place]
    assert abs(np.corrcoef(np.array(rows).T)[0, 1]) < 0.03


def test_both_sides_have_blanks_and_about_8_percent_default(large):
    bank, insurer = read(large)
    for table in (bank, insurer):
        shares = table.isna().mean()
        assert shares[shares > 0].between(0.07, 0.1).all()
        assert (shares > 0).sum() >= 2
    assert bank["label"].mean() == pytest.approx(0.08, abs=0.006)


def test_the_partner_adds_what_the_truth_says(large):
    bank, insurer = read(large)
    joined = bank.merge(insurer, on="id")
    truth = json.loads((large / "truth.json").read_text())
    alone, joint = (fitted_auc(joined, names) for names in (BANK, BANK + INSURER))
    assert alone == pytest.approx(0.74, abs=0.02)
    assert joint == pytest.approx(0.80, abs=0.02)
    assert alone < truth["auc"]["bank_only"] < joint < truth["auc"]["joint"]
    assert truth["default_rate"] == pytest.approx(joined["label"].mean())


def fitted_auc(joined, names):
    """Return the test AUC of the WOE model on these columns, whose coefficients all have the right sign."""
    y, train = joined["label"].to_numpy(), (joined["split"] == "train").to_numpy()
    total = y[train].sum(), (1 - y[train]).sum()
    columns = [
        woe(*bin_counts(codes[train], y[train], slots), *total)[codes]
        for codes, slots in binned(joined, names, 10)
    ]
    x = np.column_stack(columns)
    model = LogisticRegression().fit(x[train], y[train])
    assert (model.coef_ > 0).all()
    return evaluate(y[~train], model.predict_proba(x[~train])[:, 1])["auc"]


@pytest.mark.parametrize("seed", [0, 7, 21])
@pytest.mark.parametrize("customers", [1_500, 2_000, 3_000, 8_000, 20_000])
def test_every_bin_of_five_passes_the_gates(tmp_path, customers, seed):
    write(tmp_path, customers, seed)
    bank, insurer = read(tmp_path)
    joined = bank.merge(insurer, on="id")
    train = (joined["split"] == "train").to_numpy()
    y = joined["label"].to_numpy()[train]
    for codes, slots in binned(joined, BANK + INSURER, 5):
        pos, neg = bin_counts(codes[train], y, slots)
        rows = pos + neg
        assert rows[rows > 0].min() >= max(50, 0.01 * len(y))
        assert min(pos[rows > 0].min(), neg[rows > 0].min()) >= 5


def test_the_seed_decides_everything(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(tmp_path / name, 1_500, seed)
    for file in ("bank.csv", "insurer.csv", "truth.json"):
        first, again, other = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == again != other


def test_importing_the_generator_loads_nothing_heavy():
    heavy = "sklearn", "scipy", "pandas", "matplotlib"
    code = f"import sys, parties.demo.portfolio; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
