"""The report says what the run says, loads nothing, and says less when it knows less."""

import json
import re

import numpy as np
import pytest
from report_runs import LEDGER, a_run, a_run_of_trees, a_validated_run, page, pds, points_of, some_scores
from report_runs import points as drawn_points

from parties.programs.validation import validation
from parties.report import content, plots, render
from parties.report.stored import redrawn
from vfl.errors import ConfigError
from vfl.stats.metrics import evaluate


@pytest.fixture(scope="module", name="scores")
def made_scores():
    return some_scores()


@pytest.fixture(scope="module", name="a_validated_run")
def made_run(scores):
    return a_validated_run(scores)


@pytest.fixture(scope="module")
def points(scores):
    return drawn_points(scores)


def test_the_page_says_all_that_the_run_says(tmp_path, a_validated_run, points):
    run = a_validated_run
    text = page(tmp_path, run, [LEDGER], points).text
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
        "income 0.7500 0.1250 6.00 0.0012 0.8750",
        "arbiter + host = all labels and the guest's model columns",
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


def test_the_page_has_six_drawings_in_words_too_no_scripts_and_loads_nothing(
    tmp_path, a_validated_run, points
):
    run = a_validated_run
    parsed = page(tmp_path, run, [LEDGER], points)
    assert parsed.elements.count("svg") == parsed.elements.count("desc") == 6
    assert parsed.elements.count("title") == 1 + 6
    assert "the riskiest tenth holds" in parsed.text
    assert not {"script", "link", "img", "iframe"} & set(parsed.elements)
    assert len(parsed.ids) == len(set(parsed.ids))
    html = (tmp_path / "report.html").read_text()
    assert "prefers-color-scheme: dark" in html
    assert not re.findall(r"""(?:src|[^:]href)\s*=\s*["'](?!#)|url\((?!#)|@import""", html)


def test_every_table_scrolls_in_one_box_of_its_own(a_validated_run, points):
    html = render(a_validated_run, [LEDGER], points)
    assert html.count("<table") == html.count('<div class="wide"') > 10


def test_every_key_of_a_run_may_be_missing(tmp_path, scores, a_validated_run, points):
    run = a_run(scores)
    assert "not measured" in page(tmp_path, {}).text
    for key in run:
        page(tmp_path, {k: v for k, v in run.items() if k != key}, [LEDGER])
    run = a_validated_run
    page(tmp_path, {}, [{}], points)
    for key in run["validation"]:
        left = {k: v for k, v in run["validation"].items() if k not in (key, "split")}
        page(tmp_path, run | {"validation": {"split": "test"} | left}, [LEDGER])
    page(tmp_path, {"splits": {"test": {"joint": {}}}}, [], {"test": {"roc": points["test"]["roc"]}})


def test_a_split_with_one_class_has_a_page_without_curves(tmp_path, scores):
    y = np.zeros(20, np.int8)
    flat = {"y": y, "joint": scores["joint"][:20], "guest_only": scores["guest_only"][:20]}
    run = a_run(flat) | {"validation": {"split": "test"} | validation(y, pds(flat), None, None, fitted=False)}
    parsed = page(tmp_path, run, [], {"test": points_of(y, pds(flat))})
    assert "svg" not in parsed.elements
    assert "not measured" in parsed.text


def test_the_page_says_what_the_validation_says(tmp_path, a_validated_run, points):
    text = page(tmp_path, a_validated_run, [LEDGER], points).text
    found = a_validated_run["validation"]
    low, high = found["intervals"]["ks"]["uplift"]
    line, swapped = found["calibration"]["joint"]["line"], found["swap_set"]["swapped_in"]
    for said in (
        f"difference {low:+.4f} to {high:+.4f}",
        "from 1 000 resamples of these rows",
        f"{line['slope']:.3f} {line['slope_low']:.3f} to {line['slope_high']:.3f}",
        f"Customers with a PD of {100 * found['cutoff']:.2f} % or more are refused",
        f"only the joint model approves {swapped['rows']} {swapped['bads']} {100 * swapped['rate']:.2f} %",
        f"mortgages 500 {found['segments'][-1]['joint']['events']}",
        f"is {found['stability']['index']:.4f}: no drift to speak of",
        "income 0.3125 it has moved age 0.0200 no drift to speak of",
    ):
        assert said in text, said


def test_names_from_outside_are_text_and_never_markup(tmp_path, scores, points):
    nasty = "<script>alert(1)</script>"
    run = a_run(scores) | {"job": nasty, "coefficients": {nasty: 1.0}, "warnings": [nasty]}
    entry = LEDGER["entries"][0] | {"reveals": nasty}
    parsed = page(tmp_path, run, [{"party": nasty, "entries": [entry]}], points)
    assert "script" not in parsed.elements
    assert parsed.text.count(nasty) >= 4


def test_what_a_contract_shows_besides_stands_on_the_page(tmp_path, scores, points):
    rates = {"mean_pd_before": 0.159, "mean_pd_after": 0.0681, "event_rate": 0.0679}
    run = a_run(scores) | {
        "calibration": {"intercept": -1.25, "slope": 1.875, "splits": {"test": rates}},
        "joint_coefficients": {"bank": {"income": 0.75}, "insurer": {"column 1": -0.3125}},
        "rounding": {"test": evaluate(scores["y"], scores["guest_only"])},
    }
    text = page(tmp_path, run, [LEDGER], points).text
    for said in ("15.90 %", "6.81 %", "6.79 %", "-1.2500", "1.8750", "-0.3125", "0.0765"):
        assert said in text
    assert "test, joint, host's part to one point" in text
    assert "stay with the partner" not in text


def test_the_first_thing_after_the_headline_is_what_trees_disclose(tmp_path, scores, points):
    text = page(tmp_path, a_run_of_trees(scores), [LEDGER], points).text
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


def test_trees_without_an_arbiter_rest_on_no_arbiter(tmp_path, scores, points):
    run = a_run_of_trees(scores) | {"parties": {"bank": "guest", "insurer": "host"}}
    text = page(tmp_path, run, [LEDGER], points).text
    assert "There is no arbiter: bank holds the key, and decrypts the sums that it learns." in text
    assert "collude" not in text


def test_the_page_of_a_regression_says_nothing_of_trees(tmp_path, scores, points):
    assert "trees" not in page(tmp_path, a_run(scores), [LEDGER], points).text.lower()


def test_the_same_run_gives_the_same_bytes(tmp_path, a_validated_run, points):
    run = a_validated_run
    for name in "ab":
        (tmp_path / name).write_text(render(run, [LEDGER], points), encoding="utf-8")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_receivers_are_told_the_sum_of_what_they_were_sent():
    bare = LEDGER["entries"][0] | {"from": "trustee"}
    entries = content.disclosures([LEDGER, bare])
    assert [entry["from"] for entry in entries] == ["bank", "trustee"]
    assert content.learned(entries) == [
        {"party": "insurer", "plain_numbers": 52, "plain_bits": 3328, "sealed_values": 14}
    ]


def test_a_report_is_drawn_anew_from_what_the_training_left(tmp_path, a_validated_run, points):
    files = {"run.json": a_validated_run, "ledger.json": LEDGER["entries"], "curves.json": points}
    for name, held in files.items():
        (tmp_path / name).write_text(json.dumps(held), encoding="utf-8")
    assert redrawn(tmp_path) == render(a_validated_run, [LEDGER], points)
    (tmp_path / "curves.json").unlink()
    assert "ROC" not in redrawn(tmp_path)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (None, "run.json: cannot be read: No such file or directory"),
        ("{", "run.json: is not JSON"),
        ('{"task": "train"}', "run.json: is no guest's training"),
    ],
)
def test_a_folder_without_a_guests_training_has_no_report(tmp_path, run, said):
    (tmp_path / "ledger.json").write_text("[]", encoding="utf-8")
    if run:
        (tmp_path / "run.json").write_text(run, encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(said)) as refusal:
        redrawn(tmp_path)
    assert refusal.value.hint


@pytest.mark.parametrize("edges", [(-6.9, 2.9), (-2.0, -0.8), (2.0, 2.1)])
def test_the_scale_of_scores_has_three_marks_however_alike_the_scores_are(edges):
    bars = {"edges": np.linspace(*edges, 6).tolist(), "goods": [0.2] * 5, "bads": [0.2] * 5}
    drawn = plots.scores(bars).partition("PD (scale of the log odds)")[0]
    assert len(set(re.findall(r"<text[^>]*>([0-9.]+ %)</text>", drawn))) >= 3
