"""Weights of evidence of a finished run beside those of the pooled records, bin by bin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.model import Half
from scripts.benchmarks.measuring.comparison import Comparison
from scripts.benchmarks.real.jobs import DATA, Case
from vfl.stats.binned import WoeColumns
from vfl.stats.binning import Values
from vfl.stats.counted import CountedBins

APART = 1e-9
"""Largest difference of a weight of evidence and of an information value."""


def published_evidence(case: Case, tables: Mapping[str, Any]) -> Iterator[Comparison]:
    """Compare each bin's WOE with that of the published counts; `tables`: both halves' "features".

    The published WOE are rounded to six digits, the counts are whole: WOE = ln(((pos + 1/2) / P) /
    ((neg + 1/2) / N)) is computed from them here, and from nothing of ours.
    """
    found = json.loads((DATA / "baselines.json").read_text(encoding="utf-8"))[case.name]["woe"]
    assert found.keys() == tables.keys()
    apart = []
    for name, wanted in found.items():
        assert [*tables[name]["bins"].values()] == [wanted["cuts_or_levels"]], name
        counts = wanted["bins_code_pos_neg_woe"]
        bads, goods = (sum(row[k] for row in counts) for k in (1, 2))
        for code, pos, neg, _ in counts:
            ours = tables[name]["woe"][code]
            apart.append((ours, log(((pos + 0.5) / bads) / ((neg + 0.5) / goods))))
    ours, theirs = max(apart, key=lambda pair: abs(pair[0] - pair[1]))
    yield Comparison(f"WOE of {len(apart)} bins", ours, theirs, APART)


def published_values(case: Case, values: Mapping[str, float]) -> Comparison:
    """Compare each column's information value with that of the published counts."""
    found = json.loads((DATA / "baselines.json").read_text(encoding="utf-8"))[case.name]["woe"]
    assert found.keys() == values.keys()
    pairs = [(values[name], _value(wanted["bins_code_pos_neg_woe"])) for name, wanted in found.items()]
    ours, theirs = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    return Comparison(f"IV of {len(pairs)} columns", ours, theirs, APART)


def _value(counts: list[tuple[int, int, int, float]]) -> float:
    bads, goods = (sum(row[k] for row in counts) for k in (1, 2))
    return sum(
        (pos / bads - neg / goods) * log(((pos + 0.5) / bads) / ((neg + 0.5) / goods))
        for _, pos, neg, _ in counts
    )


def pooled_bins(
    path: Path, columns: Mapping[str, Values], y: NDArray[np.int8], train: NDArray[np.bool_]
) -> dict[str, tuple[CountedBins, NDArray[np.float64]]]:
    """Return the bins in a party's model.json, counted anew on the pooled rows, and its own WOE of each."""
    features = Half.load(path).features
    assert isinstance(features, WoeColumns)
    slots = features.bins.slots_of(columns)
    return {
        name: (CountedBins.of(binning, own[train], y[train]), table)
        for (name, binning), own, table in zip(features.bins.of.items(), slots, features.tables, strict=True)
    }
