"""A generated bank and insurer of any size, written part by part: as many columns each as are asked for.

Columns are of four kinds in turn: a number, an amount of which one in twenty is blank, a count, a
category.  What stands behind them is correlated by four common factors; half of each party's columns
have an effect of 0.1 to 0.4 on the log-odds.  Every customer is in both tables with probability 0.7,
and else in one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vfl.linear.sigmoid import sigmoid

Matrix = NDArray[np.float64]

PARTIES = ("bank", "insurer")
COMMON, TRAIN, FACTORS = 0.7, 0.75, 4
PART = 100_000
"""Customers that are drawn at once."""

LEVELS = np.array(list("ABCDEF"))
CUTS = (-1.2, -0.5, 0.0, 0.6, 1.4)


@dataclass(frozen=True, slots=True)
class Book:
    """A folder with bank.parquet and insurer.parquet, and maybe one with batches to score."""

    folder: Path
    batches: Path | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """The insurer alone."""
        return ("insurer",)

    @property
    def institutions(self) -> tuple[str, ...]:
        """Both, the guest first."""
        return PARTIES

    @property
    def alignment(self) -> dict[str, Any]:
        """The ids are clean."""
        return {"strip": True, "case": "keep", "blanks": "refuse", "duplicates": "refuse"}

    @property
    def features(self) -> str:
        """Weights of evidence."""
        return "woe"

    def data(self, party: str) -> dict[str, Any]:
        """Return the party's section `data`."""
        table = (self.folder / f"{party}.parquet").resolve()
        own: dict[str, Any] = {"label": "label", "split": "split"} if party == "bank" else {}
        if "apply_month" in pq.read_schema(table).names:
            own["drop"] = ["apply_month"]
        if self.batches:
            own["score"] = str((self.batches / f"{party}.parquet").resolve())
        return {"table": str(table), "id": "id", **own}


@dataclass(frozen=True, slots=True)
class Law:
    """How customers are drawn: loadings (factors, 2 d), effects (2 d) and the base of the log-odds."""

    loadings: Matrix
    effects: Matrix
    base: float = -3.0

    @classmethod
    def of(cls, columns: int) -> Law:
        """Draw the law of two tables of so many columns."""
        rng = np.random.default_rng(columns)
        effects = rng.choice([-1.0, 1.0], 2 * columns) * rng.uniform(0.1, 0.4, 2 * columns)
        return cls(rng.normal(0, 0.4, (FACTORS, 2 * columns)), effects * (rng.random(2 * columns) < 0.5))

    def latent(self, rng: np.random.Generator, n: int) -> Matrix:
        """Return what stands behind the columns of n customers."""
        noise = rng.normal(size=(n, len(self.effects)))
        return np.asarray(rng.normal(size=(n, FACTORS)) @ self.loadings + noise, np.float64)


@dataclass
class _Sheet:
    """One party's file while it is written."""

    path: Path
    writer: pq.ParquetWriter | None = field(default=None)

    def add(self, columns: dict[str, Any]) -> None:
        part = pa.table(columns)
        self.writer = self.writer or pq.ParquetWriter(self.path, part.schema)
        self.writer.write_table(part)

    def close(self) -> None:
        if self.writer:
            self.writer.close()


def write(folder: Path, customers: int, columns: int = 20, seed: int = 1) -> None:
    """Write both tables: ids, the bank's label and split, and each party's columns."""
    folder.mkdir(parents=True, exist_ok=True)
    law, sheets = Law.of(columns), [_Sheet(folder / f"{name}.parquet") for name in PARTIES]
    for start in range(0, customers, PART):
        rng = np.random.default_rng([seed, start])
        n = min(PART, customers - start)
        latent = law.latent(rng, n)
        where = rng.random(n)
        told = {
            "label": (rng.random(n) < sigmoid(law.base + latent @ law.effects)).astype(np.int8),
            "split": np.where(rng.random(n) < TRAIN, "train", "test").astype(object),
        }
        ids = _ids(np.arange(start, start + n))
        for k, sheet in enumerate(sheets):
            alone = where - COMMON - k * (1 - COMMON) / 2
            held = rng.permutation(
                np.flatnonzero((where < COMMON) | ((alone >= 0) & (alone < (1 - COMMON) / 2)))
            )
            cells = _cells(rng, PARTIES[k], latent[held, k * columns : (k + 1) * columns])
            own = {} if k else {name: values[held] for name, values in told.items()}
            sheet.add({"id": ids[held]} | own | cells)
    for sheet in sheets:
        sheet.close()


def _ids(numbers: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return distinct texts of eleven digits, in an order that tells nothing."""
    return np.array([f"10{n:09d}" for n in (numbers * 616_318_177 % 10**9).tolist()], object)


def _cells(rng: np.random.Generator, party: str, latent: Matrix) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for j, z in enumerate(latent.T):
        match j % 4:
            case 0:
                cells[f"{party}_{j:02d}_number"] = z.round(4)
            case 1:
                amount = np.exp(7 + 0.8 * z).round(2)
                cells[f"{party}_{j:02d}_amount"] = pa.array(amount, mask=rng.random(len(z)) < 0.05)
            case 2:
                cells[f"{party}_{j:02d}_count"] = np.floor(np.exp(0.7 * z + 0.6)).astype(np.int32)
            case _:
                cells[f"{party}_{j:02d}_category"] = pa.array(LEVELS[np.digitize(z, CUTS)])
    return cells
