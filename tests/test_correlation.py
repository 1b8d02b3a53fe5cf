"""Correlations across parties: numpy's to 1/30, rounded by the arbiter; of two alike the weaker goes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hostile import KEY, PRIVATE, forged, tampered
from hypothesis import given, settings
from hypothesis import strategies as st
from program_runs import BANK, CUSTOMERS, INSURER, by_id, changed, job, run_of, train
from protocol_tables import ARBITER, GUEST, HOST, X
from pydantic import ValidationError
from report_runs import Page, a_run, some_scores
from scipy.stats import chisquare
from seeded import Seeded
from selection_runs import correlation_roles, kept_roles

from parties.config.job import Job, JobParty
from parties.contract.words import learning
from parties.cost.phases import phases
from parties.cost.shape import Columns, Regression, Shape
from parties.profiling.disclosure import sent_by
from parties.programs import arbiter, host
from parties.programs.model import columns_of
from parties.programs.training import training
from parties.report.page import render
from vfl.arbitration import DecryptedSums, MaskedSums, Quota
from vfl.crypto.modular import to_ints
from vfl.errors import ConfigError, ContractError, ProtocolError, SecurityError
from vfl.features import correlation
from vfl.features.correlation import BITS, WITHIN, CrossProducts, EncryptedColumns, Layout, unit_columns
from vfl.features.kept import KeptColumns
from vfl.gates import Gates
from vfl.stats.selection import overlapping
from vfl.wire.memory import run_in_memory

CLOSE = WITHIN + 1e-6


def pooled(x, z):
    """Return numpy's correlations of the columns of x with those of z."""
    return np.corrcoef(x.T, z.T)[: x.shape[1], x.shape[1] :]


def learnt(x, z, seed=1, arbiters=PRIVATE):
    roles = {
        "guest": correlation.guest(x, z.shape[1], key=KEY, rng=Seeded(seed), host=HOST, arbiter=ARBITER),
        "host": correlation.host(
            z, key=KEY, rng=Seeded(9), gates=Gates(frozenset()), guest=GUEST, arbiter=ARBITER
        ),
        "arbiter": correlation.arbiter(arbiters, Quota(99), guest=GUEST, host=HOST),
    }
    return run_in_memory(roles)


# --- oracle ---


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7])
def test_the_guest_learns_what_numpy_computes_on_the_pooled_table(width, monkeypatch) -> None:
    monkeypatch.setattr(correlation, "BLOCK", 64)
    rng = np.random.default_rng(width)
    z = rng.integers(0, 5, (100, 3)) * 1.7
    x = rng.normal(size=(100, width)) + z[:, [0]] * rng.normal(size=width)
    told = learnt(x, z)
    assert told.results["guest"].shape == (width, 3)
    assert np.abs(told.results["guest"] - pooled(x, z)).max() < CLOSE
    assert told.results["host"] == width


def test_columns_that_are_the_same_or_constant_have_correlations_of_1_and_0() -> None:
    x = np.column_stack([np.arange(60.0) % 7, np.full(60, 0.1), -(np.arange(60.0) % 7)])
    told = learnt(x, x[:, :2]).results["guest"]
    assert np.abs(told - [[1, 0], [0, 0], [-1, 0]]).max() < CLOSE
    assert np.abs(told).max() <= 1


@given(st.integers(1, 70), st.sampled_from([512, 1024, 2048, 3072]))
def test_every_plaintext_is_filled_with_as_many_sums(columns: int, bits: int) -> None:
    layout = Layout(columns, (1 << bits) - 1)
    masking = layout.masking(5)
    assert layout.width * layout.groups >= columns > layout.width * (layout.groups - 1)
    assert masking.packing.slots == layout.width
    assert masking.packing.plaintexts == 5 * layout.groups
    assert layout.raised >= 0
    assert masking.bits - 2 == 2 * correlation.COLUMN_FRACTION + layout.raised


@settings(max_examples=50)
@given(st.integers(2, 200), st.integers(0, 1000))
def test_rounded_factors_never_reach_the_bound_of_a_sum(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_cauchy((n, 1)) ** 3
    unit = unit_columns(x)
    assert np.linalg.norm(unit) == pytest.approx(1) or not unit.any()
    fixed = correlation.encode(unit * correlation.SHRUNK, correlation.COLUMN_FRACTION).astype(object)
    other = correlation.encode(unit, correlation.COLUMN_FRACTION).astype(object)
    assert abs((fixed * other).sum()) < 1 << (2 * correlation.COLUMN_FRACTION)


def test_what_is_answered_is_taken_from_what_the_guest_has_left() -> None:
    left, roles = Quota(99), correlation_roles()
    roles.pop("arbiter").close()
    roles["arbiter"] = correlation.arbiter(PRIVATE, left, guest=GUEST, host=HOST)
    (asked,) = (m.message for m in run_in_memory(roles).views["arbiter"] if isinstance(m.message, MaskedSums))
    assert left.left == 99 - len(asked.values) < 99


# --- view and statistical ---


def kinds_received(told, role):
    return {type(m.message) for m in told.views[role] if m.to == role}


def answers(told):
    return [m.message for m in told.views["guest"] if isinstance(m.message, DecryptedSums)]


def test_the_guest_is_answered_five_bits_of_each_correlation_and_nothing_else() -> None:
    told = run_in_memory(correlation_roles())
    (answer,) = answers(told)
    assert (answer.sums, answer.bits) == (8, BITS)
    assert max(to_ints(answer.values.residues)) < 1 << BITS
    assert kinds_received(told, "guest") == {CrossProducts, DecryptedSums}
    (entry,) = [e for e in told.ledgers["arbiter"].as_json() if e["message"] == "DecryptedSums"]
    assert (entry["plain_numbers"], entry["plain_bits"]) == (8, 8 * BITS)


def test_what_is_learnt_of_one_correlation_is_off_by_an_error_that_is_uniform() -> None:
    x = X[:, :1]
    z = (X[:, 2:3] > 0.2).astype(np.float64)
    errors = np.array([learnt(x, z, seed).results["guest"][0, 0] for seed in range(160)]) - pooled(x, z)[0, 0]
    assert np.abs(errors).max() < CLOSE
    counts = np.histogram(errors, 8, (-WITHIN, WITHIN))[0]
    assert chisquare(counts).pvalue > 1e-3


def test_the_arbiter_sees_masks_alone_whatever_is_in_the_columns() -> None:
    seen = []
    for x in (X, X[::-1] ** 3):
        told = run_in_memory(correlation_roles(x))
        (asked,) = (m.message for m in told.views["arbiter"] if isinstance(m.message, MaskedSums))
        seen.append(PRIVATE.decrypt(asked.values))
    # The masks are the same under one seed, so what differs is the sums, 2^-64 of them.
    layout = Layout(4, KEY.n)
    for a, b in zip(*seen, strict=True):
        assert abs(a - b) >> (layout.slot * (layout.width - 1) + layout.slot - correlation.HIDING - 3) == 0
        assert a != b


def test_the_host_sees_ciphertexts_and_a_number_of_columns() -> None:
    told = run_in_memory(correlation_roles())
    assert kinds_received(told, "host") == {EncryptedColumns}
    assert {m.message.columns for m in told.views["host"] if isinstance(m.message, EncryptedColumns)} == {4}


# --- hostile ---


def test_a_guest_that_asks_for_more_bits_than_the_host_made_is_refused() -> None:
    roles = correlation_roles()
    wider = tampered(roles["guest"], MaskedSums, lambda m: replace(m, bits=m.bits + 1))
    with pytest.raises(ContractError, match="and host vouched for 8 of"):
        run_in_memory(roles | {"guest": wider})


@pytest.mark.parametrize("columns", [0, 5, 1 << 40])
def test_a_guest_that_changes_its_number_of_columns_is_blamed(columns: int, monkeypatch) -> None:
    monkeypatch.setattr(correlation, "BLOCK", 60)
    roles = correlation_roles()
    guest = tampered(roles["guest"], EncryptedColumns, lambda m: forged(m, columns=columns), nth=2)
    with pytest.raises(ProtocolError, match=f"guest: sent {columns} columns"):
        run_in_memory(roles | {"guest": guest})


def test_a_host_that_sends_a_sum_too_few_is_blamed() -> None:
    roles = correlation_roles()
    short = tampered(roles["host"], CrossProducts, lambda m: CrossProducts(m.packed[:-1]))
    with pytest.raises(SecurityError, match="host: sent 3 ciphertexts, 4 were expected"):
        run_in_memory(roles | {"host": short})


def test_few_rows_for_the_guests_columns_close_the_hosts_gate() -> None:
    with pytest.raises(ContractError, match="39 training rows for 4 columns of guest") as refusal:
        run_in_memory(correlation_roles(X[:39]))
    assert "few_rows" in refusal.value.hint


def test_a_guest_that_keeps_other_columns_than_the_host_has_is_blamed() -> None:
    roles = kept_roles()
    guest = tampered(roles["guest"], KeptColumns, lambda m: KeptColumns(m.kept[1:]))
    with pytest.raises(ProtocolError, match="chose among other columns than our 3"):
        run_in_memory(roles | {"guest": guest})


# --- selection ---


def test_of_a_chain_of_columns_alike_every_second_one_stays() -> None:
    r = np.eye(3) + 0.9 * (np.abs(np.subtract.outer(range(3), range(3))) == 1)
    assert overlapping(r, [0, 1, 2], 0.8) == {1: 0}
    assert overlapping(r, [1, 2, 0], 0.8) == {2: 1, 0: 1}
    assert overlapping(r, [1, 2, 0], 0.95) == {}


ACROSS = """\
features: {bins: 3, selection: {max_joint_correlation: 0.7, sign: drop}}
model: {tolerance: 0.01, max_iter: 9}
disclosure: {metrics: [], host_columns: named}
"""


def as_array(table, name):
    values = np.zeros(CUSTOMERS)
    values[[int(c[1:]) for c in table.ids]] = table.columns[name].values
    return values


def twins():
    """Return tables in which the insurer knows the bank's income, and the bank almost its claims."""
    claims = as_array(INSURER, "claims")
    blurred = np.where(np.arange(CUSTOMERS) % 20 == 0, 2 - claims, claims)
    return changed(BANK, "blurred", blurred), changed(INSURER, "salary", 2 * as_array(BANK, "income"))


def test_of_two_columns_alike_the_one_of_the_lower_information_value_leaves_both_books_and_halves() -> None:
    bank, insurer = twins()
    ours, theirs, _ = train(job(ACROSS), bank, insurer)
    assert list(ours.half.weights) == ["intercept", "income", "tenure", "age"]
    assert list(theirs.half.weights) == ["claims", "premium", "region"]
    reason = ours.facts["left_out"]["guest"].pop("blurred")
    assert reason.startswith("its correlation with claims is ")
    assert reason.endswith(", to 0.03")
    assert ours.facts["left_out"] == {"guest": {}, "host": ["salary"]}
    assert theirs.facts["left_out"]["host"] == {
        "salary": "bank has a column like it, of a higher information value"
    }
    assert ours.facts["overlap"]["salary"].startswith("its correlation with income is ")
    table = ours.facts["correlation"]
    assert list(table) == ["claims", "premium", "region", "salary"]
    assert table["salary"]["income"] > 0.96
    x = {
        name: by_id(table).take(np.flatnonzero(by_id(bank).split == "train"))
        for name, table in (("bank", bank), ("insurer", insurer))
    }
    own = ours.half.features.transform(columns_of(x["bank"]))
    z = theirs.half.features.transform(columns_of(x["insurer"]))
    found = np.array([[table[k][j] for k in theirs.half.weights] for j in ours.half.features.names])
    assert np.abs(found - pooled(own, z)).max() < CLOSE + 0.0005


def test_the_report_and_the_contracts_words_tell_of_columns_alike() -> None:
    found = {
        "left_out": {"guest": {}, "host": ["<i>salary", "other"]},
        "overlap": {"<i>salary": "its correlation with income is 0.98, to 0.03"},
        "correlation": {"<i>salary": {"income": 0.98, "age": -0.31}},
    }
    page = Page(render(a_run(some_scores()) | found, [], {})).text
    assert "<i>salary insurer its correlation with income is 0.98, to 0.03" in page
    assert "other insurer by the partner's part of the rules" in page
    assert "income <i>salary +0.98 age <i>salary -0.31" in page
    assert "Columns alike" not in render(a_run(some_scores()), [], {})
    learnt = learning(job(ACROSS))
    assert "the correlation of each of its columns with each of the hosts', to 1/30" in learnt["the guest"]
    assert "of each column that leaves, that the guest has one like it that tells more" in learnt["the host"]


def test_with_two_hosts_the_guests_column_yields_to_the_strongest_of_theirs() -> None:
    bank, insurer = twins()
    weaker = np.where(np.arange(CUSTOMERS) % 24 == 0, 2 - as_array(BANK, "income"), as_array(BANK, "income"))
    lender = replace(INSURER, columns={})
    for name, values in (
        ("pay", weaker),
        ("cards", np.arange(CUSTOMERS) % 4.0),
        ("loans", np.arange(CUSTOMERS) % 3.0),
    ):
        lender = changed(lender, name, values)
    plain = job(ACROSS, ["few_host_columns", "small_bins", "few_rows"])
    agreed = plain.model_copy(update={"parties": plain.parties | {"lender": JobParty(role="host")}})
    told = run_in_memory(
        {
            "bank": training(run_of(agreed, "bank"), bank),
            "trustee": arbiter.training(run_of(agreed, "trustee")),
            "insurer": host.training(run_of(agreed, "insurer"), insurer),
            "lender": host.training(run_of(agreed, "lender"), lender),
        }
    ).results
    assert told["bank"].facts["left_out"]["host"] == ["insurer: salary", "lender: pay"]
    assert "blurred" in told["bank"].facts["left_out"]["guest"]
    assert list(told["lender"].half.weights) == ["cards", "loans"]
    assert list(told["insurer"].half.weights) == ["claims", "premium", "region"]
    assert set(told["bank"].facts["correlation"]["lender: pay"]) == {"income", "tenure", "age", "blurred"}


def test_a_host_left_with_few_columns_beside_the_guests_is_stopped_by_the_gate() -> None:
    insurer = replace(INSURER, columns={name: INSURER.columns[name] for name in ("claims", "premium")})
    insurer = changed(insurer, "salary", as_array(BANK, "income"))
    with pytest.raises(ContractError, match="columns: 2 take part"):
        train(job(ACROSS), BANK, insurer)


def test_the_cost_of_correlations_is_counted_and_small() -> None:
    columns = (Columns(13, 10), (Columns(10, 10),))
    rows = (30_000, 30_000, 20_000)
    found = {p.name: p for p in phases(Shape(*rows, *columns, Regression((2, 4), joint_correlations=True)))}
    assert found["correlation"].ciphertexts == 20_000 + 2 * 10
    assert found["correlation"].arbiter.decrypt == 10
    without = {p.name for p in phases(Shape(*rows, *columns, Regression((2, 4))))}
    assert found.keys() - without == {"correlation"}


def test_what_a_party_would_tell_of_correlations_is_profiled() -> None:
    told = {row["message"] for row in sent_by(job(ACROSS), "guest")}
    assert {"EncryptedColumns", "KeptColumns"} <= told
    assert "EncryptedColumns" not in {row["message"] for row in sent_by(job(), "guest")}
    assert "CrossProducts" in {row["message"] for row in sent_by(job(ACROSS), "host")}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("features: {selection: {max_joint_correlation: 1}}", "max_joint_correlation: must be less than 1"),
        (
            "features: {selection: {max_joint_correlation: 0.7}}\ndisclosure: {woe_to_host: false}",
            "woe_to_host must be true: a host does features.selection itself",
        ),
        (
            "features: {kind: standard, selection: {max_joint_correlation: 0.7}}",
            "features.selection: kind: standard has no information values",
        ),
    ],
)
def test_correlations_that_could_not_be_learnt_are_refused(section: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        job(section)
    assert said in str(refusal.value)


def test_without_an_arbiter_nobody_rounds_and_the_job_is_refused() -> None:
    plain = job(ACROSS).model_dump(mode="json")
    del plain["parties"]["trustee"]
    with pytest.raises(ValidationError, match="max_joint_correlation needs an arbiter"):
        Job.model_validate_json(json.dumps(plain))
