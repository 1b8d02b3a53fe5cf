"""Ids made comparable: the contract's rules, applied alike by every party.

    rule of a text = strip(nfkc(case(nfkc(text))))        each step only if the rules ask for it

NFKC comes first because it turns full-width digits and no-break spaces into plain ones, and again
after the case because a changed case may leave marks that compose.  Unicode promises that the
normal form of an assigned character never changes, so parties with different Python versions agree
on every id but one that holds a character too new for the older of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vfl.errors import DataError
from vfl.table.table import PART, Texts, parts_of, texts

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

    ids: Texts
    rows: NDArray[np.int64]
    blanks: int
    duplicates: int

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"CleanIds({len(self)} ids, {self.blanks} blank, {self.duplicates} repeated)"


def normalised(ids: Texts, rules: IdRules, source: str) -> CleanIds:
    """Return the ids by these rules, the first of equals kept; None and "" are blank.

    Raises DataError, naming lines of the file `source` but no id, where the rules refuse blanks
    or repetitions.
    """
    keys = pa.chunked_array([_applied(part, rules) for part in parts_of(ids)], pa.large_string())
    first, codes = _first_seen(keys)
    is_blank = pc.equal(keys, "").to_numpy()
    blank = np.flatnonzero(is_blank)
    if len(blank) and rules.blanks == "refuse":
        raise _refusal("blanks", "blank", source, [_place(source, row) for row in blank.tolist()])
    is_first = np.zeros(len(ids), np.bool_)
    is_first[first] = True
    repeated = np.flatnonzero(~is_first & ~is_blank)
    if len(repeated) and rules.duplicates == "refuse":
        places = [
            f"{_place(source, row)} (as {_place(source, int(first[codes[row]]))})"
            for row in repeated.tolist()
        ]
        raise _refusal("duplicates", "repeated", source, places)
    rows = np.flatnonzero(is_first & ~is_blank)
    kept = keys if len(rows) == len(ids) else keys.take(pa.array(rows))
    pieces = (chunk.slice(start, PART) for chunk in kept.chunks for start in range(0, len(chunk), PART))
    found = texts((piece.to_numpy(zero_copy_only=False) for piece in pieces), len(rows))
    return CleanIds(found, rows, len(blank), len(repeated))


def _applied(part: Texts, rules: IdRules) -> Any:
    """Return texts as the rules make them, blanks as "": Arrow's where all are ASCII, which it does alike."""
    given = pa.array(list(part), pa.large_string()).fill_null("")
    if not pc.all(pc.string_is_ascii(given), min_count=0).as_py():
        return pa.array([rules.apply(text) if text is not None else "" for text in part], pa.large_string())
    if rules.case != "keep":
        given = pc.ascii_lower(given) if rules.case == "lower" else pc.ascii_upper(given)
    return pc.ascii_trim(given, characters=ASCII_SPACE) if rules.strip else given


def _first_seen(keys: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row of each distinct text, in ascending order, and each row's place among them."""
    coded = keys.dictionary_encode()
    codes = np.concatenate([np.empty(0, np.int32), *(chunk.indices.to_numpy() for chunk in coded.chunks)])
    most = np.maximum.accumulate(codes) if len(codes) else codes
    is_first = np.diff(most, prepend=-1) > 0  # Arrow numbers texts in the order in which it meets them
    return np.flatnonzero(is_first), codes


def _refusal(rule: str, adjective: str, source: str, places: list[str]) -> DataError:
    named = ", ".join(places[:NAMED]) + (", ..." if len(places) > NAMED else "")
    number = f"{len(places)} ids are {adjective}" if len(places) > 1 else f"one id is {adjective}"
    hint = f"mend the file, or set `alignment.{rule}: drop` in the contract"
    return DataError(source, f"{number}: {named}", hint)


def _place(source: str, row: int) -> str:
    """Name a row as an editor does: a CSV's first row stands on line 2, below the header."""
    return f"line {row + 2}" if source.lower().endswith(".csv") else f"row {row + 1}"
