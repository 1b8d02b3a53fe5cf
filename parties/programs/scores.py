"""The guest's scores: what stands in their file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parties.config.party import Party
from parties.programs.batch import Matched
from parties.programs.model import Half
from parties.programs.reasons import losses
from parties.programs.run import Run
from parties.programs.trees_model import TreeHalf
from vfl.errors import ConfigError
from vfl.linear.sigmoid import sigmoid
from vfl.stats.scorecard import Bands
from vfl.table.files import ROWS
from vfl.table.table import Table
from vfl.table.texts import Ids, Texts
from vfl.trees.model import GuestTrees

if TYPE_CHECKING:
    import pandas as pd

Vector = NDArray[np.float64]
GuestHalf = Half | TreeHalf[GuestTrees]


def check_reasons(party: Party, half: GuestHalf) -> None:
    """Raise ConfigError where reasons are asked for of a model that was trained before there were any."""
    if party.scores.reasons and not (isinstance(half, Half) and half.averages):
        what = "the model does not say what the average training customer scores"
        raise ConfigError("scores.reasons", what, "train again: vfl guest train; or remove the key")


def score_columns(run: Run, half: GuestHalf, table: Table, logit: Vector) -> dict[str, NDArray[Any]]:
    """Return id, pd, points, band and reasons of a table's customers, whose joint logits these are.

    Of an outcome that is no label id and prediction, for an offset of 0 and an exposure of 1.
    """
    return _columns(run, table.ids, logit) | _reasons(run, half, table, logit)


def score_frames(run: Run, half: GuestHalf, common: Matched, logit: Vector) -> Iterator[pd.DataFrame]:
    """Yield the same of a batch in parts, by ascending id."""
    reasons: dict[str, NDArray[Any]] = {}
    if run.party.scores.reasons:
        for places, table in common.parts():
            for name, values in _reasons(run, half, table, logit[places]).items():
                reasons.setdefault(name, np.empty(len(common), values.dtype))[places] = values
    for ids, rows in _by_id(common):
        yield frame_of(_columns(run, ids, logit[rows]) | {name: v[rows] for name, v in reasons.items()})


def id_frames(matched: Matched) -> Iterator[pd.DataFrame]:
    """Yield ids in parts, ascending."""
    for ids, _ in _by_id(matched):
        yield frame_of({"id": np.asarray(ids)})


def _by_id(matched: Matched) -> Iterator[tuple[Ids, NDArray[np.int64]]]:
    """Yield ids in ascending order with their places, one part at least."""
    ids = matched.ids
    order = ids.order() if isinstance(ids, Texts) else np.argsort(ids)
    for start in range(0, max(len(order), 1), ROWS):
        rows = order[start : start + ROWS]
        yield ids[rows], rows


def _columns(run: Run, ids: Ids, logit: Vector) -> dict[str, NDArray[Any]]:
    if run.family:
        return {"id": np.asarray(ids), "prediction": run.family.mean(logit)}
    points = run.scorecard.whole_points(logit)
    columns: dict[str, NDArray[Any]] = {"id": np.asarray(ids), "pd": sigmoid(logit), "points": points}
    if cuts := run.job.scorecard.bands:
        bands = Bands(cuts)
        columns["band"] = np.array(bands.names, object)[bands.of(points)]
    return columns


def _reasons(run: Run, half: GuestHalf, table: Table, logit: Vector) -> dict[str, NDArray[Any]]:
    if run.family or not (isinstance(half, Half) and half.averages and run.party.scores.reasons):
        return {}
    partners = f"partner: {', '.join(run.host_names)}"
    lost = losses(half, half.averages, table, logit, partners, run.scorecard)
    return lost.top(run.party.scores.reasons)


def frame_of(columns: dict[str, Any]) -> pd.DataFrame:
    """Return the columns as a table."""
    import pandas as pd  # takes a quarter of a second, which no peer should wait for

    return pd.DataFrame(columns)
