"""What `vfl check` refuses of a guest's table before any peer is met."""

from __future__ import annotations

from pathlib import Path

import pytest
from program_runs import job, party

from parties.config.data import Data
from parties.inspection import inspect
from vfl.errors import ContractError, DataError

TREES = "model: {kind: trees, n_estimators: 2, max_depth: 2}"
"""Four last-level nodes, which need more than 160 training rows."""


def check(folder: Path, rows: int, *, allow: tuple[str, ...] = (), unweighted: int = 0) -> list[str]:
    """Return the gates that a check finds open and breached; the last rows may have the weight 0."""
    lines = [f"c{k},{k % 2},{k % 7},{int(k < rows - unweighted)}" for k in range(rows)]
    table = folder / "bank.csv"
    table.write_text("\n".join(["id,label,income,w", *lines]), encoding="utf-8")
    agreed = job(TREES, allow)
    data = Data(table=table, label="label", weight="w")
    gates = agreed.open_gates()
    found = inspect(agreed, party("bank").model_copy(update={"data": data}), gates)
    assert [column["name"] for column in found["train"]["columns"]] == ["income"]
    return gates.overridden


def test_trees_of_too_many_leaves_are_refused_before_anybody_is_met(tmp_path: Path) -> None:
    assert check(tmp_path, 161) == []
    with pytest.raises(ContractError, match="2 trees of depth 2 on 160 training rows"):
        check(tmp_path, 160)
    (breach,) = check(tmp_path, 160, allow=("many_leaves",))
    assert breach.startswith("many_leaves: model.n_estimators")


def test_rows_of_weight_0_are_not_counted_by_a_check(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="2 trees of depth 2 on 160 training rows"):
        check(tmp_path, 200, unweighted=40)
    with pytest.raises(ContractError, match="fewer than 20 training rows are in the rarer class"):
        check(tmp_path, 200, unweighted=180, allow=("many_leaves",))


@pytest.mark.parametrize(
    ("bads", "split", "said"),
    [(0, "train", "every training row has the label 0"), (60, "test", "no row is in the split train")],
)
def test_rows_that_no_model_can_be_fitted_to_are_refused_whatever_is_allowed(
    tmp_path: Path, bads: int, split: str, said: str
) -> None:
    lines = [f"c{k},{int(k < bads)},{split},{k % 7}" for k in range(120)]
    (tmp_path / "bank.csv").write_text("\n".join(["id,label,split,income", *lines]), encoding="utf-8")
    data = Data(table=tmp_path / "bank.csv", label="label", split="split")
    agreed = job("", ("few_events", "few_rows"))
    with pytest.raises(DataError, match=said):
        inspect(agreed, party("bank").model_copy(update={"data": data}), agreed.open_gates())
