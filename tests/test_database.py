"""Tables from databases: the same as from files; declared types; passwords that nobody sees."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from parties.config.data import Data, DatabaseAccess
from parties.sources import batch_source, database_of, keep_scores, read_training
from vfl.errors import ConfigError, DataError
from vfl.table import database as databases
from vfl.table.database import Database
from vfl.table.read import read_table
from vfl.table.table import Categorical, Numeric, Table

ROWS = pd.DataFrame(
    {
        "id": ["0012", "0003", "x-1", "0009", "0005"],
        "bad": [1, 0, 0, 1, 0],
        "age": [31.5, None, 48.0, 27.25, 60.0],
        "region": ["north", "south", None, "west", "south"],
        "opened": ["2020-01-31", "1970-01-02", None, "1969-12-31", "2027-06-30"],
        "branch": [7, 7, 12, 7, 12],
        "note": ["a", "b", "c", "d", "e"],
    }
)
TYPES = {"opened": "date", "branch": "category", "note": "text"}
QUERY = "select * from customers"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the rows as CSV, in Parquet parts, in sqlite and in DuckDB."""
    ROWS.to_csv(tmp_path / "bank.csv", index=False)
    (tmp_path / "parts").mkdir()
    for k, part in enumerate((ROWS[:2], ROWS[2:])):
        part.to_parquet(tmp_path / "parts" / f"{k}.parquet", index=False)
    with closing(sqlite3.connect(tmp_path / "bank.db")) as connection:
        ROWS.to_sql("customers", connection, index=False)
    with duckdb.connect(str(tmp_path / "bank.duckdb")) as connection:
        connection.register("rows", ROWS)
        connection.execute("create table customers as from rows")
    return tmp_path


def data(folder: Path, url: str, train: str = QUERY, **more: object) -> Data:
    """Return the section `data` of a party's file in this folder."""
    access = {"url": url, "train": train, **more}
    section = {"label": "bad", "types": TYPES, "database": access}
    return Data.model_validate(section, context={"folder": folder})


def by_id(table: Table) -> Table:
    """Return the rows in the order of their ids."""
    return table.take(np.argsort(table.ids))


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("sqlite:///bank.db", QUERY),
        ("duckdb:///bank.duckdb", QUERY),
        ("duckdb:", "from 'parts/*.parquet'"),
        ("duckdb:", "from read_csv('*.csv', all_varchar = true)"),
    ],
)
def test_a_query_gives_the_table_that_its_file_gives(folder: Path, url: str, query: str) -> None:
    found = read_training(data(folder, url, query))
    file = read_table(folder / "bank.csv", id="id", label="bad", types=TYPES)
    assert found.digest() == by_id(file).digest()
    assert found.ids.tolist() == ["0003", "0005", "0009", "0012", "x-1"]
    assert list(found.columns) == ["age", "region", "opened", "branch"]
    assert np.array_equal(found.columns["opened"].values, [1, 20999, -1, 18292, np.nan], equal_nan=True)
    assert isinstance(found.columns["branch"], Categorical)
    assert isinstance(found.columns["age"], Numeric)


def test_rows_are_fetched_in_chunks_whose_types_differ(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_training(data(folder, "sqlite:///bank.db")).digest()
    monkeypatch.setattr(databases, "CHUNK", 1)
    assert read_training(data(folder, "sqlite:///bank.db")).digest() == whole


def test_any_other_order_or_value_has_another_digest(folder: Path) -> None:
    table = read_table(folder / "bank.csv", id="id", label="bad")
    changed = ROWS.assign(region=["north", "south", "None", "west", "south"])
    changed.to_csv(folder / "changed.csv", index=False)
    digests = {
        t.digest() for t in (table, by_id(table), read_table(folder / "changed.csv", id="id", label="bad"))
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ({"note": "number"}, "bank.csv:2: note: 'a' is not a number (5 such cells)"),
        ({"region": "date"}, "bank.csv:2: region: 'north' is no date (4 such cells)"),
        ({"agee": "number"}, "bank.csv: has no column 'agee'"),
        ({"bad": "number"}, "bank.csv: column 'bad' is the label, and is declared number"),
    ],
)
def test_cells_that_are_not_what_was_declared_are_named(folder: Path, types: dict, said: str) -> None:
    with pytest.raises((DataError, ConfigError)) as error:
        read_table(folder / "bank.csv", id="id", label="bad", types=types)
    assert str(error.value) == said


def test_a_date_that_no_calendar_has_is_refused(folder: Path) -> None:
    ROWS.assign(opened="2023-02-30").to_csv(folder / "bank.csv", index=False)
    with pytest.raises(DataError, match="opened: cells are no dates"):
        read_table(folder / "bank.csv", id="id", types={"opened": "date"})


@pytest.mark.parametrize(
    ("url", "query", "said"),
    [
        ("sqlite:///bank.db", "select * from clients", "sqlite:bank.db: the database refuses: no such table"),
        ("duckdb:///bank.duckdb", "from clients", "duckdb:bank.duckdb: the database refuses: Catalog Error"),
        ("sqlite:///none.db", QUERY, "none.db: there is no such file"),
        ("duckdb:", "select 1 as id, 2 as id", "duckdb:files: columns with one name: 'id'"),
        ("duckdb:", "select 12 as id, 1 as bad from 'bank.csv'", "ids were read from CSV as numbers"),
        ("mystery://host/name", QUERY, "data.database.url: is no URL of a database"),
    ],
)
def test_a_query_that_fails_is_told_in_one_line(folder: Path, url: str, query: str, said: str) -> None:
    with pytest.raises((DataError, ConfigError)) as error:
        read_training(data(folder, url, query))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("url", ["sqlite:///bank.db", "duckdb:///bank.duckdb"])
def test_scores_are_appended_to_a_table(folder: Path, url: str) -> None:
    section = data(folder, url, scores="scores", score="select id, age from customers")
    scores = pd.DataFrame({"id": ["0003", "0012"], "pd": [0.25, 0.5], "points": [512, 480]})
    for run in ("one", "two"):
        assert keep_scores([scores], run, section, None, folder / "scores.parquet") is None
    kept = database_of(section.database).query("select * from scores", "id").table.to_pandas()
    expected = pd.concat([scores.assign(run="one"), scores.assign(run="two")])
    pd.testing.assert_frame_equal(
        kept.sort_values(["run", "id"], ignore_index=True), expected.reset_index(drop=True), check_dtype=False
    )
    batch = read_table(batch_source(section), id="id")
    assert len(batch) == 5


def test_a_password_is_taken_from_outside_and_shown_nowhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANK_DB", "hunter2")
    (folder / "secret").write_text("hunter2\n")
    for where in ({"password_env": "BANK_DB"}, {"password_file": "secret"}):
        section = data(folder, "duckdb:///bank.duckdb", "select error('as hunt' || 'er2')", **where)
        assert database_of(section.database).password == "hunter2"
        with pytest.raises(DataError) as error:
            read_training(section)
        shown = f"{error.value}{error.value.hint}{section!r}{database_of(section.database)!r}"
        assert "hunter2" not in shown
        assert "***" in str(error.value)
        assert error.value.__suppress_context__


def test_a_password_that_is_not_there_is_named_by_its_place(folder: Path) -> None:
    for where in ({"password_env": "NO_SUCH_VARIABLE"}, {"password_file": "no-such-file"}):
        with pytest.raises(ConfigError, match=f"data.database.{next(iter(where))}"):
            read_training(data(folder, "sqlite:///bank.db", **where))


@pytest.mark.parametrize(
    "url", ["postgresql://risk:hunter2@db/risk", "mysql://db/risk?password=x", "bank.db"]
)
def test_a_url_holds_no_password_and_names_a_database(url: str) -> None:
    with pytest.raises(ValueError, match=r"must not hold a password|no database's URL"):
        DatabaseAccess(url=url)


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for library, url in (("sqlalchemy", "sqlite:///x"), ("duckdb", "duckdb:")):
        monkeypatch.setitem(__import__("sys").modules, library, None)
        with pytest.raises(ConfigError) as error:
            Database(url).check_libraries()
        assert error.value.hint == "pip install 'vfl[sql]'"
