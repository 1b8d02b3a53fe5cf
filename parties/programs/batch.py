"""Batches to be scored, read part by part: of all rows only the ids are held, and a few numbers each.

A batch is read twice: before a peer is met, so that a bad cell stops nobody else, and once it is known
which rows are common.  `Matched` gives each of those its place in the order that the parties agreed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.config.data import Data
from parties.programs.alignment import match_guest, match_host
from parties.programs.model import Half, columns_of, unseen_in, unseen_warnings
from parties.programs.run import Run
from parties.programs.stored import Levels, check_batch, read_batch
from parties.programs.trees_model import TreeHalf
from parties.sources import batch_source
from vfl.errors import DataError
from vfl.linear import halves
from vfl.table.cells import CellKind
from vfl.table.files import TableFile, open_table
from vfl.table.table import Table
from vfl.table.texts import Ids, Texts
from vfl.trees.model import GuestTrees, HostTrees

Vector = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """The ids of a batch, and its rows part by part; `read` yields them anew."""

    ids: Ids
    source: str
    read: Callable[[], Iterator[Table]]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def for_model(
        cls, levels: Levels, data: Data, source: Path | TableFile | None, table: Callable[[], Table]
    ) -> Batch:
        """Return the batch in a file or a query, or the party's own `table` where there is none."""
        return cls.of(table(), levels) if source is None else cls.open(levels, source, data.id, data.types)

    @classmethod
    def of(cls, table: Table, levels: Levels) -> Batch:
        """Return a table that is in memory as a batch for a model."""
        check_batch(levels, table)
        return cls(table.ids, table.source, lambda: iter((table,)))

    @classmethod
    def open(cls, levels: Levels, source: Path | TableFile, id: str, types: Mapping[str, CellKind]) -> Batch:
        """Read a batch with a model's columns once, to know its ids and that every cell is good."""
        file = open_table(source) if isinstance(source, Path) else source

        def read() -> Iterator[Table]:
            for part in file.parts(_present([id, *levels], file)):
                table = read_batch(levels, part, id, types)
                check_batch(levels, table)
                yield table

        ids = Texts.joined(table.ids.tolist() for table in read())
        if not len(ids):
            raise DataError(file.source, "has no rows", "the header must be followed by data")
        return cls(ids, file.source, read)


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Some rows of a batch in an order of their own: `rows`, numbers of the batch's."""

    batch: Batch
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> Ids:
        """Their ids, as the batch has them."""
        return self.batch.ids[self.rows]

    def parts(self) -> Iterator[tuple[Rows, Table]]:
        """Yield tables of these rows as they come in the batch, with the place of each among `rows`."""
        place = np.full(len(self.batch), -1)
        place[self.rows] = np.arange(len(self))
        start = 0
        for table in self.batch.read():
            here = place[start : start + len(table)]
            start += len(table)
            if len(taken := np.flatnonzero(here >= 0)):
                yield here[taken], table.take(taken)
        if start != len(self.batch):
            raise DataError(self.batch.source, "has changed since it was first read", "score it again")

    def numbers(self, of: Callable[[Table], NDArray[Any]]) -> NDArray[Any]:
        """Return what a function makes of each row, in the order of `rows`."""
        found: NDArray[Any] | None = None
        for places, table in self.parts():
            made = of(table)
            if found is None:
                found = np.empty((len(self), *made.shape[1:]), made.dtype)
            found[places] = made
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch as the guest has scored it: whom it has in common with all hosts, the others, and logits."""

    common: Matched
    others: Matched
    logit: Vector
    stability: dict[str, Any]


class Told:
    """What a party's books say of the rows that were scored, counted while they pass by."""

    def __init__(self, run: Run, half: Half | TreeHalf[Any]) -> None:
        self._run, self._levels = run, half.levels
        self._population = half.population if isinstance(half, Half) else None
        self._unseen: dict[str, dict[str, int]] = {}
        self._counts: dict[str, NDArray[np.int64]] = {}

    def numbers(self, rows: Matched, of: Callable[[Table], NDArray[Any]]) -> NDArray[Any]:
        """Return what a function makes of each row, as `Matched` does; warn of levels that are new."""
        made = rows.numbers(lambda part: self._counted(part, of(part)))
        self._run.warn(*unseen_warnings(rows.batch.source, self._unseen))
        return made

    def _counted(self, table: Table, made: NDArray[Any]) -> NDArray[Any]:
        for name, levels in unseen_in(self._levels, table).items():
            known = self._unseen.setdefault(name, {})
            for level, rows in levels.items():
                known[level] = known.get(level, 0) + rows
        if self._population:
            for name, counts in self._population.counted(columns_of(table)).items():
                self._counts[name] = self._counts[name] + counts if name in self._counts else counts
        return made

    def stability(self) -> dict[str, Any]:
        """Return what score.json says of the columns' stability from the training rows to the batch."""
        if not self._population or not self._counts:
            return {}
        role = self._run.job.parties[self._run.party.party].role
        return {"stability": {role: self._population.moved(self._counts)}}


async def guest_matched(run: Run, batch: Batch, half: Half | TreeHalf[GuestTrees]) -> tuple[Matched, Matched]:
    """Return whom a batch has in common with hosts that have the same model's halves, and the others."""
    for host in run.hosts:
        await halves.guest(half.run, host=host)
    rows, others = await match_guest(run, batch, 1)
    return Matched(batch, rows), Matched(batch, others)


async def host_matched(run: Run, table: Table, half: Half | TreeHalf[HostTrees] | None) -> Matched:
    """Return whom the guest's batch has in common with the host's own, or with `table` where it has none.

    Raises ContractError where its half, if it has one, is not of the guest's model.
    """
    run.check_fitted_without(half.absent if half else run.absent)
    await halves.host(half.run if half else None, guest=run.guest)
    assert half is not None and run.party.data is not None
    data = run.party.data
    batch = Batch.for_model(half.levels, data, batch_source(data), lambda: table)
    return Matched(batch, await match_host(run, batch, 1))


def _present(names: list[str], file: TableFile) -> list[str]:
    """Return the names that the file has: what it lacks is told by who reads its first part."""
    return [name for name in names if name in file.names]
