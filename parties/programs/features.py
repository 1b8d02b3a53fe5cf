"""How each party's columns become columns of the joint regression, learnt from the training rows alone."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.programs.alignment import Common
from parties.programs.fitting import Keys
from parties.programs.limits import check_columns_count, check_values, check_width
from parties.programs.model import Features, columns_of, numbered
from parties.programs.precedents import check_bins
from parties.programs.run import Run, as_it_is
from vfl.crypto.paillier import PublicKey
from vfl.errors import DataError
from vfl.features import selected, woe
from vfl.stats.binned import Bins, IndicatorColumns, WoeColumns
from vfl.stats.binning import Wishes
from vfl.stats.counted import CountedBins
from vfl.stats.merging import Limits
from vfl.stats.selection import SelectionLimits, left_out
from vfl.stats.standard import Standardiser
from vfl.wire.flow import Peer

Matrix = NDArray[np.float64]
Counted = dict[str, CountedBins]


def guest_features(run: Run, common: Common) -> tuple[Features, dict[str, Any]]:
    """Return the guest's features and, of bins, what run.json says of them."""
    run.progress.phase("binning" if run.job.features.kind == "woe" else "standardising")
    if run.job.features.kind == "standard":
        return own_standard(run, common), {}
    y = common.training.label
    assert y is not None
    bins = own_bins(run, common)
    slots = bins.slots_of(columns_of(common.training))
    counted = {
        name: CountedBins.of(binning, own, y)
        for (name, binning), own in zip(bins.of.items(), slots, strict=True)
    }
    return _woe_columns(run, common, counted)


@dataclass(frozen=True, slots=True)
class HostsColumn:
    """What the guest knows of a host's column: its number there from 0, and what it is called here.

    `value`: its information value; `kept`: whether the host's selection lets it into the model.
    """

    host: Peer
    number: int
    label: str
    value: float
    kept: bool


async def hosts_columns(
    run: Run, common: Common, keys: Keys, named: dict[str, tuple[str, ...]]
) -> list[HostsColumn]:
    """Return all columns that hosts have binned, host by host.

    They go under their names or their numbers.  `named`: the names of hosts' columns, where they are told.
    """
    columns: list[HostsColumn] = []
    for host in run.hosts:
        found, kept = await _values_of(run, common, keys, host)
        labels = tuple(f"{host.name} column {j + 1}" for j in range(len(found)))
        if host.name in named:
            if len(named[host.name]) != len(found):
                raise host.blame(f"named {len(named[host.name])} columns and binned {len(found)}")
            labels = named[host.name]
            if len(run.hosts) > 1:
                labels = tuple(f"{host.name}: {name}" for name in labels)
        told = enumerate(zip(labels, found, kept, strict=True))
        columns += [HostsColumn(host, j, *column) for j, column in told]
    return columns


async def _values_of(run: Run, common: Common, keys: Keys, host: Peer) -> tuple[list[float], list[bool]]:
    """Return the information value of each of a host's columns, and whether it is kept."""
    y, told = common.training.label, run.job.disclosure.woe_to_host
    assert y is not None
    found: list[float] = await run.step(
        f"woe of {host.name}",
        lambda: woe.guest(
            y,
            told=told,
            key=keys.labels,
            rng=run.rng,
            gates=run.gates,
            host=host,
            arbiter=run.arbiter if run.job.arbiter else None,
            own=keys.pair.own if keys.pair else None,
        ),
        as_it_is,
        as_it_is,
    )
    if not run.job.features.host_selects:
        return found, [True] * len(found)
    count = len(found)
    return await run.step(f"selected of {host.name}", lambda: selected.guest(count, host=host), list, tuple)


async def host_features(run: Run, common: Common, key: PublicKey) -> tuple[Features, dict[str, Any]]:
    """Return the host's features and, of bins whose events it may know, what its run.json says of them."""
    told, columns = run.job.disclosure.woe_to_host, columns_of(common.table)
    rows, count = common.rows["train"], len(columns)
    if run.job.features.kind == "standard":
        standard = own_standard(run, common)
        check_width(run, rows, count, len(standard.names))
        return standard, {}
    bins = own_bins(run, common)
    check_bins(run, common, bins)
    indicators = None if told else IndicatorColumns.fit(bins, columns, common.train)
    check_width(run, rows, count, len(indicators.names) if indicators else count)
    codes = bins.slots_of(columns_of(common.training))
    events = await run.step(
        "woe",
        lambda: woe.host(
            codes,
            bins.sizes,
            told=told,
            key=key,
            rng=run.rng,
            gates=run.gates,
            guest=run.guest,
            arbiter=run.arbiter if run.job.arbiter else None,
        ),
        as_it_is,
        as_it_is,
    )
    if indicators:
        return indicators, {}
    features, facts = _woe_columns(
        run,
        common,
        {
            name: CountedBins(binning, pos, np.bincount(own, minlength=binning.slots) - pos)
            for (name, binning), own, pos in zip(bins.of.items(), codes, events, strict=True)
        },
    )
    if run.job.features.host_selects:
        values = list(facts["information_value"]["host"].values())
        kept = [name in features.names for name in bins.of]
        check_columns_count(run, sum(kept))
        await run.step("selected", lambda: selected.host(values, kept, guest=run.guest), as_it_is, as_it_is)
    return features, facts


def own_standard(run: Run, common: Common) -> Standardiser:
    """Return z-scores of the party's columns, once their values have passed the gates."""
    assert run.party.data is not None
    columns = columns_of(common.table)
    special = {name: said.special for name, said in run.party.data.bins.items() if said.special}
    standard = Standardiser.fit(columns, common.train, special, run.job.features.preparation)
    x = standard.transform(columns)[common.train]
    check_values(run, standard.names, numbered(standard.sources, tuple(columns)), x)
    return standard


def own_bins(run: Run, common: Common) -> Bins:
    """Return bins from the party's training rows, without a look at labels."""
    assert run.party.data is not None
    columns, rules, said = columns_of(common.table), run.job.features, run.party.data.bins
    wishes = {name: Wishes(own.cuts, own.special) for name, own in said.items()}
    bins = Bins.fit(
        columns, common.train, rules.bins, "width" if rules.binning == "width" else "quantile", wishes
    )
    if rules.binning == "quantile":
        return bins
    cut = [name for name, own in said.items() if own.cuts is not None]
    return bins.without_small(columns, common.train, woe.smallest_bin(common.rows["train"]), cut)


def _woe_columns(run: Run, common: Common, fine: Counted) -> tuple[WoeColumns, dict[str, Any]]:
    """Merge bins and leave columns out as agreed; return the columns, and what this party's books say."""
    counted = {name: _merged(run, name, column) for name, column in fine.items()}
    role = run.job.parties[run.party.party].role
    values = {name: column.information_value for name, column in counted.items()}
    facts: dict[str, Any] = {
        "information_value": {role: values},
        "woe": {role: {name: column.rows() for name, column in counted.items()}},
    }
    rules = run.job.features.selection
    if rules.leaves_out:
        x = _evidence(counted).transform(columns_of(common.training))
        limits = SelectionLimits(**rules.model_dump(exclude={"sign", "max_joint_correlation"}))
        facts["left_out"] = {role: left_out(x, values, limits)}
        counted = {name: column for name, column in counted.items() if name not in facts["left_out"][role]}
    if not counted:
        hint = "change the job's features.selection, or bring other columns"
        raise DataError(common.table.source, "no column passes the selection that was agreed", hint)
    return _evidence(counted), facts


def _evidence(counted: Counted) -> WoeColumns:
    bins = Bins({name: column.binning for name, column in counted.items()})
    return WoeColumns(bins, tuple(column.woe for column in counted.values()))


def without(features: Features, x: Matrix, left: Container[str]) -> tuple[Features, Matrix]:
    """Return features and their matrix without the columns that have left the model."""
    stay = [j for j, name in enumerate(features.names) if name not in left]
    if len(stay) == len(features.names):
        return features, x
    assert isinstance(features, WoeColumns)
    return features.only([features.names[j] for j in stay]), x[:, stay]


def check_signs(run: Run, source: str, weights: Mapping[str, float]) -> None:
    """Refuse coefficients of WOE columns below 0, if that was agreed; `weights`: without an intercept."""
    wrong = [name for name, weight in weights.items() if weight < 0]
    if run.job.features.selection.sign == "positive" and wrong:
        what = (
            f"{len(wrong)} of {len(weights)} coefficients are below 0, which features.selection.sign forbids"
        )
        named = ", ".join(map(repr, wrong))
        raise DataError(source, what, f"drop one, the least telling first, and train again: {named}")


def _merged(run: Run, name: str, column: CountedBins) -> CountedBins:
    assert run.party.data is not None
    rules, said = run.job.features, run.party.data.bins.get(name)
    if rules.binning != "optimal" or (said and said.cuts is not None):
        return column
    rows = sum(column.totals)
    least = max(woe.smallest_bin(rows), rules.min_share * rows)
    trend = (said and said.trend) or rules.trend
    return column.merged(Limits(rules.max_bins, least, woe.SMALL_CLASS), trend)
