"""Arrow columns as numbers, categories, ids and labels.

A cell that holds nothing but white space is blank.  A number is what Arrow parses as a finite
double once white space around it is gone: `12`, `-.5`, `+1e3`; not `nan`, `inf`, `0x1f` or `1,5`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vfl.table.table import Categorical, Column, Numeric
from vfl.table.texts import PART, Texts

MOSTLY = 0.9
"""Share of numbers above which a column with other texts is a damaged numeric one."""

MARKS = ("na", "n/a", "nan", "null", "none", "nil", "?", "-", ".")
"""Texts by which programs write "missing"; among numbers they are never categories."""

_BLANK = pa.nulls(1, pa.string())[0]  # pa.scalar loads pandas, a tenth of a second
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_GROUPED = r"^[+-]?([0-9]+|[0-9]{1,3}([.,][0-9]{3})+)([.,][0-9]+)?$"
_ROUNDED = r"^[0-9](\.[0-9]+)?[eE]\+[0-9]{2}$"


CellKind = Literal["id", "text", "number", "category", "date"]
"""What a column may be declared to hold.  Ids and free texts are no features."""

_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+)?$"
_MONTH = r"^[0-9]{4}-[0-9]{2}$"


class CellError(ValueError):
    """A cell that its column cannot hold; `row` counts from 0, None stands for the whole column."""

    def __init__(self, row: int | None, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.row = row
        self.what = what
        self.hint = hint


def feature(cells: Any, kind: CellKind | None = None) -> Column:
    """Return a feature of the kind that was declared, or else numeric if its cells are."""
    if kind == "category":
        return Categorical(_shared(_texts(cells)))
    if kind == "number":
        return Numeric(_numbers(cells))
    if kind == "date":
        return Numeric(_days(cells))
    if _is_number(cells.type) or pa.types.is_null(cells.type):
        return Numeric(_finite(cells, _doubles(cells)))
    texts = _texts(cells)
    if not _is_text(cells.type):
        return Categorical(_shared(texts))
    trimmed = pc.utf8_trim_whitespace(texts)
    try:
        return Numeric(_finite(trimmed, _doubles(trimmed)))
    except pa.ArrowInvalid:
        _refuse_damaged_numbers(trimmed)
        return Categorical(_shared(texts))


def ids(cells: Any) -> Texts:
    """Return ids as texts, blanks as None; integers become their decimal digits."""
    if pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type):
        raise CellError(None, "ids are fractional numbers: digits may be lost", "store ids as text")
    parts = []
    for start in range(0, len(cells), PART):
        texts = _texts(cells.slice(start, PART))
        rounded = pc.match_substring_regex(texts, _ROUNDED)
        if pc.any(rounded).as_py():
            what = "an id that a spreadsheet has rounded"
            raise CellError(start + _index(rounded), what, "export ids as text")
        parts.append(texts.cast(pa.large_string()))
    return Texts(pa.chunked_array(parts, pa.large_string()))


def label(cells: Any) -> NDArray[np.int8]:
    """Return a 0/1 label."""
    digits = cells.cast(pa.int8()) if pa.types.is_boolean(cells.type) else cells
    texts = pc.utf8_trim_whitespace(_texts(digits))
    values = _doubles(pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, _BLANK))
    bad = ~np.isin(values, (0.0, 1.0))
    if bad.any():
        value = _first(texts, pa.array(bad))
        what = f"label is {'blank' if value is None else repr(value)}, not 0 or 1"
        raise CellError(int(bad.argmax()), f"{what} ({_such(bad, 'row')})", "1 is the event, 0 the rest")
    return values.astype(np.int8)


def weight(cells: Any) -> NDArray[np.float64]:
    """Return what rows count: finite numbers from 0, of which one at least is above 0."""
    values = _told("weight", cells, "from 0", "0 leaves a row out of every sum", lambda v: v >= 0)
    if not values.any():
        raise CellError(None, "every weight is 0", "give the rows that count a weight above 0")
    return values


def outcome(cells: Any) -> NDArray[np.float64]:
    """Return amounts or counts: finite numbers."""
    return _told("outcome", cells, "", "leave rows without an outcome out of the table")


def offset(cells: Any) -> NDArray[np.float64]:
    """Return what is known of a linear predictor: finite numbers."""
    return _told("offset", cells, "", "0 says that nothing is known")


def exposure(cells: Any) -> NDArray[np.float64]:
    """Return the time or size that counts come of: finite numbers above 0."""
    return _told(
        "exposure", cells, "above 0", "leave rows without exposure out of the table", lambda v: v > 0
    )


def _told(
    name: str,
    cells: Any,
    bound: str,
    hint: str,
    fits: Callable[[NDArray[np.float64]], NDArray[np.bool_]] = lambda v: np.isfinite(v),
) -> NDArray[np.float64]:
    texts = pc.utf8_trim_whitespace(_texts(cells))
    numbers = pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, _BLANK)
    values = _doubles(cells if _is_number(cells.type) else numbers)
    bad = ~(np.isfinite(values) & fits(values))
    if bad.any():
        value = _first(texts, pa.array(bad))
        wanted = f"a finite number {bound}".rstrip()
        what = f"{name} is {'blank' if value is None else repr(value)}, not {wanted}"
        raise CellError(int(bad.argmax()), f"{what} ({_such(bad, 'row')})", hint)
    return values


def texts_or_blank(cells: Any) -> NDArray[np.object_]:
    """Return texts; a blank reads "(blank)"."""
    return _shared(pc.fill_null(_texts(cells), "(blank)"))


def months(cells: Any) -> NDArray[np.object_]:
    """Return the months of dates as 2027-06, blanks as None; a month alone will do for a date."""
    if not pa.types.is_temporal(cells.type):
        texts = pc.utf8_trim_whitespace(_texts(cells))
        cells = pa.chunked_array(
            [
                pc.if_else(
                    pc.match_substring_regex(texts, _MONTH),
                    pc.binary_join_element_wise(texts, "01", "-"),
                    texts,
                )
            ]
        )
    days = _days(cells)
    blank = np.isnan(days)
    found = np.where(blank, 0, days).astype("datetime64[D]").astype("datetime64[M]").astype(str)
    return _shared(pa.array(found.tolist(), pa.string(), mask=blank))


def texts_without_blanks(cells: Any) -> NDArray[np.object_]:
    """Return texts; a blank is an error."""
    values = _texts(cells)
    blank = pc.is_null(values)
    if pc.any(blank).as_py():
        raise CellError(_index(blank), f"blank ({_such(blank, 'row')})", "fill every row")
    return _shared(values)


def _numbers(cells: Any) -> NDArray[np.float64]:
    """Return doubles, blanks as NaN; any other cell is an error."""
    if _is_number(cells.type):
        return _finite(cells, _doubles(cells))
    texts = pc.utf8_trim_whitespace(_texts(cells))
    wrong = pc.fill_null(pc.invert(pc.match_substring_regex(texts, _NUMBER)), False)
    if pc.any(wrong).as_py():
        what = f"{_first(texts, wrong)!r} is not a number ({_such(wrong, 'cell')})"
        raise CellError(_index(wrong), what, "correct the cell or leave it blank; see `types`")
    return _finite(texts, _doubles(texts))


def _days(cells: Any) -> NDArray[np.float64]:
    """Return the days since 1970-01-01 of dates and times, blanks as NaN."""
    dates = cells.combine_chunks()
    if not pa.types.is_temporal(cells.type):
        dates = pc.utf8_trim_whitespace(_texts(cells))
        wrong = pc.fill_null(pc.invert(pc.match_substring_regex(dates, _DATE)), False)
        if pc.any(wrong).as_py():
            what = f"{_first(dates, wrong)!r} is no date ({_such(wrong, 'cell')})"
            raise CellError(_index(wrong), what, "write 2027-06-30, or leave the cell blank; see `types`")
        dates = pc.utf8_slice_codeunits(dates, 0, 10)
    try:
        days = dates.cast(pa.date32(), safe=False).cast(pa.int32())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CellError(None, f"cells are no dates: {str(error).splitlines()[0]}", "see `types`") from None
    return _doubles(days)


def _is_text(kind: Any) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _texts(cells: Any) -> Any:
    """Return one array of texts: blanks null, whole doubles without their point."""
    column = cells.combine_chunks()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), _BLANK.cast(column.type), column)
    try:
        texts = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise CellError(None, f"cells of type {column.type} are not text", "store them as text") from None
    empty = pc.equal(pc.utf8_trim_whitespace(texts), "")
    return pc.if_else(empty, _BLANK, texts)


def _doubles(cells: Any) -> NDArray[np.float64]:
    """Return doubles, blanks as NaN; raise ArrowInvalid on a text that is no number."""
    doubles = cells.cast(pa.float64(), safe=False)
    values: NDArray[np.float64] = doubles.to_numpy(zero_copy_only=False).astype(np.float64)
    if _is_text(cells.type) and np.isnan(values).sum() > doubles.null_count:
        raise pa.ArrowInvalid("the text nan")
    return values


def _finite(cells: Any, values: NDArray[np.float64]) -> NDArray[np.float64]:
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        what = f"{cells[row].as_py()!r} is not a finite number ({_such(infinite, 'cell')})"
        raise CellError(row, what, "leave the cell blank")
    return values


def _refuse_damaged_numbers(texts: Any) -> None:
    """Refuse texts that are numbers but for a few cells, marks of missing values, or commas and points."""
    other = pc.fill_null(pc.invert(pc.match_substring_regex(texts, _NUMBER)), False)
    if pc.all(pc.match_substring_regex(texts.filter(other), _GROUPED)).as_py():
        what = f"{_first(texts, other)!r} is not a number ({_such(other, 'cell')})"
        hint = "write it as 1234.5, without commas; if texts are meant, add the column to `categorical`"
        raise CellError(_index(other), what, hint)
    others, filled = pc.sum(other).as_py(), len(texts) - texts.null_count
    marks = pc.all(pc.is_in(pc.utf8_lower(texts.filter(other)), pa.array(MARKS))).as_py()
    if filled - others >= MOSTLY * filled or (marks and others < filled):
        what = f"{_first(texts, other)!r} is not a number ({_such(other, 'cell')} among {filled})"
        hint = "correct the cell or leave it blank; if texts are meant, add the column to `categorical`"
        raise CellError(_index(other), what, hint)


def _index(mask: Any) -> int:
    return int(pc.index(mask, True).as_py())


def _such(mask: Any, noun: str) -> str:
    """Say how many rows or cells are meant."""
    number = int(np.count_nonzero(mask))
    return f"{number} such {noun}{'s' if number > 1 else ''}"


def _first(cells: Any, mask: Any) -> Any:
    return cells[_index(mask)].as_py()


def _shared(texts: Any) -> NDArray[np.object_]:
    """Return texts of which equal ones are one object: eight bytes a row."""
    coded = texts.dictionary_encode()
    levels = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    codes = coded.indices.fill_null(len(levels) - 1).to_numpy(zero_copy_only=False)
    values: NDArray[np.object_] = levels[codes]
    return values
