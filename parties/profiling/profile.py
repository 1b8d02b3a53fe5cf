"""A party's table under a job: its columns, what they would tell, and which gates would refuse.

All own training rows are looked at, of which only those in common with the partners will train: a
gate that refuses here refuses then, and one that is open here may still close.  Nothing is sent, and
whether the partner's rows breach a gate cannot be known.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.config.job import Job
from parties.config.party import Party
from parties.inspection import described, known_of, training_rows
from parties.profiling.disclosure import sent_by
from parties.programs.alignment import Common
from parties.programs.features import own_bins, own_standard
from parties.programs.limits import (
    check_columns_count,
    check_events,
    check_leaves,
    check_outcomes,
    check_width,
)
from parties.programs.model import columns_of
from parties.programs.run import Run
from parties.programs.trees.coding import check_rare_bins, fit_bins
from parties.progress import Silent
from parties.sources import read_training
from vfl.features.woe import smallest_bin
from vfl.gates import GATES, Gates
from vfl.stats.binned import Bins, IndicatorColumns
from vfl.table.read import check_columns
from vfl.table.table import Numeric, Table

CODE = re.compile(r"-[1-9]|-?(9{2,}|8{2,}|7{2,})|9[678]")
"""Numbers by which programs write that there is none."""

SHARE = 0.005
"""Share of the rows from which such a number is no chance."""

APART = 0.25
"""How far beyond all other numbers it lies, in ranges of theirs; or it alone is negative."""


def profile(job: Job, party: Party) -> dict[str, Any]:
    """Return what there is to say, as plain values; a table that no run could use is a DataError."""
    assert party.data is not None
    role = job.parties[party.party].role
    table = read_training(party.data)
    check_columns(table)
    common = Common(table, training_rows(table))
    # Every gate is allowed here, so that all that would refuse are found.
    run = Run(job, party, "profile", "profile", Silent(), Gates(frozenset(GATES)))
    smallest = _ask_gates(run, common, role)
    columns = described(job, table)["columns"]
    for column in columns:
        name, said = column["name"], party.data.bins.get(column["name"])
        column["special"] = suspected(table, name, said.special if said else ())
        column["smallest_bin"] = smallest.get(name)
    names = list(table.columns)
    breaches = [_named(breach, names) for breach in run.gates.overridden]
    allowed = set(job.gates.allow)
    return {
        "party": party.party,
        "role": role,
        "source": table.source,
        "rows": len(table),
        "training_rows": common.rows["train"],
        "columns": columns,
        "refuses": [breach for breach in breaches if breach.partition(":")[0] not in allowed],
        "allowed": [breach for breach in breaches if breach.partition(":")[0] in allowed],
        "sends": sent_by(job, role),
    }


def suspected(table: Table, name: str, declared: tuple[float | str, ...]) -> list[float]:
    """Return numbers that look like codes for a missing value: frequent, beyond all others, written so."""
    column = table.columns[name]
    if not isinstance(column, Numeric):
        return []
    found, counts = np.unique(column.values[~column.blank], return_counts=True)
    written = np.array([CODE.fullmatch(f"{value:.17g}") is not None for value in found], np.bool_)
    others = found[~written]
    if not len(others):
        return []
    low, high = float(others[0]), float(others[-1])
    frequent = counts >= SHARE * len(table)
    return [
        float(value)
        for value in found[written & frequent]
        if value not in declared
        and (value < 0 <= low or max(low - value, value - high) > APART * (high - low))
    ]


def _ask_gates(run: Run, common: Common, role: str) -> dict[str, int]:
    """Ask every gate that the own rows can breach; return the rows of each column's smallest bin."""
    job, rows, count = run.job, common.rows["train"], len(common.table.columns)
    if role == "guest" and run.family:
        known = known_of(common.table, common.train).take(common.train)
        check_outcomes(run.gates, common.table.source, run.family, known)
    elif role == "guest":
        check_events(run.gates, common.training)
    if job.model.kind == "trees":
        check_leaves(run.gates, job.trees, rows)
        bins, codes = fit_bins(run, common, None)
        if role == "host":
            check_columns_count(run, count)
            check_rare_bins(run, bins, codes[common.train])
        return _smallest(bins, common)
    if job.features.kind == "standard":
        width = len(own_standard(run, common).names)
        if role == "host":
            check_width(run, rows, count, width)
        return {}
    bins = own_bins(run, common)
    if role == "guest":
        return _smallest(bins, common)
    columns = columns_of(common.table)
    told = job.disclosure.woe_to_host
    indicators = IndicatorColumns.fit(bins, columns, common.train)
    check_width(run, rows, count, count if told else len(indicators.names))
    smallest = _smallest(bins, common)
    for number, least in enumerate(smallest.values(), 1):
        if least < smallest_bin(rows):
            run.gates.refuse("small_bins", f"column {number}", f"a bin holds {least} rows")
    return smallest


def _smallest(bins: Bins, common: Common) -> dict[str, int]:
    slots: list[NDArray[np.int64]] = bins.slots_of(columns_of(common.training))
    counts = [np.unique(own, return_counts=True)[1] for own in slots]
    return {name: int(rows.min()) for name, rows in zip(bins.of, counts, strict=True)}


def _named(breach: str, names: list[str]) -> str:
    """Return a breach with the column's name, which peers are not told."""
    found = re.search(r": column (\d+)", breach)
    return breach.replace(found[0], f"{found[0]} ({names[int(found[1]) - 1]})", 1) if found else breach
