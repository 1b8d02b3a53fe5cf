"""What each party sees in the clear depends on another's rows only through what the messages declare.

Two runs under one randomness differ in secret data alone.  Then

* labels permuted anyhow: nothing the host sees changes before the first disclosure that is
  declared to depend on labels, and after it nothing but the fields named here;
* labels exchanged between rows that both parties see as equal, or whose bins are the same:
  nothing that anybody sees changes at all, so no field tells which row has the event;
* the host's rows exchanged between customers whom the guest sees as equal: the same for the guest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from protocol_runs import CODES, logistic_roles, woe_roles
from protocol_tables import ROWS, X, Y

from vfl.features import woe
from vfl.linear import residuals
from vfl.linear.logistic import Rules
from vfl.wire.flow import Sent
from vfl.wire.memory import Transcript, run_in_memory
from vfl.wire.message import field_types, is_sealed

Plain = tuple[str, str, str, dict[str, Any]]
"""A message as it is seen in the clear: who, to whom, which, and its fields that are not sealed."""

PERMUTED = np.random.default_rng(3).permutation(Y)
THREE_GRADIENTS = Rules(tolerance=1e-12, max_iter=3)


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small tables travel in several blocks."""
    monkeypatch.setattr(woe, "BLOCK", 40)
    monkeypatch.setattr(residuals, "BLOCK", 40)


def in_the_clear(view: Sequence[Sent]) -> list[Plain]:
    """Return a view with every sealed field replaced by its size."""
    return [(s.sender, s.to, type(s.message).__name__, _fields(s)) for s in view]


def _fields(sent: Sent) -> dict[str, Any]:
    hints = field_types(type(sent.message))
    values = {f.name: getattr(sent.message, f.name) for f in fields(sent.message)}  # type: ignore[arg-type]
    return {
        name: value.sealed_count
        if is_sealed(hints[name])
        else value.tolist()
        if isinstance(value, np.ndarray)
        else value
        for name, value in values.items()
    }


def differing(one: list[Plain], other: list[Plain]) -> set[tuple[str, str]]:
    """Return the fields in which two views of equal flow differ, as message and field."""
    assert [plain[:3] for plain in one] == [plain[:3] for plain in other]
    pairs = zip(one, other, strict=True)
    return {(a[2], name) for a, b in pairs for name in a[3] if a[3][name] != b[3][name]}


def before(kind: str, view: list[Plain]) -> list[Plain]:
    """Return what was seen before the first message of a kind."""
    return view[: [plain[2] for plain in view].index(kind)]


def binning(y: NDArray[np.int8]) -> Transcript:
    """Run WOE on these labels."""
    return run_in_memory(woe_roles(y))


def fit(y: NDArray[np.int8], x: NDArray[np.float64] = X) -> Transcript:
    """Run three gradients on these labels and columns."""
    return run_in_memory(logistic_roles(y, x, rules=THREE_GRADIENTS))


def views(role: str, *runs: Transcript) -> list[list[Plain]]:
    """Return what a role saw in the clear in each run."""
    return [in_the_clear(run.views[role]) for run in runs]


# --- labels permuted anyhow ---


def test_of_binned_labels_the_host_sees_nothing_but_the_woe_values() -> None:
    one, other = views("host", binning(Y), binning(PERMUTED))
    assert differing(one, other) == {("BinEvents", "events")}
    assert before("BinEvents", one) == before("BinEvents", other)


def test_of_binned_labels_a_host_that_is_not_told_sees_nothing_at_all() -> None:
    one, other = views("host", *(run_in_memory(woe_roles(y, told=False)) for y in (Y, PERMUTED)))
    assert one == other
    assert {kind for sender, _, kind, _ in one if sender == "guest"} == {"EncryptedLabels"}


def test_the_host_sees_nothing_of_labels_before_it_learns_its_first_gradient() -> None:
    # for a start that is fixed: a start that was fitted to the labels is the next test's
    one, other = views("host", fit(Y), fit(PERMUTED))
    first = before("DecryptedSums", one)
    assert [kind for *_, kind, _ in first].count("EncryptedResiduals") == 3
    assert first == before("DecryptedSums", other)


def test_the_guests_start_shows_in_the_approximation_alone() -> None:
    roles = (logistic_roles(start=start) for start in [(0.0, 0.0, 0.0), (-4.0, 2.0, -1.0)])
    one, other = (before("DecryptedSums", view) for view in views("host", *map(run_in_memory, roles)))
    approximation = {("Approximation", name) for name in ("degree", "centre", "spread")}
    differs = differing(one, other)
    assert differs & approximation
    assert differs <= approximation | {("LogitPowers", "values")}


def test_after_its_first_gradient_the_host_sees_labels_only_in_the_fields_that_say_so() -> None:
    one, other = views("host", fit(Y), fit(PERMUTED))
    declared = {
        ("LogitRange", "lo"),  # the host's own, of coefficients that its gradients have moved
        ("LogitRange", "hi"),
        ("Approximation", "degree"),  # and with it how many powers the next two hold
        ("Approximation", "centre"),
        ("Approximation", "spread"),
        ("LogitPowers", "values"),
        ("GradientProducts", "values"),  # the host's own
        ("Step", "coefficients"),
        ("Content", "content"),  # the host's own
        ("Verdict", "go_on"),
    }
    assert {("GradientProducts", "values"), ("Step", "coefficients")} <= differing(one, other) <= declared


def test_the_arbiter_sees_nothing_of_labels_in_the_clear_but_the_verdict() -> None:
    for runs in ((binning(Y), binning(PERMUTED)), (fit(Y), fit(PERMUTED))):
        one, other = views("arbiter", *runs)
        assert one == other
        received = {kind for sender, _, kind, _ in one if sender != "arbiter"}
        assert received <= {"MaskedSums", "Vouched", "Verdict"}


# --- secrets exchanged between rows that look the same ---


def exchanged(values: NDArray[Any], *alike: NDArray[Any], seed: int = 1) -> NDArray[Any]:
    """Return the values permuted at random among rows that are equal in all other columns."""
    _, group = np.unique(np.column_stack(alike), axis=0, return_inverse=True)
    rng, out = np.random.default_rng(seed), values.copy()
    for g in np.unique(group):
        rows = np.flatnonzero(group == g)
        out[rows] = values[rng.permutation(rows)]
    return out


def coarse() -> NDArray[np.float64]:
    """Return columns of two values each, so that rows repeat."""
    return np.where(X > 0, 1.0, -0.5)


def test_of_binned_labels_nobody_sees_which_row_of_a_bin_has_the_event() -> None:
    other = exchanged(Y, *CODES)
    assert (other != Y).sum() > ROWS // 10
    runs = binning(Y), binning(other)
    for role in ("guest", "host", "arbiter"):
        one, two = views(role, *runs)
        assert one == two
    assert runs[0].results["guest"] == runs[1].results["guest"]


def test_in_a_joint_fit_nobody_sees_which_of_equal_rows_has_the_event() -> None:
    x = coarse()
    other = exchanged(Y, x)
    assert (other != Y).sum() > ROWS // 10
    runs = fit(Y, x), fit(other, x)
    for role in ("guest", "host", "arbiter"):
        one, two = views(role, *runs)
        assert one == two
    np.testing.assert_array_equal(runs[0].results["host"].coefficients, runs[1].results["host"].coefficients)


def test_in_a_joint_fit_the_guest_does_not_see_which_of_its_equal_rows_has_which_of_the_hosts() -> None:
    x = coarse()
    other = x.copy()
    other[:, 2:] = exchanged(x[:, 2:], x[:, :2], Y)
    assert (other != x).any(axis=1).sum() > ROWS // 3
    assert_nearly_equal(*views("guest", fit(Y, x), fit(Y, other)))


@pytest.mark.parametrize("role", ["guest", "host"])
def test_in_a_joint_fit_no_number_depends_on_where_a_row_stands(role: str) -> None:
    order = np.random.default_rng(2).permutation(ROWS)
    assert_nearly_equal(*views(role, fit(Y), fit(Y[order], X[order])))


def assert_nearly_equal(one: list[Plain], other: list[Plain]) -> None:
    """Refuse views that differ by more than the order of a sum of floats does."""
    assert [plain[:3] for plain in one] == [plain[:3] for plain in other]
    for (*_, mine), (*_, theirs) in zip(one, other, strict=True):
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-9)


# --- the tests would notice ---


def test_a_field_that_told_a_label_would_be_noticed() -> None:
    leak = ("guest", "host", "Split", {"train": Y.tolist()})
    other = ("guest", "host", "Split", {"train": exchanged(Y, *CODES).tolist()})
    assert differing([leak], [other]) == {("Split", "train")}
