"""What a report says, computed from a run: sentences and rows, no layout.

Everything here accepts a run with any key missing and then says less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.stats.metrics import Z95, auc_difference, ks_interval

Run = Mapping[str, Any]
Curves = Mapping[str, Mapping[str, NDArray[Any]]]

LITTLE_AUC = 0.005
"""A gain in AUC below this is called little, however certain."""
STRENGTHS = ((0.02, "none"), (0.1, "weak"), (0.3, "medium"), (0.5, "strong"))
"""Siddiqi's reading of an information value: below the bound, the word."""
TENTHS = 10


def main_split(run: Run, curves: Curves) -> str:
    """Return the split that the headline speaks of: test where there is one."""
    names = [*run.get("splits", {}), *curves]
    return "test" if "test" in names or not names else names[0]


def role(run: Run, wanted: str) -> str:
    """Return the names of the parties that play a role, or the role's own name."""
    names = [name for name, played in run.get("parties", {}).items() if played == wanted]
    return ", ".join(names) or f"the {wanted}"


def gain(run: Run, curves: Curves) -> tuple[float, float, float] | None:
    """Return AUC(joint) - AUC(guest only) on the main split with its 95 % interval, None if unknown.

    Paired (DeLong) where the scores are at hand; else from the two intervals as if the models were
    independent, which is wider.
    """
    split = main_split(run, curves)
    scores = curves.get(split, {})
    if {"y", "joint", "guest_only"} <= set(scores):
        return auc_difference(scores["y"], scores["joint"], scores["guest_only"])
    models = run.get("splits", {}).get(split, {})
    joint, alone = models.get("joint", {}), models.get("guest_only", {})
    if joint.get("auc") is None or alone.get("auc") is None:
        return None
    difference = joint["auc"] - alone["auc"]
    reach = Z95 * float(np.hypot(_standard_error(joint), _standard_error(alone)))
    return difference, difference - reach, difference + reach


def verdict(run: Run, curves: Curves) -> str:
    """Return one plain sentence: whether the partner adds anything."""
    measured = gain(run, curves)
    if measured is None:
        return "Whether the partner adds anything was not measured: there is no guest-only model to compare."
    difference, low, high = measured
    partner, split = role(run, "host"), main_split(run, curves)
    figures = f"AUC {difference:+.4f} on the {split} rows, 95 % interval {low:+.4f} to {high:+.4f}"
    if low > 0:
        amount = "adds discrimination" if difference >= LITTLE_AUC else "adds little, though measurably"
        return f"{partner} {amount}: {figures}."
    if high < 0:
        return f"{partner} makes the model worse: {figures}."
    return f"{partner} adds nothing that these rows can show: {figures}, which includes zero."


def headline(run: Run, curves: Curves) -> dict[str, dict[str, Any]]:
    """Return each model's numbers on the main split, with intervals also of Gini and, from scores, of KS."""
    split = main_split(run, curves)
    scores = curves.get(split, {})
    models: dict[str, dict[str, Any]] = {}
    for model, numbers in run.get("splits", {}).get(split, {}).items():
        models[model] = {**numbers, **_gini_interval(numbers)}
        if numbers.get("ks") is not None and {"y", model} <= set(scores):
            models[model] |= zip(("ks_low", "ks_high"), ks_interval(scores["y"], scores[model]), strict=True)
    return models


def trust(run: Run) -> list[str]:
    """Return what the run's promise rests on, with the parties' names."""
    guest, host, arbiter = (role(run, wanted) for wanted in ("guest", "host", "arbiter"))
    if "arbiter" not in run.get("parties", {"": "arbiter"}).values():
        crossed = f"{guest} and {host} hold a key each, and decrypt for each other what is masked."
        guests = f"{guest} holds the key, and decrypts the sums that it learns."
        return [
            "Semi-honest parties: each follows the protocol and may study all it receives.",
            f"There is no arbiter: {guests if 'trees' in run else crossed}",
        ]
    together = f"arbiter + guest = all host logits ({arbiter} with {guest})."
    if "trees" in run:
        together = f"arbiter + guest = what the guest learns from trees anyway ({arbiter} with {guest})."
    return [
        "Semi-honest parties: each follows the protocol and may study all it receives; no two collude "
        "with the arbiter.",
        f"If they did: arbiter + host = all labels ({arbiter} with {host}).",
        f"If they did: {together}",
    ]


def disclosed_by_trees(run: Run) -> list[dict[str, Any]]:
    """Return by host what growing trees told, a training row; nothing for a regression."""
    found = run.get("trees", {}).get("disclosed", {})
    return [{"host": host, **numbers} for host, numbers in found.items()]


def importances(run: Run) -> list[dict[str, Any]]:
    """Return what each column is worth to the trees, with its share of all gains."""
    rows = run.get("trees", {}).get("importances", [])
    total = sum(row["gain"] for row in rows)
    return [{**row, "share": row["gain"] / total if total else 0.0} for row in rows]


def trees(run: Run) -> list[dict[str, Any]]:
    """Return one row per new tree of the model: its number, depth, leaves, splits by party and seconds."""
    grown = run.get("trees", {})
    first = grown.get("before", 0) + 1
    return [{"number": number, **tree} for number, tree in enumerate(grown.get("each", []), start=first)]


def measures(run: Run) -> list[dict[str, Any]]:
    """Return one row per split and model: its `evaluate` numbers with "split" and "model".

    Where the host's logits are exact, the joint model with rounded ones stands beside.
    """
    rounded = run.get("rounding", {})
    return [
        {**numbers, "split": split, "model": model.replace("_", " ")}
        for split, models in run.get("splits", {}).items()
        for model, numbers in [
            *models.items(),
            *([("joint, host's part to one point", rounded[split])] if split in rounded else []),
        ]
    ]


def coefficients(run: Run) -> list[dict[str, Any]]:
    """Return the guest's columns with their joint and guest-only coefficient, the intercept first."""
    joint, alone = run.get("coefficients", {}), run.get("guest_only_coefficients", {})
    names = sorted({**joint, **alone}, key=lambda name: name != "intercept")
    return [{"column": name, "joint": joint.get(name), "guest_only": alone.get(name)} for name in names]


def joint_coefficients(run: Run) -> list[dict[str, Any]]:
    """Return all parties' coefficients in one list, where the contract lets them be shown."""
    return [
        {"holder": holder, "column": column, "joint": weight}
        for holder, weights in run.get("joint_coefficients", {}).items()
        for column, weight in weights.items()
    ]


def bands(run: Run, split: str) -> list[dict[str, Any]]:
    """Return the score bands of a split, each with its points in words."""
    return [{**row, "points": _span(row)} for row in run.get("bands", {}).get(split, [])]


def bias(run: Run) -> list[dict[str, Any]]:
    """Return by split the mean PD before and after the calibration of sigmoid: taylor, and the bad rate."""
    return [{"split": name, **rates} for name, rates in run.get("calibration", {}).get("splits", {}).items()]


def information(run: Run) -> list[dict[str, Any]]:
    """Return every column's information value, largest first, with its holder's name and strength."""
    rows = [
        {"holder": role(run, holder), "column": column, "value": value, "strength": strength(value)}
        for holder, values in run.get("information_value", {}).items()
        for column, value in values.items()
    ]
    return sorted(rows, key=lambda row: -row["value"])


def woe_tables(run: Run) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return by holder's name and column the bins in `run["woe"][role][column]`.

    A bin is {"bin": label, "rows", "events", "woe", "iv"}.
    """
    return {role(run, holder): columns for holder, columns in run.get("woe", {}).items()}


def strength(value: float) -> str:
    """Return the customary word for an information value."""
    return next((word for bound, word in STRENGTHS if value < bound), "very strong")


def lift(y: NDArray[Any], pd: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return one row per tenth of the customers, riskiest first: rows, bads, rates, capture and lift."""
    tenths = np.array_split(np.argsort(-pd, kind="stable"), min(TENTHS, len(y)))
    overall, found, rows = float(np.mean(y)), 0, []
    for number, members in enumerate(tenths, start=1):
        bads = int(y[members].sum())
        found += bads
        rate = bads / len(members)
        rows.append(
            {
                "tenth": number,
                "rows": len(members),
                "bads": bads,
                "rate": rate,
                "mean_pd": float(pd[members].mean()),
                "captured": found / (overall * len(y)),
                "lift": rate / overall,
            }
        )
    return rows


def disclosures(ledgers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every ledger entry on one list, each with the party that sent it ("from").

    A ledger is {"party": name, "entries": [..]}; a bare entry may name its sender itself.
    """
    entries: list[dict[str, Any]] = []
    for ledger in ledgers:
        sender = ledger.get("party", ledger.get("from"))
        entries += ({"from": sender, **entry} for entry in ledger.get("entries", [ledger]))
    return entries


def learned(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return, by receiver, the plain numbers, plain bits and sealed values it was sent in all."""
    totals: dict[str, dict[str, Any]] = {}
    for entry in entries:
        row = totals.setdefault(
            entry.get("to", "?"), {"plain_numbers": 0, "plain_bits": 0, "sealed_values": 0}
        )
        for key in row:
            row[key] += entry.get(key) or 0
    return [{"party": party, **row} for party, row in totals.items()]


def _span(band: Mapping[str, Any]) -> str:
    low, high = band["at_least"], band["below"]
    if low is None:
        return f"below {high:g}"
    return f"{low:g} and more" if high is None else f"{low:g} to below {high:g}"


def _gini_interval(numbers: Mapping[str, Any]) -> dict[str, float]:
    """Return the AUC's interval on Gini's scale, where there is one."""
    ends = {"gini_low": numbers.get("auc_low"), "gini_high": numbers.get("auc_high")}
    return {key: 2 * end - 1 for key, end in ends.items() if end is not None}


def _standard_error(model: Mapping[str, Any]) -> float:
    """Return the standard error behind an AUC's interval, by the end that [0, 1] cut off least."""
    ends = (model.get("auc_low"), model.get("auc_high"))
    return max((abs(model["auc"] - end) for end in ends if end is not None), default=0.0) / Z95
