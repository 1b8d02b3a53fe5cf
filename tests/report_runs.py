"""Runs, scores and pages for the tests of the report."""

from html.parser import HTMLParser

import numpy as np

from parties.programs.validation import curves as points_of
from parties.programs.validation import validation
from parties.report import render
from vfl.stats.metrics import evaluate
from vfl.stats.stability import score_stability

VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """The elements, ids and text of a page; every element must be closed where it was opened."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.ids, self.words = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words += data.split()

    @property
    def text(self):
        return " ".join(self.words)


def some_scores():
    """Return labels, and PDs of a joint model that is better than the guest's own."""
    rng = np.random.default_rng(3)
    y = (rng.random(1500) < 0.15).astype(np.int8)
    alone = 1 / (1 + np.exp(2 - y - 0.8 * rng.normal(size=1500)))
    joint = 1 / (1 + np.exp(2 - 2 * y - 0.8 * rng.normal(size=1500)))
    return {"y": y, "joint": joint, "guest_only": alone}


def pds(scores):
    return {model: scores[model] for model in ("joint", "guest_only")}


def validated(scores, segment=None):
    found = validation(scores["y"], pds(scores), None, segment, fitted=False)
    drift = score_stability(scores["joint"][:700], scores["joint"][700:])
    return {"split": "test", **found, "stability": drift}


def points(scores):
    """Return the points of the test rows' curves."""
    return {"test": points_of(scores["y"], pds(scores))}


def a_validated_run(scores):
    """Return a run whose test rows are validated, in three segments."""
    segment = np.array(["cards", "loans", "mortgages"] * 500, object)
    stability = {"guest": {"income": 0.3125, "age": 0.02}}
    return a_run(scores) | {"validation": validated(scores, segment), "stability": stability}


def a_run(scores):
    models = {m: evaluate(scores["y"], scores[m]) for m in ("joint", "guest_only")}
    return {
        "vfl": "0.1.0",
        "job": "retail loans",
        "purpose": "joint default model",
        "contract": "ab12" * 16,
        "run": "r-7",
        "parties": {"bank": "guest", "insurer": "host", "trustee": "arbiter"},
        "intersection": 25537,
        "rows": {"train": 17975, "test": 7562},
        "splits": {"test": models},
        "iterations": 12,
        "gradients": 13,
        "converged": True,
        "degrees": [3, 4, 8],
        "coefficients": {"income": 0.75, "intercept": -2.5},
        "guest_only_coefficients": {"intercept": -2.25, "income": 0.875},
        "standard_errors": {"income": {"standard_error": 0.125, "z": 6.0, "p": 0.0012}},
        "scorecard": {
            "base_score": 600.0,
            "base_odds": 50.0,
            "pdo": 20.0,
            "base_points": 559.25,
            "columns": {
                "income": [{"bin": "<= 1000", "points": -12.34}, {"bin": "each unit", "points": -0.00123}]
            },
        },
        "bands": {
            "test": [
                {"band": "A", "at_least": 600.0, "below": None, "rows": 40}
                | {"events": 1, "event_rate": 0.025, "mean_pd": 0.02},
                {"band": "B", "at_least": None, "below": 600.0, "rows": 0}
                | {"events": 0, "event_rate": None, "mean_pd": None},
            ]
        },
        "information_value": {"guest": {"income": 0.21}, "host": {"insurer column 1": 0.61}},
        "woe": {
            "guest": {"income": [{"bin": "<= 1000", "rows": 90, "events": 9, "woe": 0.4321, "iv": 0.0765}]}
        },
        "phases": {"ecdh": {"seconds": 1.2, "cpu_seconds": 2.3, "sent": 512_345, "received": 456}},
        "seconds": 33.1,
        "cpu_seconds": 44.2,
        "peak_memory_mb": 310,
        "gates_overridden": ["small_bins: bins of 40 rows"],
        "warnings": ["the intersection is small"],
    }


LEDGER = {
    "party": "bank",
    "entries": [
        {
            "to": "insurer",
            "phase": "regression",
            "message": "LogitRange",
            "reveals": "a range.",
            "messages": 13,
            "plain_numbers": 26,
            "plain_bits": 1664,
            "sealed_values": 7,
            "bytes": 990,
        }
    ],
}


def a_run_of_trees(scores):
    regression = ("iterations", "converged", "degrees", "coefficients", "guest_only_coefficients", "woe")
    run = {key: value for key, value in a_run(scores).items() if key not in regression}
    each = {"depth": 4, "leaves": 16, "splits": {"bank": 9, "insurer": 6}, "seconds": 1.25}
    worth = [("bank", "income", 30, 750.5), ("insurer", "column 3", 12, 249.5)]
    told = {"equations_per_row": 1.234, "split_bits_per_row": 56.7, "node_bits_per_row": 89.1}
    run["information_value"] = {}
    run["trees"] = {
        "kept": 2,
        "grown": 3,
        "losses": [0.5, 0.4321, 0.44],
        "each": [each, each],
        "disclosed": {"insurer": told},
        "importances": [
            {"party": party, "column": column, "splits": splits, "gain": gain, "cover": 1.0}
            for party, column, splits, gain in worth
        ],
    }
    return run


def page(tmp_path, run, ledgers=(), curves=None):
    out = tmp_path / "report.html"
    out.write_text(render(run, list(ledgers), curves or {}), encoding="utf-8")
    return Page(out.read_text(encoding="utf-8"))
