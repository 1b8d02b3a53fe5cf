"""CSV and Parquet files as Arrow columns, and the place of a row in each.

CSV is UTF-8 (a byte-order mark is skipped), comma separated, quoted with ", with one header line;
every cell is read as text, and an empty one, quoted or not, is a blank.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from vfl.errors import ConfigError, DataError

ROWS = 1 << 17
"""Rows of a part of a Parquet file."""

BLOCK = 16 << 20
"""Bytes of a part of a CSV file."""

_PARSE = pyarrow.csv.ParseOptions(newlines_in_values=True)


class TableFile(Protocol):
    """A file, or what a query returned, of named columns of equal length."""

    @property
    def source(self) -> str: ...

    @property
    def names(self) -> list[str]: ...

    def cells(self, names: Sequence[str]) -> dict[str, Any]:
        """Return these columns as Arrow chunked arrays."""
        ...

    def parts(self, names: Sequence[str]) -> Iterator[TableFile]:
        """Yield files of some rows each, in order, that hold these columns."""
        ...

    def place(self, row: int) -> str:
        """Name the place of a row (from 0) as an operator can find it."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file, from one on; places are the file's."""

    whole: TableFile
    start: int
    table: Any

    @property
    def source(self) -> str:
        """The file's name."""
        return self.whole.source

    @property
    def names(self) -> list[str]:
        """The columns' names, those that were not asked for included."""
        return self.whole.names

    def cells(self, names: Sequence[str]) -> dict[str, Any]:
        """Return these columns."""
        return {name: self.table.column(name) for name in names}

    def parts(self, names: Sequence[str]) -> Iterator[TableFile]:
        """Yield itself."""
        yield self

    def place(self, row: int) -> str:
        """Name the place of a row of this part."""
        return self.whole.place(self.start + row)


def cut(whole: TableFile, tables: Iterable[Any]) -> Iterator[TableFile]:
    """Yield the parts of a file that are these Arrow tables."""
    start = 0
    for table in tables:
        yield Part(whole, start, table)
        start += len(table)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file; places are line numbers, the header on line 1."""

    path: Path
    names: list[str]

    @property
    def source(self) -> str:
        """The file's name."""
        return self.path.name

    def cells(self, names: Sequence[str]) -> dict[str, Any]:
        """Return these columns as texts."""
        with self._named():
            table = pyarrow.csv.read_csv(self.path, parse_options=_PARSE, convert_options=_as_texts(names))
        self._check_end(table)
        return dict(zip(names, table.columns, strict=True))

    def parts(self, names: Sequence[str]) -> Iterator[TableFile]:
        """Yield files of some rows each, in order, with these columns as texts."""
        return cut(self, self._tables(names))

    def _tables(self, names: Sequence[str]) -> Iterator[Any]:
        table = pa.table({name: [] for name in names})
        with self._named():
            read = pyarrow.csv.ReadOptions(block_size=BLOCK)
            reader = pyarrow.csv.open_csv(self.path, read, _PARSE, _as_texts(names))
            for batch in reader:
                table = pa.Table.from_batches([batch])
                yield table
        self._check_end(table)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowInvalid:
            raise self._fault() or DataError(self.path.name, "cannot be read as CSV") from None

    def _check_end(self, table: Any) -> None:
        # A quote that is never closed makes one cell of all that follows it.
        if len(table) and any("\n" in (cell.as_py() or "") for cell in _last(table)) and self._fault():
            raise DataError(self.path.name, "a quoted cell never ends", 'look for a lone " and double it')

    def place(self, row: int) -> str:
        """Return file:line of a row, counting line breaks inside cells and empty lines."""
        for index, (line, _) in enumerate(self._records(strict=False)):
            if index == row + 1:
                return f"{self.path.name}:{line}"
        raise AssertionError("no such row")

    def _records(self, *, strict: bool) -> Iterator[tuple[int, list[str]]]:
        errors = "strict" if strict else "replace"
        with self.path.open(encoding="utf-8-sig", errors=errors, newline="") as file:
            reader = csv.reader(file, strict=strict)
            before = 0
            for record in reader:
                if record:
                    yield before + 1, record
                before = reader.line_num

    def _fault(self) -> DataError | None:
        """Return what is wrong with the first bad record, None if all are well formed."""
        line = 0
        try:
            for line, record in self._records(strict=True):
                if len(record) != len(self.names):
                    what = f"{len(record)} cells where the header has {len(self.names)}"
                    hint = "put cells that hold a comma in double quotes"
                    return DataError(f"{self.path.name}:{line}", what, hint)
        except UnicodeDecodeError:
            return DataError(self.path.name, "is not UTF-8", "save the file as CSV UTF-8")
        except csv.Error as error:
            return DataError(self.path.name, f"after line {line}: {error}")
        return None


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """A Parquet file; places are row numbers from 1."""

    path: Path
    names: list[str]

    @property
    def source(self) -> str:
        """The file's name."""
        return self.path.name

    def cells(self, names: Sequence[str]) -> dict[str, Any]:
        """Return these columns with the file's own types."""
        try:
            table = pyarrow.parquet.read_table(self.path, columns=list(names))
        except (pa.ArrowInvalid, OSError):
            raise DataError(self.path.name, "is damaged", "write the file again") from None
        return {name: table.column(name) for name in names}

    def parts(self, names: Sequence[str]) -> Iterator[TableFile]:
        """Yield files of some rows each, in order, with these columns."""
        return cut(self, self._tables(names))

    def _tables(self, names: Sequence[str]) -> Iterator[Any]:
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                for batch in file.iter_batches(ROWS, columns=list(names)):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError):
            raise DataError(self.path.name, "is damaged", "write the file again") from None

    def place(self, row: int) -> str:
        """Return file: row n."""
        return f"{self.path.name}: row {row + 1}"


def open_table(path: Path) -> TableFile:
    """Open a table by its suffix; its column names are known and distinct."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ConfigError(str(path), f"unknown kind of table {path.suffix!r}", "use .csv or .parquet")
    try:
        names = _csv_header(path) if path.suffix.lower() == ".csv" else _parquet_names(path)
    except FileNotFoundError:
        raise DataError(str(path), "there is no such file", "give the path of the table") from None
    except PermissionError:
        raise DataError(str(path), "may not be read", "check the file's permissions") from None
    except IsADirectoryError:
        raise DataError(str(path), "is a folder", "give the path of a file") from None
    check_names(path.name, names)
    return CsvFile(path, names) if path.suffix.lower() == ".csv" else ParquetFile(path, names)


def check_names(source: str, names: Sequence[str]) -> None:
    """Refuse columns of which two have one name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        what = "columns with one name: " + ", ".join(map(repr, twice))
        raise DataError(source, what, "rename them so that each name stands once")


def _csv_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(filter(None, csv.reader(file)), None)
    if header is None:
        raise DataError(path.name, "is empty", "the first line must name the columns")
    if any("\ufffd" in name for name in header):
        raise DataError(path.name, "is not UTF-8", "save the file as CSV UTF-8")
    for mark in (";", "\t", "|"):
        if len(header) == 1 and mark in header[0]:
            raise DataError(path.name, f"cells are separated by {mark!r}", "save the file with commas")
    return header


def _parquet_names(path: Path) -> list[str]:
    with path.open("rb"):
        pass  # a missing or forbidden file is told apart from a damaged one
    try:
        names: list[str] = pyarrow.parquet.read_schema(path).names
    except (pa.ArrowInvalid, OSError):
        raise DataError(path.name, "is not a Parquet file", "write it again, or use .csv") from None
    return [name for name in names if not name.startswith("__index_level_")]  # pandas' row labels


def _as_texts(names: Sequence[str]) -> Any:
    return pyarrow.csv.ConvertOptions(
        include_columns=list(names),
        column_types={name: pa.string() for name in names},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )


def _last(table: Any) -> list[Any]:
    return [column[-1] for column in table.columns]
