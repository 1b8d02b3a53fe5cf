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
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vfl.errors import DataError
from vfl.table.texts import Ids, Texts, parts_of

ASCII_SPACE = "".join(chr(c) for c in range(128) if chr(c).isspace())
"""What `str.strip` takes away of an ASCII text."""

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

    ids: Ids
    rows: NDArray[np.int64]
    blanks: int
    duplicates: int

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"CleanIds({len(self)} ids, {self.blanks} blank, {self.duplicates} repeated)"


def normalised(ids: Ids, rules: IdRules, source: str) -> CleanIds:
    """Return the ids by these rules, the first of equals kept; None and "" are blank.

    Raises DataError, naming lines of the file `source` but no id, where the rules refuse blanks
    or repetitions.
    """
    hashes, is_blank, changes = _hashed(ids, rules)
    repeated = _repeated(ids, rules, hashes, is_blank)
    blank = np.flatnonzero(is_blank)
    if len(blank) and rules.blanks == "refuse":
        raise _refusal("blanks", "blank", source, [_place(source, row) for row in blank.tolist()])
    if repeated and rules.duplicates == "refuse":
        places = [f"{_place(source, row)} (as {_place(source, before)})" for row, before in repeated.items()]
        raise _refusal("duplicates", "repeated", source, places)
    is_kept = ~is_blank
    is_kept[list(repeated)] = False
    rows = np.flatnonzero(is_kept)
    kept = ids if len(rows) == len(ids) else ids[rows]
    found = Texts.joined(_applied(part, rules) for part in parts_of(kept)) if changes else kept
    return CleanIds(found, rows, len(blank), len(repeated))


def _hashed(ids: Ids, rules: IdRules) -> tuple[NDArray[np.int64], NDArray[np.bool_], bool]:
    """Return a hash of each id as the rules make it, which ids are blank, and whether any is changed."""
    hashes, is_blank = np.empty(len(ids), np.int64), np.empty(len(ids), np.bool_)
    changes, start = False, 0
    for part in parts_of(ids):
        keys = _applied(part, rules)
        hashes[start : start + len(part)] = list(map(hash, keys))
        is_blank[start : start + len(part)] = [key == "" for key in keys]
        changes = changes or keys != part.tolist()
        start += len(part)
    return hashes, is_blank, changes


def _repeated(
    ids: Ids, rules: IdRules, hashes: NDArray[np.int64], is_blank: NDArray[np.bool_]
) -> dict[int, int]:
    """Return rows whose id stands in a row before, and the first that has it."""
    order = np.argsort(hashes)
    ordered = hashes[order]
    equal = np.flatnonzero(ordered[:-1] == ordered[1:])
    alike = np.unique(np.concatenate([order[equal], order[equal + 1]]))  # few differ and have one hash
    alike = alike[~is_blank[alike]]
    first: dict[str, int] = {}
    found = {}
    for row, text in zip(alike.tolist(), ids[alike], strict=True):
        if (before := first.setdefault(rules.apply(text or ""), row)) != row:
            found[row] = before
    return found


def _applied(part: Ids, rules: IdRules) -> list[str]:
    """Return texts as the rules make them, blanks as "": Arrow's where all are ASCII, which it does alike."""
    given = pa.array(part.tolist(), pa.large_string()).fill_null("")
    if not pc.all(pc.string_is_ascii(given), min_count=0).as_py():
        return [rules.apply(text) if text is not None else "" for text in part]
    if rules.case != "keep":
        given = pc.ascii_lower(given) if rules.case == "lower" else pc.ascii_upper(given)
    trimmed = pc.ascii_trim(given, characters=ASCII_SPACE) if rules.strip else given
    applied: list[str] = trimmed.to_pylist()
    return applied


def _refusal(rule: str, adjective: str, source: str, places: list[str]) -> DataError:
    named = ", ".join(places[:NAMED]) + (", ..." if len(places) > NAMED else "")
    number = f"{len(places)} ids are {adjective}" if len(places) > 1 else f"one id is {adjective}"
    hint = f"mend the file, or set `alignment.{rule}: drop` in the contract"
    return DataError(source, f"{number}: {named}", hint)


def _place(source: str, row: int) -> str:
    """Name a row as an editor does: a CSV's first row stands on line 2, below the header."""
    return f"line {row + 2}" if source.lower().endswith(".csv") else f"row {row + 1}"
