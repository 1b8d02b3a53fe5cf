"""Where a party's rows come from, files or a database, and where its scores go."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from parties.config.data import Data, DatabaseAccess
from vfl.errors import ConfigError
from vfl.table.files import TableFile
from vfl.table.read import check_destination, read_table, write_frames
from vfl.table.table import Numeric, Table

if TYPE_CHECKING:
    import pandas as pd

    from vfl.table.database import Database

PASSWORD_BYTES = 1 << 10
"""Bytes of the longest password that is read from a file."""


def read_training(data: Data) -> Table:
    """Return the table from which a party trains; what is said of single columns must fit it."""
    source: Path | TableFile | None = data.table
    if source is None:
        assert data.database is not None
        assert data.database.train is not None
        source = database_of(data.database).query(data.database.train, data.id)
    table = read_table(
        source,
        id=data.id,
        label=data.label,
        split=data.split,
        weight=data.weight,
        segment=data.segment,
        month=data.month,
        outcome=data.outcome,
        offset=data.offset,
        exposure=data.exposure,
        columns=data.columns,
        categorical=data.categorical,
        drop=data.drop,
        types=data.types,
    )
    _check_bins(data, table)
    return table


def batch_source(data: Data) -> Path | TableFile | None:
    """Return where the customers to score are, None for the training table."""
    if data.database and data.database.score:
        return database_of(data.database).query(data.database.score, data.id)
    return data.score


def keep_scores(
    frames: Iterable[pd.DataFrame], run: str, data: Data, path: Path | None, default: Path
) -> Path | None:
    """Put scores, part by part, into the file `path`, or where the party's file says, or into `default`.

    Returns the file, None for a table of a database.
    """
    if path is None and data.database and data.database.scores:
        import pandas as pd

        frame = pd.concat(frames, ignore_index=True)  # all or none of it goes in
        database_of(data.database).append(data.database.scores, frame.assign(run=run))
        return None
    write_frames(path or default, frames)
    return path or default


def check_sink(data: Data, path: Path | None, default: Path) -> None:
    """Raise ConfigError where `keep_scores` could not put scores: asked before a run."""
    if path is None and data.database and data.database.scores:
        database_of(data.database).check_libraries()
    else:
        check_destination(path or default)


def database_of(access: DatabaseAccess) -> Database:
    """Return the database with its password, which is nowhere else."""
    from vfl.table.database import Database

    return Database(access.url, _password(access), access.folder)


def _password(access: DatabaseAccess) -> str | None:
    if name := access.password_env:
        if name not in os.environ:
            what = f"the environment variable {name} is not set"
            raise ConfigError("data.database.password_env", what, "put the database's password there")
        return os.environ[name]
    if path := access.password_file:
        try:
            text = path.read_bytes()[:PASSWORD_BYTES].decode("utf-8")
        except (OSError, UnicodeDecodeError):
            hint = "give a file that holds the password alone"
            raise ConfigError("data.database.password_file", f"{path} cannot be read", hint) from None
        return text.rstrip("\r\n")
    return None


def _check_bins(data: Data, table: Table) -> None:
    for name, said in data.bins.items():
        where = f"{table.source}: data.bins.{name}"
        if name not in table.columns:
            close = get_close_matches(name, table.columns, 1)
            hint = f"did you mean {close[0]}?" if close else "name a column that takes part"
            raise ConfigError(where, "there is no such column among the features", hint)
        numeric = isinstance(table.columns[name], Numeric)
        if said.cuts is not None and not numeric:
            raise ConfigError(where, "the column holds categories, which have no cuts", "remove cuts")
        wrong = [code for code in said.special if numeric and isinstance(code, str)]
        if wrong:
            hint = "write it without quotes, or name the column under data.categorical"
            raise ConfigError(where, f"the column holds numbers, and {wrong[0]!r} is a text", hint)
