"""Ids made comparable: the contract's rules, applied alike by every party.

    rule of a text = strip(nfkc(case(nfkc(text))))        each step only if the rules ask for it

NFKC comes first because it turns full-width digits and no-break spaces into plain ones, and again
after the case because a changed case may leave marks that compose.  Unicode promises that the
normal form of an assigned character never changes, so parties with different Python versions agree
on every id but one that holds a character too new for the older of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from vfl.errors import DataError

NAMED = 3
"""How many places a message names before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class IdRules:
    """How ids are compared, and what becomes of blank and repeated ones."""

    strip: bool = True
    case: Literal["keep", "lower", "upper"] = "keep"
    nfkc: bool = True
    blanks: Literal["refuse", "drop"] = "refuse"
    duplicates: Literal["refuse", "drop"] = "refuse"

    def apply(self, text: str) -> str:
        """Return the text by which two ids are compared."""
        if self.nfkc:
            text = normalize("NFKC", text)
        if self.case != "keep":
            text = text.lower() if self.case == "lower" else text.upper()
            text = normalize("NFKC", text) if self.nfkc else text
        return text.strip() if self.strip else text


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CleanIds:
    """Distinct ids, the row of the table each came from, and how many rows were dropped and why."""

    ids: NDArray[np.object_]
    rows: NDArray[np.int64]
    blanks: int
    duplicates: int

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"CleanIds({len(self)} ids, {self.blanks} blank, {self.duplicates} repeated)"


def normalised(ids: NDArray[np.object_], rules: IdRules, source: str) -> CleanIds:
    """Return the ids by these rules, the first of equals kept; None and "" are blank.

    Raises DataError, naming lines of the file `source` but no id, where the rules refuse blanks
    or repetitions.
    """
    first: dict[str, int] = {}
    blank: list[int] = []
    repeated: list[tuple[int, int]] = []
    for row, text in enumerate(ids):
        key = rules.apply(text) if text is not None else ""
        if not key:
            blank.append(row)
        elif (before := first.setdefault(key, row)) != row:
            repeated.append((row, before))
    if blank and rules.blanks == "refuse":
        raise _refusal("blanks", "blank", source, [_place(source, row) for row in blank])
    if repeated and rules.duplicates == "refuse":
        places = [f"{_place(source, row)} (as {_place(source, before)})" for row, before in repeated]
        raise _refusal("duplicates", "repeated", source, places)
    rows = np.fromiter(first.values(), dtype=np.int64, count=len(first))
    kept = np.empty(len(first), dtype=object)
    kept[:] = list(first)
    return CleanIds(kept, rows, len(blank), len(repeated))


def _refusal(rule: str, adjective: str, source: str, places: list[str]) -> DataError:
    named = ", ".join(places[:NAMED]) + (", ..." if len(places) > NAMED else "")
    number = f"{len(places)} ids are {adjective}" if len(places) > 1 else f"one id is {adjective}"
    hint = f"mend the file, or set `alignment.{rule}: drop` in the contract"
    return DataError(source, f"{number}: {named}", hint)


def _place(source: str, row: int) -> str:
    """Name a row as an editor does: a CSV's first row stands on line 2, below the header."""
    return f"line {row + 2}" if source.lower().endswith(".csv") else f"row {row + 1}"
