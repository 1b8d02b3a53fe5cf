"""What a row counts in a logistic regression: in both models, and in no bin and no measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import test_config
from program_runs import BANK, CUSTOMERS, INSURER, by_id, job, train, weighted
from sklearn.linear_model import LogisticRegression

from parties.config.data import Data
from parties.config.party import Party
from parties.inspection import inspect
from parties.programs.model import columns_of
from vfl.errors import ConfigError, ContractError
from vfl.linear.sigmoid import sigmoid
from vfl.stats.metrics import evaluate

WOE = "features: {bins: 3}\ndisclosure: {scores: exact}"


def test_rows_count_in_both_models_what_their_weights_say_and_once_in_bins_and_measures() -> None:
    bank = weighted(np.random.default_rng(6).choice([0.0, 2.5, 10.0, 37.0], CUSTOMERS))
    ours, theirs, _ = train(job(WOE), bank, INSURER)
    common = by_id(bank)
    rows, y = common.split == "train", common.label
    x = [
        half.features.transform(columns_of(by_id(t)))
        for half, t in ((ours.half, BANK), (theirs.half, INSURER))
    ]
    for side, role in ((ours, "guest"), (theirs, "host")):
        for bins in side.facts["woe"][role].values():
            counted = {key: sum(line[key] for line in bins) for key in ("rows", "events")}
            assert counted == {"rows": rows.sum(), "events": y[rows].sum()}
    weight = common.weight[rows] / common.weight[rows].mean()
    fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12)
    for model, columns in (("guest_only", x[0]), ("joint", np.column_stack(x))):
        fit.fit(columns[rows], y[rows], sample_weight=weight)
        wanted = [*fit.intercept_, *fit.coef_[0]]
        joint = [*ours.half.weights.values(), *theirs.half.weights.values()]
        found = joint if model == "joint" else list(ours.facts["guest_only_coefficients"].values())
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        pd = sigmoid(wanted[0] + columns[~rows] @ wanted[1:])
        assert ours.facts["splits"]["test"][model] == pytest.approx(evaluate(y[~rows], pd), rel=1e-4)


def test_a_row_that_counts_more_than_a_tenth_of_all_holds_no_gate_open(tmp_path: Path) -> None:
    heavy = np.where(np.arange(CUSTOMERS) == 3, 400.0, 1.0)
    with pytest.raises(
        ContractError, match="a training row has more than 10% of the sum of all squared"
    ) as no:
        train(job(WOE), weighted(heavy), INSURER)
    assert "cap large weights" in no.value.hint
    lines = [f"c{k},{k % 2},{k % 7},{heavy[k]}" for k in range(CUSTOMERS)]
    (tmp_path / "bank.csv").write_text("\n".join(["id,label,income,w", *lines]), encoding="utf-8")
    data = Data(table=tmp_path / "bank.csv", label="label", weight="w")
    (tmp_path / "party.yaml").write_text(test_config.BANK, encoding="utf-8")
    agreed = test_config.job(test_config.JOB, tmp_path)
    bank = Party.load(tmp_path / "party.yaml", agreed).model_copy(update={"data": data})
    with pytest.raises(ContractError, match=r"bank\.csv: a training row has more than 10% of the sum"):
        inspect(agreed, bank, agreed.open_gates())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("purpose", "model: {cv: {folds: 3}}\npurpose", "model.cv"),
        ("purpose", "model: {sigmoid: taylor}\npurpose", "model.sigmoid taylor"),
        ("purpose", "disclosure: {gradient_bits: 24}\npurpose", "disclosure.gradient_bits"),
        ("purpose", "disclosure: {standard_errors: true}\npurpose", "disclosure.standard_errors"),
        ("  trustee: {role: arbiter}\n", "", "a job without an arbiter"),
    ],
)
def test_what_weights_do_not_go_with_is_refused_by_name(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    more = "" if new else "features: {kind: standard}\ndisclosure: {woe_to_host: true}\n"
    agreed = test_config.job(test_config.JOB.replace(old, new, 1) + more, tmp_path)
    bank = test_config.BANK.replace("label: label", "label: label, weight: w")
    if not new:
        bank = bank.replace('  trustee: {dial: "[::1]:7443", certificate: trustee.crt}\n', "")
    (tmp_path / "party.yaml").write_text(bank, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"data.weight: does not go with {said}") as refusal:
        Party.load(tmp_path / "party.yaml", agreed)
    assert "remove the key" in refusal.value.hint
