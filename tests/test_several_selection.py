"""With two hosts a penalty is chosen, and columns leave by sign, as of the pooled table."""

from __future__ import annotations

import numpy as np
from program_runs import job, run_of
from sklearn.linear_model import LogisticRegression
from test_several_regression import lender
from test_signs import TABLES

from parties.config.job import JobParty
from parties.programs import arbiter, host
from parties.programs.model import columns_of
from parties.programs.training import training
from vfl.wire.memory import run_in_memory

RULES = """\
features: {bins: 3, selection: {sign: drop}}
model: {tolerance: 1.0e-4, cv: {folds: 2, Cs: [0.5, 20]}}
disclosure: {metrics: []}
"""
GATES = ["small_bins", "few_rows", "many_iterations", "few_host_columns"]


def test_a_model_of_two_hosts_is_the_pooled_one() -> None:
    plain = job(RULES, GATES)
    agreed = plain.model_copy(update={"parties": plain.parties | {"lender": JobParty(role="host")}})
    tables = dict(zip(("bank", "insurer"), TABLES, strict=True)) | {"lender": lender()}
    runs = {name: run_of(agreed, name) for name in agreed.parties}
    roles = {"bank": training(runs["bank"], tables["bank"]), "trustee": arbiter.training(runs["trustee"])}
    hosts = {name: host.training(runs[name], tables[name]) for name in agreed.hosts}
    told = run_in_memory(roles | hosts).results
    halves = {name: told[name].half for name in tables}
    facts = told["bank"].facts

    common = sorted(set.intersection(*(set(map(str, table.ids)) for table in tables.values())))
    places = {name: {str(id): k for k, id in enumerate(table.ids)} for name, table in tables.items()}
    rows = {name: table.take(np.array([places[name][c] for c in common])) for name, table in tables.items()}
    train = rows["bank"].split == "train"
    assert rows["bank"].label is not None
    y = rows["bank"].label[train]
    x = np.column_stack([half.features.transform(columns_of(rows[name])) for name, half in halves.items()])
    fit = LogisticRegression(C=facts["cross_validation"]["C"], solver="newton-cholesky", tol=1e-12)
    fit.fit(x[train], y)
    weights = [weight for half in halves.values() for weight in half.weights.values()]
    np.testing.assert_allclose(weights, [*fit.intercept_, *fit.coef_[0]], atol=5e-4)
    assert fit.coef_.min() > 0

    assert [*facts["left_out"]["guest"], *facts["left_out"]["host"]]
    assert [len(row["folds"]) for row in facts["cross_validation"]["path"]] == [2, 2]
