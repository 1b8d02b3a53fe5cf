"""Standard errors together are those of the pooled table, and neither party learns the other's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import PRIVATE
from numpy.typing import NDArray
from program_runs import BANK, INSURER, by_id, job, run_of, train
from program_runs import JOB as JOB_OF_TESTS
from protocol_runs import SLOPES, inference_roles
from scipy.stats import norm
from seeded import Seeded

from parties.config.job import Job
from parties.config.policy import DisclosurePolicy, PolicyRules
from parties.config.schema import validated
from parties.config.yaml import parse
from parties.contract.policy import check_policy
from parties.contract.words import in_words
from parties.cost import shape as cost
from parties.cost.phases import phases
from parties.cost.shape import Columns, Regression
from parties.programs.limits import check_cells, check_pairs
from parties.programs.model import columns_of
from vfl.arbitration import DecryptedSums, Quota, Shape
from vfl.errors import ConfigError, ContractError
from vfl.linear import inference
from vfl.linear.sigmoid import curvature, sigmoid
from vfl.wire.memory import Transcript, run_in_memory

Matrix = NDArray[np.float64]


def pooled(x: Matrix, w: NDArray[np.float64]) -> Matrix:
    """Return the covariance of all coefficients, by the textbook."""
    whole = np.column_stack([np.ones(len(x)), x])
    p = sigmoid(whole @ w)
    return np.asarray(np.linalg.inv((whole.T * (p * (1 - p))) @ whole + np.diag([0.0, 1, 1, 1, 1, 1])))


def errors(run: Transcript) -> NDArray[np.float64]:
    """Return the standard errors of the guest's and of the host's coefficients."""
    return np.sqrt(np.concatenate([run.results[name].diagonal() for name in ("guest", "host")]))


def correlated(n: int) -> Matrix:
    """Return columns that overlap between the parties, two of few values, one large."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 5))
    x[:, 3] = 0.7 * x[:, 0] + 0.5 * x[:, 3]
    x[:, 1] = (x[:, 1] > 0.4) - 0.3
    x[:, 4] = 6 * x[:, 4]
    return x.round(3)


@pytest.mark.parametrize("shift", [0.0, -3.0])
def test_errors_together_are_those_of_the_pooled_table(shift: float) -> None:
    x, w = correlated(1500), SLOPES + np.array([shift, 0, 0, 0, 0, 0])
    run = run_in_memory(inference_roles(x, w))
    whole = pooled(x, w)
    np.testing.assert_allclose(errors(run), np.sqrt(whole.diagonal()), rtol=1e-4)
    np.testing.assert_allclose(run.results["guest"], whole[:3, :3], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(run.results["host"], whole[3:, 3:], rtol=1e-3, atol=1e-5)


def test_the_weights_are_the_sigmoids_slope() -> None:
    u = np.linspace(-30, 30, 7)
    np.testing.assert_allclose(curvature(u), sigmoid(u) * (1 - sigmoid(u)), atol=1e-15)
    np.testing.assert_allclose(curvature(np.array([40.0])), np.exp(-40.0), rtol=1e-12)


def explained(run: Transcript) -> Matrix:
    """Return U^T U as it was sent."""
    (sent,) = [s.message for s in run.views["guest"] if isinstance(s.message, inference.Explained)]
    return sent.values


def test_another_rotation_tells_the_same_and_looks_unlike() -> None:
    one, two = (run_in_memory(inference_roles(rngs=(Seeded(8), Seeded(seed)))) for seed in (9, 10))
    np.testing.assert_allclose(errors(one), errors(two), rtol=1e-6)
    # What the guest decrypts is V: only the products of its rows are the same, and these are C K^-1 C^T.
    assert np.abs(explained(one) - explained(two)).max() > 0.01
    np.testing.assert_allclose(
        np.linalg.eigvalsh(explained(one)), np.linalg.eigvalsh(explained(two)), atol=1e-6
    )


def test_rotations_are_orthogonal_and_uniform() -> None:
    drawn = np.array([inference._rotation(3, Seeded(k)) for k in range(2000)])
    np.testing.assert_allclose(drawn @ drawn.transpose(0, 2, 1), np.tile(np.eye(3), (2000, 1, 1)), atol=1e-12)
    assert np.abs(drawn.mean(axis=0)).max() < 5 * np.sqrt(1 / 3 / 2000)
    np.testing.assert_allclose((drawn**2).mean(axis=0), 1 / 3, atol=0.05)
    signs = np.linalg.det(drawn) > 0
    assert 900 < signs.sum() < 1100


def test_the_arbiter_decrypts_no_more_than_a_gradients_shape_allows() -> None:
    guest, host = inference.shapes(Shape(3, 70), Shape(3, 70))
    assert (guest.sums, host.sums) == (6 + 9, 6)
    n = PRIVATE.public.n

    def quotas(guest: Shape, host: Shape) -> Any:
        return Quota.of_requests(1, guest, n), Quota.of_requests(1, host, n)

    run_in_memory(inference_roles(quotas=quotas(guest, host)))
    fewer = Shape(guest.sums - 1, guest.bits)
    with pytest.raises(ContractError, match="guest: asked for"):
        run_in_memory(inference_roles(quotas=quotas(fewer, host)))


def test_each_learns_the_sums_of_its_own_covariance_alone() -> None:
    run = run_in_memory(inference_roles())
    seen = [*run.views["guest"], *run.views["host"]]
    told = {s.to: s.message.sums for s in seen if isinstance(s.message, DecryptedSums)}
    assert told == {"guest": 6 + 9, "host": 6}


JOB = """\
features: {kind: standard}
model: {tolerance: 1.0e-5}
disclosure: {standard_errors: true, joined_coefficients: true}
"""


def test_a_training_tells_each_party_its_own_standard_errors() -> None:
    ours, theirs, _ = train(job(JOB, ["few_rows"]), BANK, INSURER)
    bank, insurer = by_id(BANK), by_id(INSURER)
    rows = bank.split == "train"
    own, partners = (
        half.features.transform(columns_of(table))[rows]
        for half, table in ((ours.half, bank), (theirs.half, insurer))
    )
    whole = np.column_stack([np.ones(rows.sum()), own, partners])
    w = np.array([*ours.half.weights.values(), *theirs.half.weights.values()])
    p = sigmoid(whole @ w)
    penalty = np.diag([0.0] + [1.0] * (len(w) - 1))
    expected = np.sqrt(np.linalg.inv((whole.T * (p * (1 - p))) @ whole + penalty).diagonal())
    told = [*ours.facts["standard_errors"].values(), *theirs.facts["standard_errors"].values()]
    assert list(ours.facts["standard_errors"]) == list(ours.half.weights)
    assert list(theirs.facts["standard_errors"]) == list(theirs.half.weights)
    np.testing.assert_allclose([row["standard_error"] for row in told], expected, rtol=1e-4)
    np.testing.assert_allclose([row["z"] for row in told], w / expected, rtol=1e-4)
    np.testing.assert_allclose([row["p"] for row in told], 2 * norm.sf(abs(w / expected)), rtol=1e-2)


def test_without_an_arbiter_there_are_none() -> None:
    two = JOB_OF_TESTS.replace("  trustee: {role: arbiter}\n", "") + JOB
    with pytest.raises(ConfigError, match="standard_errors: only an arbiter can decrypt"):
        validated(Job, parse(two, Path("job.yaml")))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("model: {kind: trees}\ndisclosure: {standard_errors: true}", "trees have no coefficients"),
        (
            "model: {sigmoid: taylor}\ndisclosure: {standard_errors: true}",
            "a fit by model.sigmoid taylor is not of maximum likelihood",
        ),
        (
            "disclosure: {standard_errors: true, gradient_bits: 24}",
            "sums of products are learnt in full: leave gradient_bits out",
        ),
    ],
)
def test_errors_that_nobody_could_have_are_refused(more: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"disclosure: standard_errors: {said}"):
        job(more)


def test_too_few_rows_for_the_pairs_of_columns_are_refused() -> None:
    run = run_of(job(JOB), "bank")
    check_pairs(run, 280, 7)
    with pytest.raises(ContractError) as refusal:
        check_pairs(run, 279, 7)
    assert "279 training rows for the 28 pairs of 7 model columns" in str(refusal.value)


def test_a_cell_of_few_people_is_refused() -> None:
    x = np.zeros((210, 3))
    x[:100, 0], x[51:151, 1], x[:, 2] = 1, 1, np.arange(210)
    run = run_of(job(JOB), "bank")
    with pytest.raises(ContractError, match="50 training rows share the values of model columns 1 and 2"):
        check_cells(run, x)
    x[50, 1] = 1
    check_cells(run, x)
    x[:, 1] = 1 - x[:, 0]
    check_cells(run, x)


def test_a_policy_may_forbid_standard_errors() -> None:
    strict = PolicyRules(max_disclosure=DisclosurePolicy(standard_errors=False))
    check_policy(job(""), strict)
    with pytest.raises(ContractError, match=r"max_disclosure\.standard_errors: allows false alone"):
        check_policy(job(JOB), strict)


def test_the_contracts_words_say_what_each_learns() -> None:
    said = " ".join(" ".join(in_words(job(JOB))).split())
    assert said.count("the covariance of its coefficients") == 2
    assert "covariance" not in " ".join(in_words(job("")))


def test_what_they_cost_is_foretold() -> None:
    columns = Columns(4, 10)
    plain, more = (
        list(phases(cost.Shape(900, 800, 700, columns, (columns,), Regression((3,), True, errors))))
        for errors in (False, True)
    )
    assert more[:-1] == plain
    # Ten powers a row from the host, and one ciphertext for each of the guest's columns and the intercept.
    assert more[-1].hosts[0].encrypt == 700 * 10 + more[-1].hosts[0].encrypt % 700
    assert more[-1].guest.rerandomise == 700 * 5
