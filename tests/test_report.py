"""The report says what the run says, loads nothing, and says less when it knows less."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from parties.report import content, plots, render
from vfl.stats.metrics import evaluate

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


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(3)
    y = (rng.random(1500) < 0.15).astype(np.int8)
    alone = 1 / (1 + np.exp(2 - y - 0.8 * rng.normal(size=1500)))
    joint = 1 / (1 + np.exp(2 - 2 * y - 0.8 * rng.normal(size=1500)))
    return {"y": y, "joint": joint, "guest_only": alone}


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


def page(tmp_path, run, ledgers=(), curves=None):
    out = tmp_path / "report.html"
    out.write_text(render(run, list(ledgers), curves or {}), encoding="utf-8")
    return Page(out.read_text(encoding="utf-8"))


def test_the_page_says_all_that_the_run_says(tmp_path, scores):
    run = a_run(scores)
    text = page(tmp_path, run, [LEDGER], {"test": scores}).text
    for said in (
        "retail loans",
        "joint default model",
        run["contract"],
        "bank (guest)",
        "25 537",
        f"{run['splits']['test']['joint']['auc']:.4f}",
        f"{run['splits']['test']['guest_only']['ks']:.4f}",
        "-2.2500",
        "0.6100 very strong",
        "<= 1000 90 9 0.4321",
        "Scorecard of bank 600 points are odds of 50 good",
        "begins with 559.2 points",
        "income bin points <= 1000 -12.3 each unit -0.00123",
        "A 600 and more 40 1 2.50 % 2.00 % B below 600 0 0 – –",
        "arbiter + host = all labels",
        "arbiter + guest = all host logits",
        "small_bins: bins of 40 rows",
        "the intersection is small",
        "LogitRange",
        "Reveals: a range.",
        "bank → insurer",
        "ecdh 1.2 2.3 512.3 kB",
        "33.1, 44.2 of CPU",
        "12, 13 gradients, converged",
        "Does the partner help? insurer adds discrimination",
    ):
        assert said in text, said


def test_the_page_has_four_drawings_no_scripts_and_loads_nothing(tmp_path, scores):
    run = a_run(scores)
    parsed = page(tmp_path, run, [LEDGER], {"test": scores})
    assert parsed.elements.count("svg") == 4
    assert not {"script", "link", "img", "iframe"} & set(parsed.elements)
    assert len(parsed.ids) == len(set(parsed.ids))
    html = (tmp_path / "report.html").read_text()
    assert "prefers-color-scheme: dark" in html
    assert not re.findall(r"""(?:src|[^:]href)\s*=\s*["'](?!#)|url\((?!#)|@import""", html)


def test_every_key_of_a_run_may_be_missing(tmp_path, scores):
    run = a_run(scores)
    assert "not measured" in page(tmp_path, {}).text
    for key in run:
        page(tmp_path, {k: v for k, v in run.items() if k != key}, [LEDGER])
    page(tmp_path, {}, [{}], {"test": scores})
    page(tmp_path, {"splits": {"test": {"joint": {}}}}, [], {"test": {"y": scores["y"]}})


def test_a_split_with_one_class_has_a_page_without_curves(tmp_path, scores):
    y = np.zeros(20, np.int8)
    flat = {"y": y, "joint": scores["joint"][:20], "guest_only": scores["guest_only"][:20]}
    parsed = page(tmp_path, a_run(flat), [], {"test": flat})
    assert "svg" not in parsed.elements
    assert "not measured" in parsed.text


def test_names_from_outside_are_text_and_never_markup(tmp_path, scores):
    nasty = "<script>alert(1)</script>"
    run = a_run(scores) | {"job": nasty, "coefficients": {nasty: 1.0}, "warnings": [nasty]}
    entry = LEDGER["entries"][0] | {"reveals": nasty}
    parsed = page(tmp_path, run, [{"party": nasty, "entries": [entry]}], {"test": scores})
    assert "script" not in parsed.elements
    assert parsed.text.count(nasty) >= 4


def test_what_a_contract_shows_besides_stands_on_the_page(tmp_path, scores):
    rates = {"mean_pd_before": 0.159, "mean_pd_after": 0.0681, "event_rate": 0.0679}
    run = a_run(scores) | {
        "calibration": {"intercept": -1.25, "slope": 1.875, "splits": {"test": rates}},
        "joint_coefficients": {"bank": {"income": 0.75}, "insurer": {"column 1": -0.3125}},
        "rounding": {"test": evaluate(scores["y"], scores["guest_only"])},
    }
    text = page(tmp_path, run, [LEDGER], {"test": scores}).text
    for said in ("15.90 %", "6.81 %", "6.79 %", "-1.2500", "1.8750", "-0.3125", "0.0765"):
        assert said in text
    assert "test, joint, host's part to one point" in text
    assert "stay with the partner" not in text


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


def test_the_first_thing_after_the_headline_is_what_trees_disclose(tmp_path, scores):
    text = page(tmp_path, a_run_of_trees(scores), [LEDGER], {"test": scores}).text
    places = [
        text.index(said)
        for said in (
            "Does the partner help?",
            "On the test rows, with 95 % intervals",
            "What these trees disclose",
            "Trees give bank a coarse copy of the columns of insurer that they use.",
            "It has learned 1.23 exact equations on the bins of insurer, and 56.7 bits of splits",
            "56.7 bits a training row",
            "89.1 bits a training row",
            "test, joint",
            "What each column is worth",
            "income bank 30 750.5 75.0 % column 3 insurer 12 249.5 24.9 %",
            "2 trees of 3 grown; the lowest log-loss of the held-back rows is 0.4321",
            "1 4 16 9 6 0.5000 1.25 2 4 16 9 6 0.4321 1.25",
            "arbiter + guest = what the guest learns from trees anyway",
        )
    ]
    assert places == sorted(places)
    assert "Coefficients" not in text and "Information value" not in text


def test_trees_without_an_arbiter_rest_on_no_arbiter(tmp_path, scores):
    run = a_run_of_trees(scores) | {"parties": {"bank": "guest", "insurer": "host"}}
    text = page(tmp_path, run, [LEDGER], {"test": scores}).text
    assert "There is no arbiter: bank holds the key, and decrypts the sums that it learns." in text
    assert "collude" not in text


def test_the_page_of_a_regression_says_nothing_of_trees(tmp_path, scores):
    assert "trees" not in page(tmp_path, a_run(scores), [LEDGER], {"test": scores}).text.lower()


def test_the_same_run_gives_the_same_bytes(tmp_path, scores):
    run = a_run(scores)
    for name in "ab":
        (tmp_path / name).write_text(render(run, [LEDGER], {"test": scores}), encoding="utf-8")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("joint", "sentence"),
    [
        (0.80, "insurer adds discrimination: AUC +0.0500"),
        (0.753, "insurer adds little, though measurably: AUC +0.0030"),
        (0.7501, "insurer adds nothing that these rows can show: AUC +0.0001"),
        (0.70, "insurer makes the model worse: AUC -0.0500"),
    ],
)
def test_the_verdict_follows_the_interval_of_the_difference(joint, sentence):
    def model(auc):
        return {"auc": auc, "auc_low": auc - 0.001, "auc_high": auc + 0.001}

    run = {
        "parties": {"insurer": "host"},
        "splits": {"test": {"joint": model(joint), "guest_only": model(0.75)}},
    }
    assert content.verdict(run, {}).startswith(sentence)


def test_scores_on_the_same_rows_give_a_narrower_interval_than_two_aucs(scores):
    run = a_run(scores)
    paired, apart = content.gain(run, {"test": scores}), content.gain(run, {})
    assert paired[0] == pytest.approx(apart[0])
    assert paired[2] - paired[1] < apart[2] - apart[1]


def test_lift_accounts_for_every_row_and_every_bad(scores):
    rows = content.lift(scores["y"], scores["joint"])
    assert sum(row["rows"] for row in rows) == len(scores["y"])
    assert sum(row["bads"] for row in rows) == scores["y"].sum()
    assert rows[-1]["captured"] == pytest.approx(1)
    assert rows[0]["lift"] > 1 > rows[-1]["lift"]


def test_receivers_are_told_the_sum_of_what_they_were_sent():
    bare = LEDGER["entries"][0] | {"from": "trustee"}
    entries = content.disclosures([LEDGER, bare])
    assert [entry["from"] for entry in entries] == ["bank", "trustee"]
    assert content.learned(entries) == [
        {"party": "insurer", "plain_numbers": 52, "plain_bits": 3328, "sealed_values": 14}
    ]


def test_wilson_intervals_hold_their_rate_even_at_the_ends():
    for events, rows in ((0, 10), (10, 10), (3, 17)):
        low, rate, high = plots.wilson(events, rows)
        assert 0 <= low <= rate <= high <= 1
    assert plots.wilson(5, 50) == pytest.approx((0.0435, 0.1, 0.2136), abs=1e-4)
