"""What a report says, computed from a run: sentences and rows, no layout.

Everything here accepts a run with any key missing and then says less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parties.report.verdict import role

Run = Mapping[str, Any]

MEASURES = (
    ("rows", "rows", "count"),
    ("events", "bads", "count"),
    ("auc", "AUC", "number"),
    ("ks", "KS", "number"),
    ("gini", "Gini", "number"),
    ("deviance", "deviance", "number"),
    ("d2", "D²", "number"),
    ("rmse", "RMSE", "number"),
    ("mae", "MAE", "number"),
    ("logloss", "log-loss", "number"),
    ("brier", "Brier", "number"),
    ("mean_pd", "mean PD", "percent"),
    ("event_rate", "bad rate", "percent"),
    ("mean_prediction", "mean prediction", "number"),
    ("mean", "mean outcome", "number"),
)
"""Keys of a split's numbers, their titles and how they are written."""
STRENGTHS = ((0.02, "none"), (0.1, "weak"), (0.3, "medium"), (0.5, "strong"))
"""Siddiqi's reading of an information value: below the bound, the word."""
GROUPS = (
    ("both_approve", "both approve"),
    ("swapped_in", "only the joint model approves"),
    ("swapped_out", "only the guest's model approves"),
    ("both_refuse", "both refuse"),
)
MOST_PAIRS = 10
"""Pairs of columns whose correlation is shown."""
DRAWN_COLUMNS = 7
"""Columns whose months are drawn beside the score's."""
DRIFTS = ((0.1, "no drift to speak of"), (0.25, "some drift"))
"""The customary reading of a population stability index: below the bound, the words."""


def trust(run: Run) -> list[str]:
    """Return what the run's promise rests on, with the parties' names."""
    return [*_promised(run), *_away(run)]


def _away(run: Run) -> list[str]:
    away, guest = ", ".join(run.get("absent", [])), role(run, "guest")
    said = f"{away} stayed away, as {guest} says and nobody can check: the model is that of those present."
    return [said] if away else []


def _promised(run: Run) -> list[str]:
    guest, host, arbiter = (role(run, wanted) for wanted in ("guest", "host", "arbiter"))
    if "arbiter" not in run.get("parties", {"": "arbiter"}).values():
        crossed = f"{guest} and {host} hold a key each, and decrypt for each other what is masked."
        guests = f"{guest} holds the key, and decrypts the sums that it learns."
        return [
            "Semi-honest parties: each follows the protocol and may study all it receives.",
            f"There is no arbiter: {guests if 'trees' in run else crossed}",
        ]
    columns = " and the guest's model columns" if run.get("standard_errors") else ""
    together = f"arbiter + guest = all host logits ({arbiter} with {guest})."
    if "trees" in run:
        together = f"arbiter + guest = what the guest learns from trees anyway ({arbiter} with {guest})."
    return [
        "Semi-honest parties: each follows the protocol and may study all it receives; no two collude "
        "with the arbiter.",
        f"If they did: arbiter + host = all labels{columns} ({arbiter} with {host}).",
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


def measured(run: Run) -> list[tuple[str, str, str]]:
    """Return key, title and kind of the measures that the run has: the family of its model decides."""
    found = {key for row in measures(run) for key in row}
    return [column for column in MEASURES if column[0] in found]


def coefficients(run: Run) -> list[dict[str, Any]]:
    """Return the guest's columns with their joint and guest-only coefficient, the intercept first.

    Where there are standard errors, each has its own, z and p besides.
    """
    joint, alone = run.get("coefficients", {}), run.get("guest_only_coefficients", {})
    names = sorted({**joint, **alone}, key=lambda name: name != "intercept")
    errors = run.get("standard_errors", {})
    return [
        {"column": name, "joint": joint.get(name), "guest_only": alone.get(name), **errors.get(name, {})}
        for name in names
    ]


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


def left_out(run: Run) -> list[dict[str, str]]:
    """Return the columns that are not in the model, with their holder's name and why, as far as is known."""
    found = run.get("left_out", {})
    own = [{"column": name, "why": why} for name, why in found.get("guest", {}).items()]
    known = run.get("overlap", {})
    rest = "by the partner's part of the rules"
    theirs = [{"column": name, "why": known.get(name, rest)} for name in found.get("host", [])]
    return [
        row | {"holder": role(run, holder)}
        for holder, rows in (("guest", own), ("host", theirs))
        for row in rows
    ]


def alike(run: Run) -> list[dict[str, Any]]:
    """Return the largest correlations of a column of the guest's and one of a partner's, as learnt."""
    pairs = [
        {"guest": own, "partner": theirs, "r": r}
        for theirs, found in run.get("correlation", {}).items()
        for own, r in found.items()
    ]
    return sorted(pairs, key=lambda pair: -abs(pair["r"]))[:MOST_PAIRS]


def woe_tables(run: Run) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return by holder's name and column the bins in `run["woe"][role][column]`.

    A bin is {"bin": label, "rows", "events", "woe", "iv"}.
    """
    return {role(run, holder): columns for holder, columns in run.get("woe", {}).items()}


def swapped(run: Run) -> list[dict[str, Any]]:
    """Return the four groups of the swap set with their titles."""
    found = run.get("validation", {}).get("swap_set", {})
    return [{"title": title, **found[key]} for key, title in GROUPS if key in found]


def drifts(run: Run) -> list[tuple[str, float]]:
    """Return the guest's columns with their population stability indices, the largest first."""
    found = run.get("stability", {}).get("guest", {})
    return sorted(found.items(), key=lambda column: -column[1])


def months(run: Run) -> list[dict[str, Any]]:
    """Return by month the rows, the score's index, and the guest's column that moved most, with its index."""
    rows = []
    for row in run.get("months", []):
        column, index = max(row.get("columns", {}).items(), key=lambda found: found[1], default=(None, None))
        rows.append(
            {
                "month": row["month"],
                "rows": row["rows"],
                "score": row.get("score"),
                "column": column,
                "index": index,
            }
        )
    return rows


def moved_most(run: Run) -> list[str]:
    """Return the guest's columns whose index is the largest in any month, at most so many as are drawn."""
    most: dict[str, float] = {}
    for row in run.get("months", []):
        for name, index in row.get("columns", {}).items():
            most[name] = max(index, most.get(name, 0.0))
    return sorted(most, key=lambda name: -most[name])[:DRAWN_COLUMNS]


def drift(index: float) -> str:
    """Return the customary words for a population stability index."""
    return next((words for bound, words in DRIFTS if index < bound), "it has moved")


def strength(value: float) -> str:
    """Return the customary word for an information value."""
    return next((word for bound, word in STRENGTHS if value < bound), "very strong")


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
