"""What the guest knows of one customer: from its table, or from the columns that a question brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from parties.config.data import Data
from parties.config.job import Job
from parties.inspection import clean_ids
from parties.programs.model import Half
from parties.programs.stored import check_batch, read_batch
from parties.sources import batch_source, read_training
from vfl.errors import DataError
from vfl.table.database import QueryResult
from vfl.table.ids import IdRules
from vfl.table.table import Table


class Customers:
    """The guest's rows by id, as the job compares ids, and those of customers who are told of."""

    def __init__(self, job: Job, data: Data, half: Half) -> None:
        source = batch_source(data)
        table = (
            read_training(data) if source is None else read_batch(half.levels, source, data.id, data.types)
        )
        check_batch(half.levels, table)
        clean = clean_ids(job, table)
        self._half, self._data = half, data
        self._rules = IdRules(**job.alignment.model_dump(exclude={"min_intersection", "max_ids"}))
        self._table = table.take(clean.rows)
        self._row = {id: row for row, id in enumerate(clean.ids)}

    def __len__(self) -> int:
        return len(self._row)

    def id(self, text: str) -> str:
        """Return an id as the job compares it."""
        return self._rules.apply(text)

    def known(self, id: str) -> Table | None:
        """Return a customer's row, None of one that the table does not have."""
        row = self._row.get(id)
        return None if row is None else self._table.take(np.array([row]))

    def told(self, cells: Mapping[str, Any]) -> Table:
        """Return a row that holds these cells.

        Raises DataError, naming the column, where the row is none of the model's.
        """
        for name in cells:
            if name not in self._half.levels:
                raise DataError("request", f"the model has no column {name!r}", "see vfl model show")
        for name, known in self._half.levels.items():
            self._check_cell(cells, name, known is None)
        row = {name: [value] for name, value in cells.items()} | {self._data.id: ["-"]}
        source = QueryResult("request", pa.table(row))
        return read_batch(self._half.levels, source, self._data.id, self._data.types)

    def _check_cell(self, cells: Mapping[str, Any], name: str, number: bool) -> None:
        if name not in cells:
            raise DataError("request", f"column {name!r} is missing", "send null for a blank")
        value = cells[name]
        dated = self._data.types.get(name) == "date"
        wanted: tuple[type, ...] = (int, float) if number and not dated else (str,)
        if value is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
            said = "a number" if wanted != (str,) else "a text"
            raise DataError("request", f"column {name!r} must be {said}", "send null for a blank")
