"""A party's table in memory: ids as texts, and columns of numbers or categories.

A blank is NaN in a numeric column and None in a categorical one; nothing else means "missing".
The order of `columns` is the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.table.texts import Ids, parts_of


@dataclass(frozen=True, slots=True, eq=False)
class Numeric:
    """Finite numbers; NaN is a blank."""

    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Where the column has no value."""
        return np.isnan(self.values)

    def take(self, rows: NDArray[np.int64]) -> Numeric:
        """Return the values of these rows, in this order."""
        return Numeric(self.values[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Categorical:
    """Texts, exactly as the file has them; None is a blank.  Equal texts are one object."""

    values: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Where the column has no value."""
        return np.fromiter((value is None for value in self.values), np.bool_, len(self))

    def take(self, rows: NDArray[np.int64]) -> Categorical:
        """Return the values of these rows, in this order."""
        return Categorical(self.values[rows])


Column = Numeric | Categorical


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Table:
    """One party's rows: ids as the file has them (None = blank), features, and what else is told of rows.

    `label` is 1 for the event and 0 for the rest; `split` names each row's part; `weight` says what
    each row counts, `outcome` is what a regression predicts that knows no labels, `offset` is added to its
    linear predictor, `segment` which group it is of; `month` is the row's, as 2027-06, None for a blank;
    `source` is the file's name, for messages.
    """

    ids: Ids
    columns: dict[str, Column]
    label: NDArray[np.int8] | None
    split: NDArray[np.object_] | None
    source: str
    weight: NDArray[np.float64] | None = None
    segment: NDArray[np.object_] | None = None
    month: NDArray[np.object_] | None = None
    outcome: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        parts = [*self._told.values(), *self.columns.values()]
        assert all(len(part) == len(self.ids) for part in parts if part is not None)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Table({self.source!r}, {len(self)} rows, {len(self.columns)} columns)"

    @property
    def counted(self) -> NDArray[np.int8]:
        """The labels of the rows that count: of a weighted table those whose weight is not 0."""
        assert self.label is not None
        return self.label if self.weight is None else self.label[self.weight > 0]

    def digest(self) -> str:
        """Return the SHA-256, in hex, of all that the table holds, order included."""
        parts: dict[str, Any] = {"id": self.ids} | self._told
        known = {name: values for name, values in parts.items() if values is not None}
        known |= {f"column {name}": column.values for name, column in self.columns.items()}
        whole = sha256()
        for name, values in known.items():
            kind = getattr(values, "dtype", "texts")
            whole.update(f"{name}\n{kind}\n{len(values)}\n".encode())
            for part in _bytes_of(values):
                whole.update(part)
        return whole.hexdigest()

    @property
    def _told(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "split": self.split,
            "weight": self.weight,
            "segment": self.segment,
            "month": self.month,
            "outcome": self.outcome,
            "offset": self.offset,
        }

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Return the table of these rows, in this order."""
        told: Any = {name: part[rows] for name, part in self._told.items() if part is not None}
        return replace(
            self,
            ids=self.ids[rows],
            columns={name: column.take(rows) for name, column in self.columns.items()},
            **told,
        )


def _bytes_of(values: Ids | NDArray[Any]) -> Iterator[bytes]:
    """Yield numbers as they are, and texts one a line: by repr, for a blank must not be the text None."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        yield values.tobytes()
        return
    for part in parts_of(values):
        yield "".join(f"{text!r}\n" for text in part.tolist()).encode()
