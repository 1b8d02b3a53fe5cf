"""A generated bank and insurer with common customers, whose true model is known.

`write` makes three files, the rows of each table in an order of its own:

    bank.csv      id, label (1 = defaulted), split (train | test), five numbers, employment
    insurer.csv   id, five numbers, region, occupation_class
    truth.json    the coefficients the labels were drawn from, and the AUC that they reach

A blank cell is a missing value.  `parties.demo.customers` says how the customers are drawn.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.demo.customers import (
    BANK,
    INSURER,
    Columns,
    Customers,
    Floats,
    Level,
    Number,
    bins_hold,
    draw,
    share_below,
)

ALONE_SHARE = 0.15
MOST_DRAWS = 50


def write(folder: Path, customers: int, seed: int) -> None:
    """Write bank.csv, insurer.csv and truth.json: `customers` common ones, 15 % more at each side."""
    rng = np.random.default_rng(seed)
    alone = round(ALONE_SHARE * customers)
    everyone = _acceptable(rng, customers, alone)
    ids = _ids(rng, customers + 2 * alone)
    overlap = np.arange(customers)
    bank = np.concatenate([overlap, np.arange(customers, customers + alone)])
    insurer = np.concatenate([overlap, np.arange(customers + alone, customers + 2 * alone)])
    folder.mkdir(parents=True, exist_ok=True)
    split = np.where(everyone.train, "train", "test")
    own = {"label": everyone.label, "split": split}
    _write_csv(folder / "bank.csv", ids, rng.permutation(bank), own | _part(everyone, BANK))
    _write_csv(folder / "insurer.csv", ids, rng.permutation(insurer), _part(everyone, INSURER))
    truth = _truth(everyone, overlap) | {"seed": seed, "bank_rows": len(bank), "insurer_rows": len(insurer)}
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


def _acceptable(rng: np.random.Generator, customers: int, alone: int) -> Customers:
    """Draw until every bin of the common training rows is large enough, or draws run out."""
    for _ in range(MOST_DRAWS):
        everyone = draw(rng, customers + 2 * alone)
        if bins_hold(everyone, np.arange(customers)):
            break
    return everyone


def _ids(rng: np.random.Generator, n: int) -> list[str]:
    """Return distinct ids like C-0012345-X: seven digits and the ISO 7064 MOD 11-2 check character."""
    numbers = rng.choice(max(2_000_000, 4 * n), n, replace=False)
    return [f"C-{number:07d}-{_check_character(number)}" for number in numbers.tolist()]


def _check_character(number: int) -> str:
    total = 0
    for digit in f"{number:07d}":
        total = (total + int(digit)) * 2 % 11
    return "0123456789X"[(12 - total) % 11]


def _part(everyone: Customers, columns: Columns) -> dict[str, NDArray[Any]]:
    return {name: _texts(everyone.columns[name], column) for name, column in columns.items()}


def _texts(values: NDArray[Any], column: Number | Level) -> NDArray[Any]:
    if isinstance(column, Level):
        texts = [v or "" for v in values.tolist()]
    else:
        texts = [f"{v:.{column.decimals}f}" if v == v else "" for v in values.tolist()]
    return np.array(texts, object)


def _write_csv(
    path: Path, ids: Sequence[str], rows: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> None:
    cells = [column[rows].tolist() for column in columns.values()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *columns])
        writer.writerows(zip([ids[i] for i in rows.tolist()], *cells, strict=True))


def _truth(everyone: Customers, overlap: NDArray[np.int64]) -> dict[str, Any]:
    y, bank = everyone.label[overlap], everyone.bank_logit[overlap]
    return {
        "customers": len(overlap),
        "default_rate": float(y.mean()),
        "intercept": everyone.intercept,
        "coefficients": {"bank": _effects(BANK), "insurer": _effects(INSURER)},
        "auc": {"bank_only": _auc(y, bank), "joint": _auc(y, bank + everyone.insurer_logit[overlap])},
    }


def _effects(columns: Columns) -> dict[str, Any]:
    return {
        name: column.coefficient
        if isinstance(column, Number)
        else {level: effect for level, (_, effect) in column.levels.items()}
        for name, column in columns.items()
    }


def _auc(y: NDArray[np.int64], logit: Floats) -> float:
    """Return the Mann-Whitney AUC; logits of continuous columns have no ties that matter."""
    ranks = share_below(logit) * len(y) + 0.5
    events = int(y.sum())
    return float((ranks[y == 1].sum() - events * (events + 1) / 2) / (events * (len(y) - events)))
