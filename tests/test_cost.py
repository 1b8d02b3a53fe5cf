"""What a job is said to take: counts are those of a run, seconds are counts times rates."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from cost_runs import GATES, OF_EACH_KIND, REGRESSION, TREES, trained
from program_runs import BANK, INSURER, job
from test_cli import SESSIONS, vfl

from parties.cost.descent import Outlook
from parties.cost.estimate import cost, model_of
from parties.cost.phase import Link
from parties.cost.phases import phases
from parties.cost.probe import probe
from parties.cost.shape import Regression, Shape
from parties.cost.strength import strength
from parties.cost.work import Rates, Work
from psi.group.sodium import Sodium
from vfl.crypto.modular.gmp import Gmp

OPERATIONS = [f.name for f in fields(Rates)]
SECOND = Rates(**dict.fromkeys(OPERATIONS, 1.0))
FREE = Link(bytes_per_second=1e18, round_trip=0.0)


@OF_EACH_KIND
def test_the_ciphertexts_foretold_are_those_that_a_run_sends(sections: str) -> None:
    shape, told = trained(sections)
    entries = [entry for ledger in told.ledgers.values() for entry in ledger.as_json()]
    sealed = [e["sealed_values"] for e in entries if e["phase"] != "ecdh" and e["message"] != "DecryptedSums"]
    sent = sum(entry["bytes"] for entry in entries)
    expected = list(phases(shape))
    assert sum(p.ciphertexts for p in expected) == pytest.approx(sum(sealed), rel=0.03)
    assert sum(p.sent for p in expected) == pytest.approx(sent, rel=0.05)


def test_seconds_are_counts_times_rates() -> None:
    work = Work(encrypt=100, decrypt=3)
    assert work.seconds(Rates(encrypt=0.5, decrypt=2.0)) == 56.0
    assert (work + Work(encrypt=1)).times(2).encrypt == 202
    assert work.seconds(replace(SECOND, encrypt=0.5).on(10)) == pytest.approx(5.3)


@pytest.mark.parametrize("shape", [REGRESSION, TREES], ids=["regression", "trees"])
def test_twice_the_customers_take_twice_the_time_but_for_what_no_row_costs(shape: Shape) -> None:
    rates = replace(SECOND, start=0.0, key=0.0, table=0.0, turn=0.0, pack=0.0, term=0.0, rerandomise=0.0)
    twice = replace(shape, ids=2 * shape.ids, common=2 * shape.common, rows=2 * shape.rows)
    assert cost(twice, rates).together == pytest.approx(2 * cost(shape, rates).together, rel=0.02)


def test_parties_apart_work_at_the_same_time_where_a_protocol_lets_them() -> None:
    found = {phase.name: phase for phase in phases(REGRESSION)}
    fit = found["regression"]
    guest, host = fit.guest.seconds(SECOND), fit.hosts[0].seconds(SECOND)
    assert fit.together(SECOND) == guest + host + fit.arbiter.seconds(SECOND)
    assert fit.apart(SECOND, FREE) == max(guest, host) + fit.arbiter.seconds(SECOND)
    (grow,) = [phase for phase in phases(TREES) if phase.name == "trees"]
    assert grow.apart(SECOND, FREE) == pytest.approx(grow.together(SECOND))


def test_batches_too_small_for_a_table_of_powers_are_counted_apart() -> None:
    for shape in (REGRESSION, TREES):
        small, large = (sum(p.guest.few for p in phases(replace(shape, rows=n))) for n in (1023, 1024))
        assert small >= 1023 and large == 0


def test_a_second_host_costs_what_its_share_of_the_powers_does() -> None:
    two = replace(REGRESSION, hosts=REGRESSION.hosts * 2)
    (one,), (first, second) = (
        next(p for p in phases(shape) if p.name == "regression").hosts for shape in (REGRESSION, two)
    )
    assert first.encrypt == one.encrypt and second.rerandomise >= 800 * 12
    assert second.power == 800 * (3 + 10 + 21) and first.power == 0
    assert [p.name for p in phases(two)] == [p.name for p in phases(REGRESSION)]


def test_a_slow_line_and_a_far_one_are_felt() -> None:
    near = cost(REGRESSION, Rates(), FREE)
    assert near.apart < 1e-9
    slow = cost(REGRESSION, Rates(), Link(bytes_per_second=1e6, round_trip=0.0)).apart
    assert 0.5 * near.sent < slow * 1e6 < near.sent
    assert cost(REGRESSION, Rates(), Link(bytes_per_second=1e18, round_trip=1.0)).apart > 3 * 5


def test_a_tighter_tolerance_takes_more_gradients_of_higher_degrees() -> None:
    outlook = Outlook(23, 10, 1)
    few, many = (outlook.degrees(tolerance, outlook.gradients(tolerance)) for tolerance in (1e-2, 3e-5))
    assert few[0] == many[0] == 2 and list(many) == sorted(many)
    assert len(few) < len(many) and sum(few) < 0.5 * sum(many)


# By set: columns, hosts' columns, hosts, rate of events, deviation of the guest's logits; degrees to 3e-5.
DESCENTS = {
    "german": (20, 11, 1, 0.282, 1.34, 58),
    "german, the insurer as the guest": (20, 9, 1, 0.282, 0.77, 80),
    "caravan": (85, 42, 1, 0.062, 0.91, 177),
    "default_credit": (23, 10, 1, 0.222, 0.97, 54),
    "default_credit, the insurer as the guest": (23, 13, 1, 0.222, 0.56, 69),
    "default_credit_3p": (23, 16, 2, 0.220, 0.44, 140),
    "give_credit": (10, 5, 1, 0.068, 1.15, 79),
    "the demo": (13, 7, 1, 0.083, 1.10, 81),
    "the demo with two hosts": (13, 7, 2, 0.083, 1.10, 113),
    "a book of 100,000": (40, 20, 1, 0.061, 0.81, 158),
    "another book": (45, 15, 1, 0.049, 1.15, 185),
    "a book of few bads": (18, 12, 1, 0.020, 0.77, 70),
}


def test_of_ten_descents_nine_were_within_what_is_foretold() -> None:
    parts = []
    for *known, taken in DESCENTS.values():
        columns, theirs, hosts, rate, strength = known
        outlook = Outlook(int(columns), int(theirs), int(hosts), rate, strength)
        parts.append(taken / sum(outlook.degrees(3e-5, outlook.gradients(3e-5))))
    least, most = Outlook(20, 10, 1).spread
    assert sum(least <= part <= most for part in parts) >= 0.8 * len(parts)
    assert sum(0.8 <= part <= 1.25 for part in parts) >= 0.5 * len(parts)


def test_logits_of_columns_that_tell_more_spread_further() -> None:
    agreed = job("features: {bins: 3}", GATES)
    rng = np.random.default_rng(1)
    assert BANK.label is not None
    found, chance = (
        strength(agreed, replace(BANK, label=label)) for label in (BANK.label, rng.permutation(BANK.label))
    )
    assert found is not None and chance is not None and found > 3 * chance > 0
    assert strength(agreed, INSURER) is None
    assert strength(agreed, replace(BANK, label=np.zeros_like(BANK.label))) is None


def test_most_of_a_fit_that_begins_on_a_sample_is_foretold_of_the_sample() -> None:
    # 525,020 rows of a generated book to 1e-4: 14 gradients of 86 degrees, then 11 of 100
    first, others = Outlook(40, 20, 1, 0.06, 0.81).sampled_degrees(1e-4)
    assert (len(first), len(others)) == (14, 11)
    assert (sum(first), sum(others)) == pytest.approx((86, 100), rel=0.3)


def test_a_guess_says_between_which_seconds_a_training_is() -> None:
    known = cost(REGRESSION, SECOND)
    assert known.between(lambda phase: phase.sent) == (known.sent, known.sent)
    guessed = cost(replace(REGRESSION, model=Regression((2, 4, 6), spread=(0.5, 2.0))), SECOND)
    (fit,) = [phase.sent for phase in guessed.phases if phase.name == "regression"]
    least, most = guessed.between(lambda phase: phase.sent)
    assert (guessed.sent - least, most - guessed.sent) == pytest.approx((0.5 * fit, fit))
    assert cost(TREES, SECOND).as_json()["guess"] is None


def test_what_columns_that_leave_may_cost_is_foretold_up_to_the_gradients_that_fits_share() -> None:
    drops = "features: {bins: 3, selection: {sign: drop}}\nmodel: {max_iter: 60}"
    outlook = Outlook(23, 10, 1)
    once, often = (model_of(job(more, [*GATES, "many_iterations"]), outlook, 900) for more in ("", drops))
    assert isinstance(once, Regression) and isinstance(often, Regression)
    assert once.reach == outlook.spread
    assert often.reach == (outlook.spread[0], 60 / len(often.degrees))
    told = cost(replace(REGRESSION, model=often), SECOND).as_json()["guess"]
    assert (told["shared"], told["between"]) == (60, often.reach)


def test_every_operation_is_measured() -> None:
    rates = probe(Gmp(), Sodium(), 2048, 320, 1)
    assert all(0 < getattr(rates, name) < 10 for name in OPERATIONS)
    assert rates.sum < rates.encrypt < rates.refresh


def test_a_check_tells_what_a_training_takes(tmp_path: Path) -> None:
    for file in (SESSIONS / "files").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    done = vfl(["check", "job.yaml", "--rows", "1000", "--format", "json"], tmp_path)
    found = json.loads(done.stdout)["cost"]
    assert found["rows"] == 1000 and found["ciphertexts"] > 1000
    assert found["seconds_on_this_machine"] > 0 < found["seconds_apart"]
    assert all(0 < disk["bytes"] < disk["free"] for disk in found["disk"].values())
    least, most = found["guess"]["seconds_apart"]
    assert least < found["seconds_apart"] < most
    text = vfl(["check", "job.yaml", "--party", "bank.yaml", "--rows", "100000000"], tmp_path).stdout
    assert "what a training on 100,000,000 common customers takes, by " in text
    assert "degrees are a guess. Of ten such fits" in text
    drops = f"{(tmp_path / 'job.yaml').read_text(encoding='utf-8')}features: {{selection: {{sign: drop}}}}\n"
    (tmp_path / "job.yaml").write_text(drops, encoding="utf-8")
    more = vfl(["check", "job.yaml", "--party", "bank.yaml", "--rows", "100000000"], tmp_path).stdout
    assert "column that leaves leads to another, 40 gradients in all at most:" in more
    for told in (text, more):
        assert max(map(len, told[told.index("what a training") :].splitlines())) <= 80
