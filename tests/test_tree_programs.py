"""The programs of a job of boosted trees: the pooled trees, its gates, and what it discloses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from program_runs import (
    BANK,
    CUSTOMERS,
    INSURER,
    by_id,
    changed,
    few_bads,
    job,
    run_of,
    train,
    two_columns,
    weighted,
)

from parties.config.job import JobParty
from parties.programs import arbiter
from parties.programs.batch import Batch
from parties.programs.files import publish
from parties.programs.limits import check_leaves
from parties.programs.model import columns_of
from parties.programs.trees import batches
from parties.programs.trees.guest import training as grow_as_guest
from parties.programs.trees.host import training as grow_as_host
from parties.programs.trees_model import TreeHalf
from vfl.crypto.randomness import Randomness
from vfl.errors import ConfigError, ContractError, DataError
from vfl.gates import Gates
from vfl.linear.sigmoid import sigmoid
from vfl.stats.metrics import evaluate
from vfl.table.table import Numeric, Table
from vfl.trees import pooled, scoring
from vfl.trees.model import GuestTrees, codes_of, layout_of
from vfl.trees.tree import Tree
from vfl.wire.memory import run_in_memory

OPEN = ["many_leaves", "small_bins"]
TREES = "model: {kind: trees, n_estimators: 4, max_depth: 3, max_bin: 8, scale_pos_weight: 2}"
MANY = np.array([f"r{k % 40}" for k in range(CUSTOMERS)], object)
MOSTLY = np.where(np.arange(CUSTOMERS) % 17 == 0, 0.0, 1.0)


@pytest.fixture(scope="module")
def grown() -> Any:
    """A training of four trees in which bads count twice."""
    return train(job(TREES, OPEN), BANK, INSURER)


def codes(ours: Any, theirs: Any) -> list[NDArray[np.int64]]:
    """Return both parties' codes of the common customers, in the order of their ids."""
    halves = ((ours.half, BANK), (theirs.half, INSURER))
    return [codes_of(half.trees.bins, columns_of(by_id(table))) for half, table in halves]


def logits(trees: list[Tree], both: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return what the trees give to rows whose codes are known."""
    leaf = np.zeros(len(both[0]))
    for tree in trees:
        node = np.ones(len(leaf), np.int64)
        for k, chosen in sorted(tree.chosen.items()):
            here = node == k
            node[here] = 2 * k + ~chosen.split.left(both[chosen.party][here])
        leaf += np.array([tree.leaves[k] for k in node])
    return leaf


def test_trees_of_both_parties_are_those_of_the_pooled_table(grown: Any) -> None:
    ours, theirs, _ = grown
    rows, both = by_id(BANK).split == "train", codes(ours, theirs)
    y = by_id(BANK).label[rows]
    layouts = tuple(layout_of(half.trees.bins) for half in (ours.half, theirs.half))
    agreed = run_of(job(TREES, OPEN), "bank")
    oracle = pooled.fit(
        [own[rows] for own in both],
        layouts,
        y,
        agreed.grow_rules,
        weight=np.where(y == 1, 2.0, 1.0),
        rng=Randomness(),
    )
    assert ours.half.trees.trees == oracle.trees
    assert theirs.half.trees.trees == [tree.splits_of(1) for tree in oracle.trees]
    assert any(theirs.half.trees.trees) and theirs.half.trees.trees[0] == {}


def test_both_splits_are_measured_by_the_trees_logits(grown: Any) -> None:
    ours, theirs, _ = grown
    pd = sigmoid(logits(ours.half.trees.trees, codes(ours, theirs)))
    for name, models in ours.facts["splits"].items():
        rows = by_id(BANK).split == name
        found = evaluate(by_id(BANK).label[rows], pd[rows])
        assert models["joint"] == pytest.approx(found)
        assert models["guest_only"]["rows"] == int(rows.sum())


def test_the_guests_own_trees_are_grown_from_its_columns_alone(grown: Any) -> None:
    ours, theirs, _ = grown
    own = codes(ours, theirs)[:1]
    rows = by_id(BANK).split == "train"
    y = by_id(BANK).label[rows]
    rules = run_of(job(TREES, OPEN), "bank").grow_rules
    layouts, weight = (layout_of(ours.half.trees.bins),), np.where(y == 1, 2.0, 1.0)
    alone = pooled.fit([own[0][rows]], layouts, y, rules, weight=weight, rng=Randomness())
    pd = sigmoid(logits(alone.trees, own)[rows])
    assert ours.facts["splits"]["train"]["guest_only"] == pytest.approx(evaluate(y, pd))


def test_what_the_trees_disclosed_is_what_the_ledgers_say(grown: Any) -> None:
    ours, theirs, told = grown
    rows = ours.facts["rows"]["train"]
    bank, insurer, trustee = (
        {entry["message"]: entry for entry in told.ledgers[name].as_json()}
        for name in ("bank", "insurer", "trustee")
    )
    found = ours.facts["trees"]["disclosed"]["insurer"]
    assert found == {
        "equations_per_row": 2 * trustee["DecryptedSums"]["plain_numbers"] / rows,
        "split_bits_per_row": insurer["Sides"]["plain_bits"] / rows,
        "node_bits_per_row": bank["Nodes"]["plain_bits"] / rows,
    }
    assert theirs.facts["trees"]["disclosed"]["bank"] == {
        "split_bits_per_row": found["split_bits_per_row"],
        "node_bits_per_row": found["node_bits_per_row"],
    }


def test_run_json_tells_each_tree_and_what_columns_are_worth(grown: Any) -> None:
    ours, theirs, _ = grown
    said = ours.facts["trees"]
    assert (said["kept"], said["grown"], len(said["each"])) == (4, 4, 4)
    for tree, shape in zip(ours.half.trees.trees, said["each"], strict=True):
        assert shape["depth"] == max(tree.leaves).bit_length() - 1
        assert sum(shape["splits"].values()) == shape["leaves"] - 1 == len(tree.leaves) - 1
    assert sum(shape["splits"]["insurer"] for shape in said["each"]) == theirs.facts["trees"]["splits"]
    by_party = {(row["party"], row["column"]): row["splits"] for row in said["importances"]}
    assert sum(by_party.values()) == sum(len(tree.chosen) for tree in ours.half.trees.trees)
    assert {column for party, column in by_party if party == "bank"} <= set(BANK.columns)
    assert all(column.startswith("column ") for party, column in by_party if party == "insurer")


def test_a_batch_is_scored_by_both_halves_of_the_trees(grown: Any, tmp_path: Path) -> None:
    ours, theirs, _ = grown
    publish(tmp_path, {"guest.json": ours.half.as_json(), "model.json": theirs.half.as_json()})
    half = TreeHalf.load(tmp_path / "guest.json", GuestTrees)
    scored = score(half, tmp_path)["bank"]
    common, others, logit = scored.common, scored.others, scored.logit
    expected = dict(zip(by_id(BANK).ids, logits(half.trees.trees, codes(ours, theirs)), strict=True))
    assert set(others.ids) == set(BANK.ids) - set(expected)
    np.testing.assert_allclose(logit, [expected[customer] for customer in common.ids], atol=1e-12)


def test_halves_of_two_tree_trainings_score_nobody(grown: Any, tmp_path: Path) -> None:
    ours, theirs, _ = grown
    with pytest.raises(ContractError, match="bank wants to score, and no model is held here"):
        score(ours.half, tmp_path)
    publish(tmp_path, {"model.json": replace(theirs.half, run="run 2").as_json()})
    with pytest.raises(ContractError, match="bank scores with the model of another training"):
        score(ours.half, tmp_path)


def score(half: Any, folder: Path) -> dict[str, Any]:
    """Return what a scoring gives each party; the host's half is the one in the folder, if any."""
    agreed = job(TREES, OPEN)
    bank, insurer = (run_of(agreed, name, task="score") for name in ("bank", "insurer"))
    roles = {
        "bank": batches.guest(bank, Batch.of(BANK, half.levels), half),
        "insurer": batches.host(insurer, INSURER, folder / "model.json"),
    }
    return run_in_memory(roles).results


EARLY = """\
model: {kind: trees, n_estimators: 9, max_depth: 2, learning_rate: 1.0, subsample: 0.8,
        validation_share: 0.3, early_stopping_rounds: 2}
disclosure: {metrics: [train], host_columns: named}
"""


@pytest.fixture(scope="module")
def early() -> Any:
    """A training that stops early, of which the training rows alone are measured."""
    return train(job(EARLY, OPEN), BANK, INSURER)


def test_trees_after_the_lowest_loss_leave_the_model_and_its_measures(early: Any) -> None:
    ours, theirs, _ = early
    said, kept = ours.facts["trees"], len(ours.half.trees.trees)
    assert said["kept"] == kept == int(np.argmin(said["losses"])) + 1 <= said["grown"] == len(said["losses"])
    assert len(theirs.half.trees.trees) == kept
    rows = by_id(BANK).split == "train"
    pd = sigmoid(logits(ours.half.trees.trees, codes(ours, theirs))[rows])
    assert ours.facts["splits"]["train"]["joint"] == pytest.approx(evaluate(by_id(BANK).label[rows], pd))


def test_unmeasured_rows_of_a_tree_training_are_not_looked_up(early: Any) -> None:
    ours, _, told = early
    assert list(ours.facts["splits"]) == ["train"]
    assert "LeafMasks" not in {entry["message"] for entry in told.ledgers["insurer"].as_json()}


def test_named_columns_are_named_among_the_importances(early: Any) -> None:
    ours, _, _ = early
    for row in ours.facts["trees"]["importances"]:
        assert row["column"] in (BANK if row["party"] == "bank" else INSURER).columns


WEIGHT = np.random.default_rng(6).choice([0.0, 0.25, 1.0, 3.7], CUSTOMERS)


def test_rows_count_in_all_trees_what_their_weights_say() -> None:
    bank = weighted(WEIGHT)
    ours, theirs, _ = train(job(TREES, OPEN), bank, INSURER)
    rows, both = by_id(bank).split == "train", codes(ours, theirs)
    y, rules = by_id(bank).label[rows], run_of(job(TREES, OPEN), "bank").grow_rules
    weight = by_id(bank).weight[rows] * np.where(y == 1, 2.0, 1.0)
    own = [codes[rows] for codes in both]
    layouts = tuple(layout_of(half.trees.bins) for half in (ours.half, theirs.half))
    joint, alone = (
        pooled.fit(own[:parties], layouts[:parties], y, rules, weight=weight, rng=Randomness()).trees
        for parties in (2, 1)
    )
    assert ours.half.trees.trees == joint
    assert any(theirs.half.trees.trees)
    pd = sigmoid(logits(alone, both)[rows])
    assert ours.facts["splits"]["train"]["guest_only"] == pytest.approx(evaluate(y, pd))


def test_rows_of_weight_0_neither_hold_a_gate_open_nor_train_alone() -> None:
    good = np.array([BANK.label[list(BANK.ids).index(c)] == 0 for c in by_id(BANK).ids])
    few = np.zeros(CUSTOMERS)
    few[[int(c[1:]) for c in by_id(BANK).ids[good]]] = 1.0
    with pytest.raises(DataError, match="every training row has the label 0"):
        train(job(TREES, OPEN), weighted(few), INSURER)
    few[[int(c[1:]) for c in by_id(BANK).ids[~good][:9]]] = 1.0
    with pytest.raises(ContractError, match="fewer than 20 training rows are in the rarer class"):
        train(job(TREES, OPEN), weighted(few), INSURER)
    tests_alone = np.where(np.arange(CUSTOMERS) < 340, 0.0, 1.0)
    with pytest.raises(DataError, match=r"bank\.csv: every training row has the weight 0"):
        train(job(TREES, OPEN), weighted(tests_alone), INSURER)


@pytest.mark.parametrize(
    ("spread", "rate", "said"),
    [(501.0, "", "a training row counts 1002 times"), (499.0, 1e-4, "the training rows together count ")],
)
def test_weights_beyond_what_slots_and_sums_hold_are_refused(spread: float, rate: Any, said: str) -> None:
    goss = TREES.replace("}", f", top_rate: 0.2, other_rate: {rate}}}") if rate else TREES
    with pytest.raises(DataError, match=f"bank.csv: {said}") as refusal:
        train(job(goss, [*OPEN, "goss"]), weighted(np.full(CUSTOMERS, spread)), INSURER)
    assert refusal.value.hint.startswith("divide the column data.weight by a constant")


BREACHES = {
    "few_events": (few_bads(BANK), INSURER, "labels: fewer than 20 training rows are in"),
    "few_host_columns": (BANK, two_columns(INSURER), "columns: 2 take part"),
    "small_bins": (
        BANK,
        changed(INSURER, "region", MANY),
        "column 3: a bin, or the blanks, that fewer than 50 training rows share",
    ),
    "many_leaves": (BANK, INSURER, "model.n_estimators: 2 trees of depth 4 on 334 training rows"),
}


@pytest.mark.parametrize("gate", BREACHES)
def test_a_closed_gate_ends_the_growing_of_trees(gate: str) -> None:
    bank, insurer, said = BREACHES[gate]
    few = "model: {kind: trees, n_estimators: 2, max_bin: 4}"
    with pytest.raises(ContractError) as refusal:
        train(job(few, {*BREACHES} - {gate}), bank, insurer)
    assert said in str(refusal.value)
    assert refusal.value.hint.endswith(f"allow it by name in the job: gates.allow: [{gate}]")
    assert "region" not in str(refusal.value)


@pytest.mark.parametrize("rows", [625, 16_000])
def test_fifty_trees_of_depth_four_need_sixteen_thousand_rows(rows: int) -> None:
    gates, rules = Gates(frozenset()), job("model: {kind: trees}").trees
    check_leaves(gates, rules, 16_001)
    with pytest.raises(ContractError) as refusal:
        check_leaves(gates, rules, rows)
    allowed = (rows - 1) // 320
    assert refusal.value.hint.startswith(f"at this depth {allowed} can be grown;")
    check_leaves(gates, rules.model_copy(update={"n_estimators": allowed}), rows)


def test_trees_beyond_the_arbiters_quota_are_refused_with_the_number_they_need() -> None:
    with pytest.raises(ConfigError) as refusal:
        train(job(f"{TREES}\nencryption: {{decryptions: 3}}", OPEN), BANK, INSURER)
    assert str(refusal.value).startswith("encryption.decryptions: 3 are agreed, and full trees")
    needed = int(str(refusal.value).rpartition(" ")[2])
    _, _, told = train(job(f"{TREES}\nencryption: {{decryptions: {needed}}}", OPEN), BANK, INSURER)
    (opened,) = [e for e in told.ledgers["bank"].as_json() if e["message"] == "MaskedSums"]
    assert opened["sealed_values"] <= needed


def test_a_column_of_one_bin_is_warned_of_and_a_table_of_such_refused() -> None:
    quick = "model: {kind: trees, n_estimators: 2, max_depth: 2, max_bin: 3}"
    flat = changed(INSURER, "claims", MOSTLY)
    _, theirs, _ = train(job(quick, OPEN), BANK, flat)
    assert "insurer.csv: claims: has a single bin, which splits nothing" in theirs.facts["warnings"]
    for name in ("premium", "region"):
        flat = changed(flat, name, MOSTLY)
    with pytest.raises(DataError, match=r"insurer\.csv: every column has a single bin") as refusal:
        train(job(quick, OPEN), BANK, flat)
    assert refusal.value.exit_code == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.where(np.arange(CUSTOMERS) < 340, np.nan, 1.0), "blank in every row: 'claims'"),
        (np.where(np.arange(CUSTOMERS) < 340, 2.0, 1.0), "the same in every row: 'claims'"),
    ],
)
def test_trees_refuse_a_column_that_says_nothing_in_the_training_rows(values: Any, said: str) -> None:
    with pytest.raises(DataError, match=f"insurer.csv: a column is {said}"):
        train(job(TREES, OPEN), BANK, changed(INSURER, "claims", values))


def test_the_oracle_of_scores_walks_as_the_protocol_does(grown: Any) -> None:
    ours, theirs, _ = grown
    own = [tree for tree in ours.half.trees.trees if not tree.splits_of(1)]
    both = codes(ours, theirs)
    found = pooled.completed(scoring.guest(own, both[0], hosts=()))
    np.testing.assert_allclose(found, logits(own, both))


THREE = {
    "parties": {
        "bank": JobParty(role="guest"),
        "insurer": JobParty(role="host"),
        "lender": JobParty(role="host"),
    }
}


def lender_table() -> Table:
    """Return a table of most customers of the insurer in another order."""
    rng = np.random.default_rng(5)
    rows = rng.permutation(len(INSURER))[20:]
    columns = {
        name: Numeric(rng.integers(0, 4, len(rows)).astype(float)) for name in ("loans", "cards", "age")
    }
    return Table(INSURER.ids[rows], dict(columns), None, None, "lender.csv")


@pytest.mark.parametrize("arbiters", [("trustee",), ()], ids=["with an arbiter", "without an arbiter"])
def test_two_hosts_grow_and_score_trees(arbiters: tuple[str, ...], tmp_path: Path) -> None:
    parties = THREE["parties"] | {name: JobParty(role="arbiter") for name in arbiters}
    agreed = job(TREES, OPEN).model_copy(update={"parties": parties})
    tables = {"bank": BANK, "insurer": INSURER, "lender": lender_table()}
    runs = {name: run_of(agreed, name) for name in (*tables, *arbiters)}
    roles: dict[str, Any] = {name: grow_as_host(runs[name], tables[name]) for name in ("insurer", "lender")}
    roles["bank"] = grow_as_guest(runs["bank"], BANK)
    roles |= {name: arbiter.training(runs[name]) for name in arbiters}
    told = run_in_memory(roles)
    ours, hosts = told.results["bank"], [told.results[name] for name in ("insurer", "lender")]
    trees = ours.half.trees.trees
    assert ours.half.trees.hosts == ("insurer", "lender")
    for party, theirs in enumerate(hosts, start=1):
        assert theirs.half.trees.trees == [tree.splits_of(party) for tree in trees]
        assert sum(map(len, theirs.half.trees.trees)) > 0
    assert list(ours.facts["trees"]["disclosed"]) == ["insurer", "lender"]
    assert set(ours.facts["trees"]["each"][1]["splits"]) == {"bank", "insurer", "lender"}
    for name, theirs in zip(("insurer", "lender"), hosts, strict=True):
        publish(tmp_path / name, {"model.json": theirs.half.as_json()})
    batch = {name: run_of(agreed, name, task="score") for name in tables}
    scored = run_in_memory(
        {
            "bank": batches.guest(batch["bank"], Batch.of(BANK, ours.half.levels), ours.half),
            **{
                name: batches.host(batch[name], tables[name], tmp_path / name / "model.json")
                for name in ("insurer", "lender")
            },
        }
    )
    of_bank = scored.results["bank"]
    common, logit = BANK.take(of_bank.common.rows), of_bank.logit
    test = common.split == "test"
    found = evaluate(common.label[test], sigmoid(logit[test]))
    assert ours.facts["splits"]["test"]["joint"] == pytest.approx(found)
