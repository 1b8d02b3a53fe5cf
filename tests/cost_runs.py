"""Shapes of jobs, and trainings whose shape is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from program_runs import BANK, INSURER, job, train

from parties.cost.estimate import shape_of
from parties.cost.shape import Columns, Forest, Regression, Shape
from parties.inspection import described
from vfl.wire.memory import Transcript

REGRESSION = Shape(1200, 1000, 800, Columns(5, 10), (Columns(4, 8),), Regression((2, 4, 6)))
TREES = replace(REGRESSION, model=Forest(10, 4))

GATES = ["small_bins", "few_rows", "few_events", "many_leaves"]

OF_EACH_KIND = pytest.mark.parametrize(
    "sections",
    [
        "features: {bins: 3}\nmodel: {tolerance: 0.05}",
        "model: {kind: trees, n_estimators: 3, max_depth: 3, first_tree: all, max_bin: 8}",
        "model: {kind: trees, n_estimators: 3, max_depth: 3, first_tree: all, max_bin: 8, node_rows: hidden}",
    ],
    ids=["regression", "trees", "hidden"],
)
"""Jobs of each kind of model, by their sections."""


def trained(sections: str) -> tuple[Shape, Transcript]:
    """Train; return the shape, with the degrees that there were, and what was sent."""
    agreed = job(sections, GATES)
    bank, _, told = train(agreed, BANK, INSURER)
    tables = {"bank": described(agreed, BANK), "insurer": described(agreed, INSURER)}
    found = [{"party": name, "train": table} for name, table in tables.items()]
    shape = shape_of(agreed, found, bank.facts["rows"]["train"])
    assert shape is not None
    if isinstance(shape.model, Regression):
        shape = replace(shape, model=replace(shape.model, degrees=tuple(bank.facts["degrees"])))
    return shape, told
