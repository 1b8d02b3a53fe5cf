"""Tables from files and queries, and scores to files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from vfl.errors import ConfigError, DataError
from vfl.table import cells
from vfl.table.cells import CellError, CellKind
from vfl.table.files import TableFile, open_table
from vfl.table.table import Column, Table

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

NOTHING_DECLARED: Mapping[str, CellKind] = MappingProxyType({})


def read_table(
    source: str | Path | TableFile,
    *,
    id: str,
    label: str | None = None,
    split: str | None = None,
    weight: str | None = None,
    segment: str | None = None,
    month: str | None = None,
    outcome: str | None = None,
    offset: str | None = None,
    exposure: str | None = None,
    columns: Sequence[str] | None = None,
    categorical: Iterable[str] = (),
    drop: Iterable[str] = (),
    types: Mapping[str, CellKind] = NOTHING_DECLARED,
) -> Table:
    """Read a CSV or Parquet table, or a query's: `id`, maybe what only a guest has, and features.

    Features are `columns`, or else all that is not named otherwise nor in `drop` nor declared an id
    or a text.  One whose cells are no numbers is categorical by itself, one in `categorical` always;
    what `types` declares wins.  Raises ConfigError if the names contradict each other or the file is
    of no known kind, DataError, with the line, otherwise.
    """
    file = open_table(Path(source)) if isinstance(source, str | Path) else source
    roles = {"id": id, "label": label, "split": split, "weight": weight, "segment": segment}
    roles |= {"month": month, "outcome": outcome, "offset": offset, "exposure": exposure}
    drop = set(drop)
    for name in (*roles.values(), *(columns or ()), *sorted({*categorical, *drop, *types})):
        if name is not None and name not in file.names:
            raise DataError(file.source, f"has no column {name!r}", _nearest(name, file.names))
    kinds = _declared(file, roles, categorical, types)
    drop |= {name for name, kind in kinds.items() if kind in ("id", "text") and name != id}
    features = _features(file, roles, columns, drop)
    raw = file.cells([name for name in roles.values() if name is not None] + features)

    def convert(name: str, convertor: Callable[[Any], T]) -> T:
        return _converted(file, name, convertor, raw.pop(name))

    ids = convert(id, cells.ids)
    if len(ids) == 0:
        raise DataError(file.source, "has no rows", "the header must be followed by data")
    known = None if offset is None else convert(offset, cells.offset)
    if exposure is not None:
        known = np.log(convert(exposure, cells.exposure))
    table = Table(
        ids=ids,
        label=None if label is None else convert(label, cells.label),
        split=None if split is None else convert(split, cells.texts_without_blanks),
        weight=None if weight is None else convert(weight, cells.weight),
        segment=None if segment is None else convert(segment, cells.texts_or_blank),
        month=None if month is None else convert(month, cells.months),
        outcome=None if outcome is None else convert(outcome, cells.outcome),
        offset=known,
        columns={name: convert(name, _as_feature(kinds.get(name))) for name in features},
        source=file.source,
    )
    raw.clear()
    pa.default_memory_pool().release_unused()
    return table


def check_columns(table: Table, *, constant: bool = True) -> None:
    """Refuse columns that carry nothing: blank in every row or, if asked, the same value in every row.

    A batch to be scored may well hold one value only: check it with `constant=False`.
    """
    empty = [name for name, column in table.columns.items() if column.blank.all()]
    _refuse(table, empty, "blank in every row")
    if constant:
        _refuse(table, [n for n, c in table.columns.items() if _is_constant(c)], "the same in every row")


def check_destination(path: Path) -> None:
    """Raise ConfigError where `write_frames` could not begin: asked before what it writes is made."""
    _check_kind(path)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def _check_kind(path: Path) -> None:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ConfigError(str(path), f"unknown kind of table {path.suffix!r}", "use .csv or .parquet")


def _unwritable(path: Path, error: OSError) -> ConfigError:
    hint = "make room, or name a file in a folder that is there and can be written to"
    return ConfigError(str(path), f"cannot be written: {error.strerror}", hint)


def write_scores(path: str | Path, frame: pd.DataFrame) -> None:
    """Write scores as CSV or Parquet, whole or not at all; the first column holds ids, as text."""
    write_frames(path, [frame])


def write_frames(path: str | Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write tables with the same columns into one CSV or Parquet, whole or not at all.

    The first column holds ids, as text.  The file is readable by its owner only, and written beside its
    place before it is moved there.
    """
    path = Path(path)
    _check_kind(path)
    texts = (frame.astype({frame.columns[0]: str}) for frame in frames)
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as out:
            if path.suffix.lower() == ".csv":
                for number, frame in enumerate(texts):
                    frame.to_csv(out, index=False, header=not number)
            else:
                _write_parquet(out, texts)
            out.flush()
            os.fsync(out.fileno())
        Path(part).replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        Path(part).unlink(missing_ok=True)


def _write_parquet(out: BinaryIO, frames: Iterable[pd.DataFrame]) -> None:
    """Write one row group a table; a column of objects holds texts, even where the first table has none."""
    writer = None
    try:
        for frame in frames:
            found = pa.Schema.from_pandas(frame, preserve_index=False)
            kinds = [pa.field(f.name, pa.string() if pa.types.is_null(f.type) else f.type) for f in found]
            schema = writer.schema if writer else pa.schema(kinds, found.metadata)
            writer = writer or pyarrow.parquet.ParquetWriter(out, schema)
            writer.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False))
    finally:
        if writer:
            writer.close()


def _features(
    file: TableFile, roles: dict[str, str | None], columns: Sequence[str] | None, drop: set[str]
) -> list[str]:
    """Return the names of the features, in the order asked for or else of the file."""
    where, taken = file.source, [name for name in roles.values() if name is not None]
    named = list(columns or ())
    for name in {*taken, *named}:
        uses = [*taken, *named, *drop].count(name)
        if uses > 1:
            hint = "name each column once: id, label and what else is told of rows, columns, and drop"
            raise ConfigError(where, f"column {name!r} is named {uses} times", hint)
    features = [n for n in file.names if n not in {*taken, *drop}] if columns is None else named
    if not features:
        raise DataError(where, "has no feature columns", "beside ids and labels a table needs features")
    if "" in features:
        hint = "name it in the header, or `drop` the column ''"
        raise DataError(where, f"column {file.names.index('') + 1} has no name", hint)
    return features


def _declared(
    file: TableFile, roles: dict[str, str | None], categorical: Iterable[str], types: Mapping[str, CellKind]
) -> dict[str, CellKind]:
    """Return what columns are declared to hold; refuse two declarations that contradict each other."""
    kinds: dict[str, CellKind] = dict.fromkeys(categorical, "category")
    for name, kind in types.items():
        what = ""
        if kinds.setdefault(name, kind) != kind:
            what = f"column {name!r} is declared {kind} and stands in `categorical`"
        for role, taken in roles.items():
            fits = (role == "id" and kind in ("id", "text")) or (role == "month" and kind == "date")
            if name == taken and not fits:
                what = f"column {name!r} is the {role}, and is declared {kind}"
        if what:
            raise ConfigError(file.source, what, "see data.types in the party's file")
    return kinds


def _as_feature(kind: CellKind | None) -> Callable[[Any], Column]:
    return lambda column: cells.feature(column, kind)


def _converted(file: TableFile, name: str, convertor: Callable[[Any], T], column: Any) -> T:
    try:
        return convertor(column)
    except CellError as bad:
        place = file.source if bad.row is None else file.place(bad.row)
        raise DataError(f"{place}: {name}", bad.what, bad.hint) from None


def _nearest(name: str, names: Sequence[str]) -> str:
    lower = {other.lower(): other for other in names}
    near = get_close_matches(name.lower(), lower, n=1)
    if near:
        return f"did you mean {lower[near[0]]!r}?"
    return "it has " + ", ".join(map(repr, names[:8])) + (", ..." if len(names) > 8 else "")


def _is_constant(column: Column) -> bool:
    return bool(not column.blank.any() and np.all(column.values == column.values[0]))


def _refuse(table: Table, names: list[str], what: str) -> None:
    if names:
        named = ", ".join(map(repr, names))
        verb = "columns are" if len(names) > 1 else "a column is"
        raise DataError(table.source, f"{verb} {what}: {named}", "add to `drop`")
