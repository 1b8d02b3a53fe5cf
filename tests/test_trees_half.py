"""A party's half of joint trees is kept in model.json, and scores batches as the training did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program_runs import BANK, INSURER, by_id, changed
from seeded import Seeded

from parties.exports.halves import described
from parties.programs.files import publish
from parties.programs.model import Half, columns_of, levels_in
from parties.programs.stored import check_batch, read_batch
from parties.programs.trees_model import TreeHalf
from vfl.errors import ConfigError, DataError
from vfl.stats.binned import Bins
from vfl.stats.scorecard import Scorecard
from vfl.table.table import Categorical, Table
from vfl.trees import scoring
from vfl.trees.grow import Ensemble, Rules
from vfl.trees.model import GuestTrees, HostTrees, codes_of, layout_of
from vfl.trees.pooled import fit
from vfl.wire.flow import Peer
from vfl.wire.memory import run_in_memory


@dataclass(frozen=True)
class Trained:
    """Two halves of the trees of the common customers, and their logits in training."""

    bank: TreeHalf[GuestTrees]
    insurer: TreeHalf[HostTrees]
    grown: Ensemble


def trained() -> Trained:
    """Grow trees on the small job's tables."""
    bank, insurer = by_id(BANK), by_id(INSURER)
    ours, theirs = (
        Bins.fit(columns_of(table), np.ones(len(table), np.bool_), 8) for table in (bank, insurer)
    )
    assert bank.label is not None
    grown = fit(
        [codes_of(ours, columns_of(bank)), codes_of(theirs, columns_of(insurer))],
        (layout_of(ours), layout_of(theirs)),
        bank.label,
        Rules(n_estimators=6, max_depth=3),
        rng=Seeded(1),
    )
    guest = GuestTrees(ours, ("insurer",), grown.trees)
    host = HostTrees(theirs, [tree.splits_of(1) for tree in grown.trees])
    return Trained(
        TreeHalf("run 1", guest, levels_in(bank)), TreeHalf("run 1", host, levels_in(insurer)), grown
    )


TRAINED = trained()


def stored(folder: Path, half: Any) -> Path:
    """Return the file of a half, or of what stands in its place."""
    publish(folder, {"model.json": half if isinstance(half, dict) else half.as_json()})
    return folder / "model.json"


def test_halves_come_back_from_their_files_and_score_as_in_training(tmp_path: Path) -> None:
    ours = TreeHalf.load(stored(tmp_path / "bank", TRAINED.bank), GuestTrees)
    theirs = TreeHalf.load(stored(tmp_path / "insurer", TRAINED.insurer), HostTrees)
    assert (ours, theirs) == (TRAINED.bank, TRAINED.insurer)
    roles = {
        "bank": scoring.guest(ours.trees.trees, ours.codes(by_id(BANK)), hosts=(Peer("insurer"),)),
        "insurer": scoring.host(theirs.trees.trees, theirs.codes(by_id(INSURER)), guest=Peer("bank")),
    }
    run = run_in_memory(roles)
    assert run.wire
    np.testing.assert_array_equal(run.results["bank"], TRAINED.grown.logit)


def test_what_is_shown_of_a_half_are_its_own_columns_splits(tmp_path: Path) -> None:
    shown = [described(stored(tmp_path, half), Scorecard()) for half in (TRAINED.bank, TRAINED.insurer)]
    assert [list(one["columns"]) for one in shown] == [list(BANK.columns), list(INSURER.columns)]
    assert [one["trees"] for one in shown] == [6, 6]
    splits = sum(len(tree.chosen) for tree in TRAINED.grown.trees)
    assert sum(sum(one["columns"].values()) for one in shown) == splits


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert stored(tmp_path, TRAINED.bank).stat().st_mode & 0o777 == 0o600


def with_a_new_level(table: Table) -> Table:
    """Return the table with a region that training did not show, and a blank one."""
    regions = table.columns["region"].values.copy()
    regions[0], regions[1] = "moon", None
    return replace(table, columns=table.columns | {"region": Categorical(regions)})


def test_an_unseen_level_counts_as_missing() -> None:
    codes = TRAINED.insurer.codes(with_a_new_level(INSURER))
    assert codes[:2, 2].tolist() == [-1, -1]
    assert codes.min() == -1


def test_a_batch_of_other_kinds_of_columns_is_refused() -> None:
    many = np.array(["many"] * 1000, object)
    with pytest.raises(
        DataError, match=r"insurer\.csv: claims: holds texts, and the model was trained on numbers"
    ):
        check_batch(TRAINED.insurer.levels, changed(INSURER, "claims", many))
    check_batch(TRAINED.insurer.levels, INSURER)


def test_a_batch_is_read_with_the_models_columns_alone(tmp_path: Path) -> None:
    batch = tmp_path / "batch.csv"
    batch.write_text("id,claims,premium,region,more\n007,1,20.5,12,x\n")
    table = read_batch(TRAINED.insurer.levels, batch, "id")
    assert list(table.columns) == ["claims", "premium", "region"]
    assert table.columns["region"].values.tolist() == ["12"]


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return the guest's file with a change."""
    data = TRAINED.bank.as_json()
    edit(data)
    return data


BAD: dict[str, Callable[[dict[str, Any]], object]] = {
    "no kind": lambda d: d.pop("kind"),
    "a kind that there is not": lambda d: d.update(kind="forest"),
    "a kind that is a list": lambda d: d.update(kind=[]),
    "no run": lambda d: d.pop("run"),
    "a run without a name": lambda d: d.update(run=1),
    "no trees": lambda d: d.pop("trees"),
    "trees of another version": lambda d: d["trees"].update(version=2),
    "columns that lack a binned one": lambda d: d["columns"].pop("age"),
    "numbers binned and levels known": lambda d: d["columns"].update(age=["old", "young"]),
}


@pytest.mark.parametrize("edit", BAD.values(), ids=BAD)
def test_a_file_that_is_amiss_is_refused(edit: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    path = stored(tmp_path, edited(edit))
    with pytest.raises(ConfigError, match="is no model of this version") as refusal:
        TreeHalf.load(path, GuestTrees)
    assert refusal.value.hint == "train again"


def test_a_hosts_file_is_no_guests(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no model of this version"):
        TreeHalf.load(stored(tmp_path, TRAINED.insurer), GuestTrees)


def test_where_nothing_was_trained_the_command_to_train_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model") as refusal:
        TreeHalf.load(tmp_path / "model.json", GuestTrees)
    assert refusal.value.hint == "train first: vfl guest train"


def test_a_job_for_a_regression_refuses_trees(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds trees, and the job asks for a regression") as refusal:
        Half.load(stored(tmp_path, TRAINED.bank))
    assert refusal.value.hint == "train again, or set model.kind to trees"


def test_a_job_for_trees_refuses_a_regression(tmp_path: Path) -> None:
    regression = {"kind": "logistic", "run": "run 1", "columns": {}, "features_kind": "woe"}
    with pytest.raises(ConfigError, match="holds a regression, and the job asks for trees") as refusal:
        TreeHalf.load(stored(tmp_path, regression), GuestTrees)
    assert refusal.value.hint == "train again, or set model.kind to logistic"
