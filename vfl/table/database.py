"""Databases as sources of tables, and as places for scores: all that SQLAlchemy knows, and DuckDB.

    postgresql+psycopg://risk@db.example.org/risk     any URL of SQLAlchemy, its driver installed
    sqlite:///bank.db                                 a file, from `folder` on
    duckdb:///bank.duckdb                             a file, from `folder` on
    duckdb:                                           no database: queries over files from `folder`
                                                      on, say from 'loans/*.parquet'

A query's rows are put in the order of their ids (and then of their other cells), for a database
promises none and a training that goes on after a break needs the same one again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from vfl.errors import ConfigError, DataError
from vfl.table.files import ROWS, TableFile, check_names, cut

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 50_000
"""Rows that are fetched at a time."""

WHERE = "data.database"
INSTALL = "pip install 'vfl[sql]'"

_FILE = re.compile(r"^(sqlite|duckdb)(\+\w+)?:///")
_CSV = re.compile(r"\.(csv|tsv|txt)\b|read_csv", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query has returned, by the order of ids; places are row numbers from 1 in that order."""

    source: str
    table: Any

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        names: list[str] = self.table.column_names
        return names

    def cells(self, names: Sequence[str]) -> dict[str, Any]:
        """Return these columns with the types that the database gave them."""
        return {name: self.table.column(name) for name in names}

    def parts(self, names: Sequence[str]) -> Iterator[TableFile]:
        """Yield some rows each, in order, with these columns."""
        columns = self.table.select(list(names))
        return cut(self, (columns.slice(start, ROWS) for start in range(0, len(columns), ROWS)))

    def place(self, row: int) -> str:
        """Return database: row n by id."""
        return f"{self.source}: row {row + 1} by id"


@dataclass(frozen=True, slots=True, repr=False)
class Database:
    """A database by its URL, which holds no password; `folder`: where paths of files begin."""

    url: str
    password: str | None = None
    folder: Path = Path()

    def __repr__(self) -> str:
        return f"Database({self.source!r})"

    @property
    def source(self) -> str:
        """What messages call it: its kind and its name, without who logs in where."""
        kind = re.split(r"[+:]", self.url, maxsplit=1)[0]
        name = re.split(r"[/?]", self.url.partition("?")[0])[-1] if "/" in self.url else ""
        return f"{kind}:{name or 'files'}"

    def query(self, sql: str, id: str) -> QueryResult:
        """Return a query's rows in the order of the column `id`; raise DataError where it fails."""
        if path := self._file():
            self._require(path)
        duck = self.url.startswith("duckdb:")
        with self._named():
            table = self._asked_duckdb(sql) if duck else self._asked_sqlalchemy(sql)
        check_names(self.source, table.column_names)
        if duck and id in table.column_names:
            self._refuse_counted_ids(sql, table.column(id).type)
        return QueryResult(self.source, _ordered(table, id))

    def append(self, name: str, frame: pd.DataFrame) -> None:
        """Append rows to the table `name`, all or none; one that is missing is made."""
        with self._named():
            if self.url.startswith("duckdb:"):
                self._append_duckdb(name, frame)
            else:
                with self._engine() as engine, engine.begin() as connection:
                    frame.to_sql(name, connection, if_exists="append", index=False, chunksize=CHUNK)

    def check_libraries(self) -> None:
        """Raise ConfigError where what the URL asks for is not installed."""
        if self.url.startswith("duckdb:"):
            _duckdb()
        else:
            with self._engine():
                pass

    def _asked_duckdb(self, sql: str) -> Any:
        with self._duck(writes=False) as connection:
            rows = connection.sql(sql)
            if rows is None:
                raise DataError(self.source, "the query returns no rows", "begin it with select or from")
            return rows.to_arrow_table(CHUNK)

    def _asked_sqlalchemy(self, sql: str) -> Any:
        from sqlalchemy import text

        with self._engine() as engine, engine.connect() as connection:
            options = connection.execution_options(stream_results=True, yield_per=CHUNK)
            result = options.execute(text(sql))
            names = list(result.keys())
            chunks = [list(zip(*rows, strict=True)) for rows in result.partitions()]
        columns = [_joined([_array(chunk[j]) for chunk in chunks]) for j in range(len(names))]
        return pa.table(columns, names=names)

    def _append_duckdb(self, name: str, frame: pd.DataFrame) -> None:
        quoted = '"' + name.replace('"', '""') + '"'
        with self._duck(writes=True) as connection:
            connection.register("vfl_scores", pa.Table.from_pandas(frame, preserve_index=False))
            connection.execute("begin")
            connection.execute(f"create table if not exists {quoted} as from vfl_scores limit 0")
            connection.execute(f"insert into {quoted} by name from vfl_scores")
            connection.execute("commit")

    @contextmanager
    def _duck(self, *, writes: bool) -> Iterator[Any]:
        path = self._file()
        if writes and path is None:
            raise ConfigError(f"{WHERE}.url", "names no database to write to", "name one: duckdb:///FILE")
        # Without the first setting a query may load code from the internet.
        settings = {"autoinstall_known_extensions": "false", "file_search_path": str(self.folder.resolve())}
        read_only = path is not None and not writes
        connection = _duckdb().connect(str(path or ":memory:"), read_only=read_only, config=settings)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _engine(self) -> Iterator[Any]:
        try:
            import sqlalchemy
            from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        except ImportError:
            raise ConfigError(WHERE, "needs SQLAlchemy, which is not installed", INSTALL) from None
        path = self._file()
        try:
            url = sqlalchemy.make_url(self.url)
            if path is not None:
                url = url.set(database=str(path))
            if self.password is not None:
                url = url.set(password=self.password)
            engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, hide_parameters=True)
        except (ArgumentError, NoSuchModuleError):
            what = "is no URL of a database that SQLAlchemy knows"
            raise ConfigError(f"{WHERE}.url", what, "such as postgresql+psycopg://user@host/name") from None
        except ModuleNotFoundError as missing:
            what = f"needs the driver {missing.name}, which is not installed"
            raise ConfigError(f"{WHERE}.url", what, f"pip install {missing.name}") from None
        try:
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn what a library complains of into a DataError without the password or a traceback."""
        try:
            yield
        except (ConfigError, DataError, AssertionError):
            raise
        except Exception as error:
            # Every driver has exceptions of its own, and there is no class above them all.
            said = (str(getattr(error, "orig", None) or error).strip() or type(error).__name__).splitlines()[
                0
            ]
            if self.password:
                said = said.replace(self.password, "***")
            raise DataError(self.source, f"the database refuses: {said}", f"see {WHERE}") from None

    def _file(self) -> Path | None:
        """Return the database's file, if it is one."""
        found = _FILE.match(self.url)
        name = self.url[found.end() :].partition("?")[0] if found else ""
        return self.folder / name if name and name != ":memory:" else None

    def _require(self, path: Path) -> None:
        if not path.exists():
            raise DataError(str(path), "there is no such file", f"see {WHERE}.url")

    def _refuse_counted_ids(self, sql: str, kind: Any) -> None:
        """Refuse ids that DuckDB has read from CSV as numbers: their leading zeros are lost."""
        if _CSV.search(sql) and pa.types.is_integer(kind):
            what = "ids were read from CSV as numbers: leading zeros would be lost"
            raise DataError(self.source, what, "read_csv('FILE', all_varchar = true)")


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise ConfigError(WHERE, "needs DuckDB, which is not installed", INSTALL) from None
    return duckdb


def _array(values: Sequence[Any]) -> Any:
    """Return an Arrow array; of values that Arrow has no type in common for their texts."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _joined(arrays: list[Any]) -> Any:
    """Return one column of the chunks, of the type that they have in common or else of texts."""
    if not arrays:
        return pa.chunked_array([], pa.null())
    try:
        return pa.concat_tables([pa.table({"": a}) for a in arrays], promote_options="permissive").column(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.chunked_array([a.cast(pa.string()) for a in arrays])


def _ordered(table: Any, id: str) -> Any:
    if id not in table.column_names:
        return table
    keys = [id, *(name for name in table.column_names if name != id)]
    return table.take(pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys]))
