"""How each party's columns become columns of the joint regression, learnt from the training rows alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from parties.programs.alignment import Common
from parties.programs.limits import check_values, check_width
from parties.programs.model import Features, columns_of, numbered
from parties.programs.run import Run, as_it_is
from vfl.crypto.paillier import PublicKey
from vfl.features import woe
from vfl.stats.binned import Bins, IndicatorColumns, WoeColumns
from vfl.stats.counted import CountedBins
from vfl.stats.standard import Standardiser


def guest_features(run: Run, common: Common) -> tuple[Features, dict[str, Any]]:
    """Return the guest's features and, of bins, what run.json says of them."""
    columns = columns_of(common.table)
    if run.job.features.kind == "standard":
        standard = Standardiser.fit(columns, common.train)
        x = standard.transform(columns)[common.train]
        check_values(run, standard.names, numbered(standard.sources, tuple(columns)), x)
        return standard, {}
    bins = Bins.fit(columns, common.train, run.job.features.bins)
    y = common.training.label
    assert y is not None
    counted = {
        name: CountedBins.of(binning, slots[common.train], y)
        for (name, binning), slots in zip(bins.of.items(), bins.slots_of(columns), strict=True)
    }
    facts = {
        "information_value": {"guest": _values(counted), "host": {}},
        "woe": {"guest": {name: column.rows() for name, column in counted.items()}},
    }
    return WoeColumns(bins, tuple(column.woe for column in counted.values())), facts


async def host_values(run: Run, common: Common, key: PublicKey, named: tuple[str, ...]) -> dict[str, float]:
    """Return the information value of each of the host's columns, under its name or its number."""
    y = common.training.label
    assert y is not None
    told = run.job.disclosure.woe_to_host
    found = await run.step(
        "woe",
        lambda: woe.guest(
            y, told=told, key=key, rng=run.rng, gates=run.gates, host=run.host, arbiter=run.arbiter
        ),
        as_it_is,
        as_it_is,
    )
    if named and len(named) != len(found):
        raise run.host.blame(f"named {len(named)} columns and binned {len(found)}")
    labels = named or tuple(f"{run.host.name} column {j + 1}" for j in range(len(found)))
    return dict(zip(labels, found, strict=True))


async def host_features(run: Run, common: Common, key: PublicKey) -> tuple[Features, dict[str, Any]]:
    """Return the host's features and, of bins whose events it may know, what its run.json says of them."""
    job, columns = run.job, columns_of(common.table)
    rows, count = common.rows["train"], len(columns)
    if job.features.kind == "standard":
        standard = Standardiser.fit(columns, common.train)
        check_width(run, rows, count, len(standard.names))
        x = standard.transform(columns)[common.train]
        check_values(run, standard.names, numbered(standard.sources, tuple(columns)), x)
        return standard, {}
    bins = Bins.fit(columns, common.train, job.features.bins)
    told = job.disclosure.woe_to_host
    indicators = None if told else IndicatorColumns.fit(bins, columns, common.train)
    check_width(run, rows, count, len(indicators.names) if indicators else count)
    codes = [slots[common.train] for slots in bins.slots_of(columns)]
    events = await run.step(
        "woe",
        lambda: woe.host(
            codes, bins.sizes, told=told, key=key, rng=run.rng, gates=run.gates, guest=run.guest
        ),
        as_it_is,
        as_it_is,
    )
    if indicators:
        return indicators, {}
    counted = {
        name: CountedBins(binning, pos, np.bincount(slots, minlength=binning.slots) - pos)
        for (name, binning), slots, pos in zip(bins.of.items(), codes, events, strict=True)
    }
    facts = {
        "information_value": {"host": _values(counted)},
        "woe": {"host": {name: column.rows() for name, column in counted.items()}},
    }
    return WoeColumns(bins, tuple(column.woe for column in counted.values())), facts


def _values(counted: dict[str, CountedBins]) -> dict[str, float]:
    return {name: column.information_value for name, column in counted.items()}
