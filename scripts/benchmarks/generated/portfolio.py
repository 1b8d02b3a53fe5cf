"""A generated bank and insurer of any size: five numeric columns each, all customers train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parties.demo import portfolio

LEVELS = {"bank": ["employment", "split"], "insurer": ["region", "occupation_class"]}
"""What is left out of the generated tables: the five numbers of each stay."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Common customers, and the gradients after which the fit is broken off, 0 for none."""

    folder: Path
    rows: int
    gradients: int

    @property
    def name(self) -> str:
        """What the job is called."""
        return f"portfolio-{self.rows}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The insurer alone."""
        return ("insurer",)

    @property
    def features(self) -> str:
        """Weights of evidence."""
        return "woe"

    @property
    def alignment(self) -> dict[str, Any]:
        """The ids are clean."""
        return {"strip": True, "case": "keep", "blanks": "refuse", "duplicates": "refuse"}

    @property
    def gates(self) -> list[str]:
        """The customers are drawn for bins of a fifth; tenths may come out small."""
        return ["small_bins"]

    @property
    def model(self) -> dict[str, Any]:
        """The defaults, but for a fit that is broken off."""
        return {"C": 1.0} | ({"max_iter": self.gradients} if self.gradients else {})

    def data(self, party: str) -> dict[str, Any]:
        """Return the party's section `data`."""
        label = {"label": "label"} if party == "bank" else {}
        return {"table": str(self.folder / f"{party}.csv"), "id": "id", "drop": LEVELS[party], **label}

    def write(self) -> None:
        """Write both tables: the common customers and 15 % more in each."""
        portfolio.write(self.folder, self.rows, seed=1)
