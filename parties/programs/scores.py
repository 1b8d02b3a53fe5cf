"""The guest's scores: what stands in their file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parties.config.party import Party
from parties.programs.model import Half
from parties.programs.reasons import losses
from parties.programs.run import Run
from parties.programs.trees_model import TreeHalf
from vfl.errors import ConfigError
from vfl.linear.sigmoid import sigmoid
from vfl.stats.scorecard import Bands
from vfl.table.table import Table
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


def score_columns(run: Run, half: GuestHalf, common: Table, logit: Vector) -> dict[str, NDArray[Any]]:
    """Return id, pd, points, band and reasons of the common customers, whose joint logits these are.

    Of an outcome that is no label id and prediction, for an offset of 0 and an exposure of 1.
    """
    if run.family:
        return {"id": np.asarray(common.ids), "prediction": run.family.mean(logit)}
    points = run.scorecard.whole_points(logit)
    columns: dict[str, NDArray[Any]] = {"id": np.asarray(common.ids), "pd": sigmoid(logit), "points": points}
    if cuts := run.job.scorecard.bands:
        bands = Bands(cuts)
        columns["band"] = np.array(bands.names, object)[bands.of(points)]
    if isinstance(half, Half) and half.averages and run.party.scores.reasons:
        partners = ", ".join(run.host_names)
        lost = losses(half, half.averages, common, logit, f"partner: {partners}", run.scorecard)
        columns |= lost.top(run.party.scores.reasons)
    return columns


def frame_of(columns: dict[str, Any]) -> pd.DataFrame:
    """Return the columns as a table."""
    import pandas as pd  # takes a quarter of a second, which no peer should wait for

    return pd.DataFrame(columns)
