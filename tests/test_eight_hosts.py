"""A bank and eight hosts, every one a process of its own, train and score through `vfl local`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from scripts.benchmarks.real.jobs import run, write_files

HOSTS = tuple(f"host{k}" for k in range(1, 9))
ROWS = 150


@pytest.mark.timeout(600)
def test_a_bank_and_eight_hosts_train_and_score(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    ids = [f"c{k:03d}" for k in range(ROWS)]
    tables = {
        name: pd.DataFrame({f"{name}_{j}": rng.integers(0, 2, ROWS) for j in range(3)}, index=ids)
        for name in ("bank", *HOSTS)
    }
    x = pd.concat(tables.values(), axis=1)
    y = (rng.random(ROWS) < 1 / (1 + np.exp(1.5 - x.sum(axis=1) / 9))).astype(int)
    tables["bank"] = tables["bank"].assign(label=y)
    for name, table in tables.items():
        table.sample(frac=1.0, random_state=1).to_csv(tmp_path / f"{name}.csv", index_label="id")

    def data(name: str) -> dict[str, Any]:
        own = {"label": "label"} if name == "bank" else {}
        return {"table": str(tmp_path / f"{name}.csv"), "id": "id", **own}

    sections = {
        "job": "eight-hosts",
        "features": {"kind": "standard"},
        "model": {"C": 0.02, "tolerance": 1e-3},
        "gates": {"allow": ["few_rows"]},
    }
    roles = {"bank": "guest"} | dict.fromkeys(HOSTS, "host") | {"trustee": "arbiter"}
    out = tmp_path / "out"
    run(write_files(tmp_path, roles, sections, data), out)
    joint: dict[str, float] = {}
    for folder in ("guest", *HOSTS):
        joint |= json.loads((out / folder / "model.json").read_text())["coefficients"]
    standard = (x - x.mean()) / x.std(ddof=0)
    fit = LogisticRegression(C=0.02, solver="newton-cholesky", tol=1e-12).fit(standard, y)
    np.testing.assert_allclose(list(joint.values()), [*fit.intercept_, *fit.coef_[0]], atol=1e-3)
    scores = pd.read_parquet(out / "guest" / "scores.parquet").set_index("id")["pd"]
    pooled = pd.Series(fit.predict_proba(standard)[:, 1], index=ids)
    assert (scores - pooled).abs().max() < 0.03  # eight roundings to a point
