"""Trees that go on from an earlier training: those of one training, and who may go on from what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from program_runs import BANK, INSURER, job, run_of

from parties.programs import arbiter
from parties.programs.files import publish
from parties.programs.limits import check_leaves
from parties.programs.trees import warm
from parties.programs.trees.guest import training as grow_as_guest
from parties.programs.trees.host import training as grow_as_host
from parties.programs.trees_model import TreeHalf
from vfl.errors import ConfigError, ContractError, DataError
from vfl.gates import Gates
from vfl.table.table import Table
from vfl.trees.model import HostTrees
from vfl.wire.memory import run_in_memory

OPEN = ["many_leaves", "small_bins"]


def rules(trees: int, more: str = "") -> Any:
    """Return a job of so many trees."""
    text = f"model: {{kind: trees, n_estimators: {trees}, max_depth: 3, max_bin: 8{more}}}"
    return job(text, OPEN)


def grow(agreed: Any, folder: Path, run: str, bank: Table = BANK, insurer: Table = INSURER) -> Any:
    """Return what a training leaves at both parties and what was sent; their models are in `folder`."""
    runs = {name: run_of(agreed, name, id=run) for name in ("bank", "insurer", "trustee")}
    told = run_in_memory(
        {
            "bank": grow_as_guest(runs["bank"], bank, folder / "bank.json"),
            "insurer": grow_as_host(runs["insurer"], insurer, folder / "insurer.json"),
            "trustee": arbiter.training(runs["trustee"]),
        }
    )
    return told.results["bank"], told.results["insurer"], told


def keep(folder: Path, ours: Any, theirs: Any) -> None:
    """Put both halves where the next training finds them."""
    publish(folder, {"bank.json": ours.half.as_json(), "insurer.json": theirs.half.as_json()})


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A training of three trees."""
    ours, theirs, _ = grow(rules(3), tmp_path_factory.mktemp("none"), "run 1")
    return ours, theirs


WARM = ", warm_start: true"


@pytest.mark.parametrize("first", ["guest", "all"])
def test_three_trees_on_top_of_three_are_six_trees_at_once(first: str, tmp_path: Path) -> None:
    whose = f", first_tree: {first}, scale_pos_weight: 2"
    six, their_six, _ = grow(rules(6, whose), tmp_path, "run 0")
    keep(tmp_path, *grow(rules(3, whose), tmp_path, "run 1")[:2])
    ours, theirs, told = grow(rules(3, whose + WARM), tmp_path, "run 2")
    assert ours.half == replace(six.half, run="run 2")
    assert theirs.half == replace(their_six.half, run="run 2")
    for split, models in six.facts["splits"].items():
        for model, found in models.items():
            assert ours.facts["splits"][split][model] == pytest.approx(found)
    assert ours.facts["trees"]["importances"] == six.facts["trees"]["importances"]
    said, theirs_said = ours.facts["trees"], theirs.facts["trees"]
    assert (said["before"], said["grown"], said["kept"]) == (3, 3, 3)
    assert said["each"][0]["splits"] == six.facts["trees"]["each"][3]["splits"]
    sides = {e["message"]: e["plain_bits"] for e in told.ledgers["insurer"].as_json()}
    masks = sum(len(tree) for tree in theirs.half.trees.trees[:3])
    bits = masks + sides["Sides"] / ours.facts["rows"]["train"]
    assert masks > 0
    assert said["disclosed"]["insurer"]["split_bits_per_row"] == bits
    assert theirs_said["disclosed"]["bank"]["split_bits_per_row"] == bits


@pytest.mark.parametrize(
    ("held", "complaint"),
    [
        (None, "bank wants to go on from a model, and no model is held here"),
        ("run 7", "bank goes on from the model of another training"),
    ],
)
def test_a_host_without_its_half_of_the_earlier_training_refuses(
    held: str | None, complaint: str, three: Any, tmp_path: Path
) -> None:
    ours, theirs = three
    keep(tmp_path, ours, replace(theirs, half=replace(theirs.half, run=held or "")))
    if held is None:
        (tmp_path / "insurer.json").unlink()
    with pytest.raises(ContractError, match=complaint) as refusal:
        grow(rules(1, WARM), tmp_path, "run 2")
    assert refusal.value.hint == "train again without model.warm_start"


def test_a_guest_without_a_model_is_told_before_any_peer_is_met(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model to go on from"):
        warm.check_model(rules(1, WARM), tmp_path / "bank.json")
    warm.check_model(rules(1), tmp_path / "bank.json")


def test_trees_of_other_hosts_columns_or_finer_bins_are_not_gone_on_from(three: Any, tmp_path: Path) -> None:
    ours, theirs = three
    keep(tmp_path, ours, theirs)
    fewer = replace(INSURER, columns=dict(reversed(INSURER.columns.items())))
    with pytest.raises(DataError, match=r"insurer\.csv: has other columns than the model to go on from"):
        grow(rules(1, WARM), tmp_path, "run 2", insurer=fewer)
    coarser = job("model: {kind: trees, n_estimators: 1, max_bin: 7, warm_start: true}", OPEN)
    with pytest.raises(ContractError, match=r"model\.max_bin: 7 are agreed, and the .* has 8"):
        grow(coarser, tmp_path, "run 2")
    strangers = replace(ours.half.trees, hosts=("lender",))
    keep(tmp_path, replace(ours, half=replace(ours.half, trees=strangers)), theirs)
    with pytest.raises(ContractError, match=r"its trees were grown with other hosts, .*: lender"):
        grow(rules(1, WARM), tmp_path, "run 2")


def test_earlier_trees_count_at_the_gate_many_leaves() -> None:
    gates, agreed = Gates(frozenset()), rules(3).trees  # a tree of depth 3 needs 160 rows, and one more
    check_leaves(gates, agreed, 961, warm.depths([{1, 7}, {}, {4}]))
    with pytest.raises(ContractError, match="3 trees of depth 3 after 3 earlier ones on 960") as refusal:
        check_leaves(gates, agreed, 960, warm.depths([{1, 7}, {}, {4}]))
    assert refusal.value.hint.startswith("at this depth 2 can be grown;")
    with pytest.raises(ContractError):
        check_leaves(gates, agreed, 961, warm.depths([{1, 15}, {}, {4}]))


class Cut:
    """Steps that were kept before a run was cut off, and none of the trees."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def state(self, name: str) -> Any:
        """Return what a step left."""
        return self.kept.get(name)

    def checkpoint(self, name: str, state: Any) -> None:
        """Keep what a step leaves."""
        self.kept[name] = state

    def remember(self, name: str, state: Any) -> None:
        """Keep nothing."""


def test_a_run_that_was_cut_off_goes_on_from_the_half_that_it_began_with(three: Any, tmp_path: Path) -> None:
    _, theirs = three
    path = tmp_path / "insurer.json"
    publish(tmp_path, {path.name: theirs.half.as_json()})
    run = replace(run_of(rules(1, WARM), "insurer"), steps=Cut())
    read = warm.kept_half(run, path, HostTrees)
    assert run_in_memory({"insurer": read}).results["insurer"] == theirs.half
    publish(tmp_path, {path.name: replace(theirs.half, run="run 9").as_json()})
    again = run_in_memory({"insurer": warm.kept_half(run, path, HostTrees)}).results["insurer"]
    assert again == theirs.half != TreeHalf.load(path, HostTrees)
