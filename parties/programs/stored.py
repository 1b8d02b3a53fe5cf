"""What the file of any model holds: which kind it is, whose training, and the columns that a batch needs.

{"kind": "logistic" | "linear" | "poisson" | "gamma" | "trees", "run": the training's name,
 "columns": {column: its training levels, or null for numbers}, ..}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from vfl.errors import ConfigError, DataError
from vfl.table.cells import CellKind
from vfl.table.files import TableFile
from vfl.table.read import NOTHING_DECLARED, read_table
from vfl.table.table import Categorical, Table

RegressionKind = Literal["logistic", "linear", "poisson", "gamma"]
Kind = Literal[RegressionKind, "trees"]

SAID: dict[Kind, str] = {
    "logistic": "a regression",
    "linear": "a linear regression",
    "poisson": "a Poisson regression",
    "gamma": "a gamma regression",
    "trees": "trees",
}
"""What a kind is called in a message."""

Levels = Mapping[str, tuple[str, ...] | None]
"""The columns that a model was trained on: each one's levels, None for numbers."""


def kind_of(path: Path) -> Kind:
    """Return the kind of the model in a file."""
    try:
        kind: Kind = json.loads(path.read_text(encoding="utf-8"))["kind"]
        with stored(path, kind):
            return kind
    except FileNotFoundError:
        raise ConfigError(str(path), "no model", "train first: vfl guest train") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(str(path), "is no model of this version", "train again") from None


@contextmanager
def stored(path: Path, kind: Kind) -> Iterator[dict[str, Any]]:
    """Yield what a file says of a model of one kind, to be read inside; refuse other files and kinds."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = SAID[data["kind"]]
        if data["kind"] != kind:
            what = f"holds {found}, and the job asks for {SAID[kind]}"
            raise ConfigError(str(path), what, f"train again, or set model.kind to {data['kind']}")
        if not isinstance(data["run"], str):
            raise ValueError("run needs a name")
        yield data
    except FileNotFoundError:
        raise ConfigError(str(path), "no model", "train first: vfl guest train") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(str(path), "is no model of this version", "train again") from None


def levels_json(levels: Levels) -> dict[str, list[str] | None]:
    """Return the "columns" of a model's file."""
    return {name: None if known is None else list(known) for name, known in levels.items()}


def levels_from(data: dict[str, Any]) -> dict[str, tuple[str, ...] | None]:
    """Return the levels in a model's file."""
    return {name: None if known is None else tuple(known) for name, known in data["columns"].items()}


def read_batch(
    levels: Levels, source: Path | TableFile, id: str, types: Mapping[str, CellKind] = NOTHING_DECLARED
) -> Table:
    """Return a batch with the model's columns; `types`: as declared, of columns with numbers."""
    kinds: dict[str, CellKind] = {name: "category" for name, known in levels.items() if known is not None}
    kinds |= {name: kind for name, kind in types.items() if levels.get(name, ()) is None}
    return read_table(source, id=id, columns=list(levels), types=kinds)


def check_batch(levels: Levels, table: Table) -> None:
    """Refuse a table that lacks a column of the model, or holds texts where it had numbers."""
    for name, known in levels.items():
        column = table.columns.get(name)
        if column is None:
            raise DataError(table.source, f"has no column {name!r}", "the model was trained on it")
        if isinstance(column, Categorical) != (known is not None):
            found, wanted = ("texts", "numbers") if known is None else ("numbers", "texts")
            what = f"holds {found}, and the model was trained on {wanted}"
            raise DataError(f"{table.source}: {name}", what, "mend the file, or train again")
