"""What a report says first: whether the partner helps, by how much, and what the model is not for.

Everything here accepts a run with any key missing and then says less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vfl.stats.metrics import Z95

Run = Mapping[str, Any]
Estimate = tuple[float, float, float]

LITTLE_AUC = 0.005
"""A gain in AUC below this is called little, however certain."""
FEW_BADS = 100
"""Fewer bads than this are called few to judge by."""
TITLES = {"auc": "AUC", "ks": "KS", "gini": "Gini"}
LEAST_P = 0.05


def main_split(run: Run) -> str:
    """Return the split that the headline speaks of: test where there is one."""
    names = [run["validation"]["split"]] if run.get("validation") else [*run.get("splits", {})]
    return "test" if "test" in names or not names else names[0]


def role(run: Run, wanted: str) -> str:
    """Return the names of the parties that play a role, or the role's own name."""
    names = [name for name, played in run.get("parties", {}).items() if played == wanted]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or f"the {wanted}"


def _of_hosts(run: Run, one: str, several: str) -> str:
    """Return the words that go with one host, or with several."""
    return several if list(run.get("parties", {}).values()).count("host") > 1 else one


def gain(run: Run) -> Estimate | None:
    """Return AUC(joint) - AUC(guest only) on the main split with its 95 % interval, None if unknown.

    From both models' resamples where they were taken; else from the two intervals as if the models
    were independent, which is wider.
    """
    models = _models(run)
    joint, alone = models.get("joint", {}), models.get("guest_only", {})
    if joint.get("auc") is None or alone.get("auc") is None:
        return None
    difference = joint["auc"] - alone["auc"]
    if paired := _intervals(run).get("auc"):
        low, high = paired["uplift"]
        return difference, low, high
    reach = Z95 * float(np.hypot(_standard_error(joint), _standard_error(alone)))
    return difference, difference - reach, difference + reach


def helps(run: Run) -> bool:
    """Tell whether the joint model is better beyond chance."""
    measured = gain(run)
    if measured is None:
        return bool(_lowered(run).get("low", 0.0) > 0)
    return measured[1] > 0


def verdict(run: Run) -> str:
    """Return one plain sentence: whether the partner adds anything."""
    measured = gain(run)
    if measured is None:
        return _deviances(run) or (
            "Whether the partner adds anything was not measured: there is no guest-only model to compare."
        )
    difference, low, high = measured
    partner, split, adds = role(run, "host"), main_split(run), _of_hosts(run, "adds", "add")
    figures = f"AUC {difference:+.4f} on the {split} rows, 95 % interval {low:+.4f} to {high:+.4f}"
    if low > 0:
        amount = "discrimination" if difference >= LITTLE_AUC else "little, though measurably"
        return f"{partner} {adds} {amount}: {figures}."
    if high < 0:
        return f"{partner} {_of_hosts(run, 'makes', 'make')} the model worse: {figures}."
    return f"{partner} {adds} nothing that these rows can show: {figures}, which includes zero."


def _deviances(run: Run) -> str:
    """Return one sentence on models that predict amounts or counts; nothing where they were not measured."""
    joint, alone = (_models(run).get(name, {}).get("deviance") for name in ("joint", "guest_only"))
    if joint is None or alone is None:
        return ""
    does, lowers, it = _of_hosts(run, "does lowers it", "do lower them").split()
    said = lowers if joint < alone else f"{does} not lower"
    figures = (
        f"{role(run, 'host')} {said} the deviance on the {main_split(run)} rows: {joint:.5g} with {it}, "
        f"{alone:.5g} without"
    )
    if found := _lowered(run):
        chance = ", which includes zero" if found["low"] <= 0 <= found["high"] else ""
        return (
            f"{figures}; it gains {found['gain']:.4g}, 95 % interval {found['low']:.4g} to "
            f"{found['high']:.4g}{chance}."
        )
    return f"{figures}. No interval was taken: a small difference may be chance."


def _lowered(run: Run) -> Mapping[str, float]:
    found: Mapping[str, float] = run.get("validation", {}).get("deviance", {})
    return found


def consequence(run: Run) -> str:
    """Return what that means for whom to approve, by the swap set; nothing where there is none."""
    found = run.get("validation", {}).get("swap_set")
    if not found or found["joint_approves"]["rate"] is None:
        return ""
    joint, alone, swapped = (found[key] for key in ("joint_approves", "guest_only_approves", "swapped_in"))
    total = found["both_refuse"]["rows"] + found["swapped_out"]["rows"] + joint["rows"]
    return (
        f"Approving {_percent(joint['rows'] / total, 0)} of these customers, {role(run, 'guest')} would have "
        f"{count(joint['bads'])} bads among them with the joint model ({_percent(joint['rate'])}) and "
        f"{count(alone['bads'])} with its own ({_percent(alone['rate'])}); the models disagree on "
        f"{count(2 * swapped['rows'])} customers."
    )


def headline(run: Run) -> list[dict[str, Any]]:
    """Return by measure both models' values, their difference and all intervals, on the main split."""
    models, intervals = _models(run), _intervals(run)
    rows = []
    for key, title in TITLES.items():
        values = {name: numbers[key] for name, numbers in models.items() if numbers.get(key) is not None}
        if {"joint", "guest_only"} <= set(values):
            values["uplift"] = values["joint"] - values["guest_only"]
        ends = intervals.get(key) or _apart(key, models)
        if values:
            rows.append({"key": key, "title": title, "values": values, "intervals": ends})
    return rows


def limits(run: Run) -> list[str]:
    """Return what the model must not be used for, and what was not looked at."""
    guest, host = role(run, "guest"), role(run, "host")
    known = f"{count(run['intersection'])} " if "intersection" in run else ""
    said = [
        f"Customers whom {_of_hosts(run, '', 'one of ')}{host} does not know: the model was fitted on the "
        f"{known}common customers, and needs {host} for every score.",
        f"Customers of a kind that {guest} has not accepted so far: their outcomes are not in the data, and "
        "nothing here corrects for that.",
        "Reasons that name a partner's columns: they are one group to the other parties, unless the "
        "contract names them.",
        *_rows_limits(run),
        *_pd_limits(run),
        *_order_limits(run),
    ]
    if not run.get("validation", {}).get("segments"):
        name = "And " if "family" in run else "Name a column with data.segment; "
        fair = "whether the model is lawful and fair is for people to decide."
        said.append(f"Claims about groups of customers: none was looked at. {name}{fair}")
    if "trees" in run:
        said.append(
            f"Cases where {guest} must not learn the columns of {host}: trees give it a coarse copy of them."
        )
    return said


def _rows_limits(run: Run) -> list[str]:
    models, split = _models(run), main_split(run)
    said = []
    if split == "train" and models:
        said.append(
            "Promises about new customers: only training rows were measured, on which every model looks "
            "better."
        )
    if (bads := models.get("joint", {}).get("events")) is not None and bads < FEW_BADS:
        said.append(f"Fine distinctions: {bads} bads on the {split} rows are few, as the intervals show.")
    return said


def _pd_limits(run: Run) -> list[str]:
    """Return what speaks against taking the PD at its word."""
    rate = _models(run).get("joint", {}).get("event_rate")
    if rate is None:
        return []
    said = [
        f"Portfolios and years with another bad rate than the {_percent(rate)} of these rows: the PD must be "
        "calibrated anew."
    ]
    found = run.get("validation", {}).get("calibration", {}).get("joint", {})
    line, test = found.get("line"), found.get("hosmer_lemeshow")
    if line and not line["slope_low"] <= 1 <= line["slope_high"]:
        how = "too far apart" if line["slope"] < 1 else "too close together"
        said.append(
            f"The PD as it stands, in pricing or provisions: PDs are {how} (slope {line['slope']:.2f}, 95 % "
            f"interval {line['slope_low']:.2f} to {line['slope_high']:.2f})."
        )
    elif test and test["p_value"] < LEAST_P:
        said.append(
            "The PD as it stands, in pricing or provisions: it misses the bad rates of tenths by more than "
            f"chance (Hosmer and Lemeshow, p = {test['p_value']:.1g})."
        )
    return said


def _order_limits(run: Run) -> list[str]:
    return (
        []
        if helps(run) or gain(run) is None
        else ["A reason to exchange data: these rows do not show that the partner's columns help."]
    )


def _models(run: Run) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = run.get("splits", {}).get(main_split(run), {})
    return found


def _intervals(run: Run) -> Mapping[str, Mapping[str, tuple[float, float]]]:
    found: Mapping[str, Mapping[str, tuple[float, float]]] = run.get("validation", {}).get("intervals", {})
    return found


def count(value: int) -> str:
    """Return an integer with its thousands apart."""
    return f"{value:,}".replace(",", "\u202f")


def _percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f} %"


def _apart(key: str, models: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Return the intervals that come with each model's own AUC, on the scale of the AUC or of Gini."""
    ends = {name: (model.get("auc_low"), model.get("auc_high")) for name, model in models.items()}
    scale, shift = {"auc": (1, 0), "gini": (2, -1)}.get(key, (0, 0))
    return {
        name: (scale * low + shift, scale * high + shift)
        for name, (low, high) in ends.items()
        if scale and low is not None and high is not None
    }


def _standard_error(model: Mapping[str, Any]) -> float:
    """Return the standard error behind an AUC's interval, by the end that [0, 1] cut off least."""
    ends = (model.get("auc_low"), model.get("auc_high"))
    return max((abs(model["auc"] - end) for end in ends if end is not None), default=0.0) / Z95
