"""A journal takes the disk that was foretold: what is sent between two checkpoints."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from cost_runs import OF_EACH_KIND, REGRESSION, TREES, trained
from test_cli import SESSIONS, vfl

from parties.cost.disk import LOG, kept
from parties.cost.shape import Columns, CrossValidation, Forest, Regression
from vfl.linear.logistic import Verdict
from vfl.trees.boosting import TREE, Next
from vfl.wire.codec import encode
from vfl.wire.memory import Transcript

ROW = 512
"""Bytes of a ciphertext."""


def most_between_checkpoints(told: Transcript, party: str) -> int:
    """Return the bytes that a party sent within the phase, gradient or tree in which it sent most."""
    sent, turn = Counter[tuple[str, int]](), 0
    for one in told.views[party]:
        turn += isinstance(one.message, Verdict) or one.message == Next(TREE)
        if one.sender == party:
            sent[type(one.message).__module__, turn] += len(encode(one.message))
    return max(sent.values())


@OF_EACH_KIND
def test_the_disk_foretold_is_what_a_run_sends_between_two_checkpoints(sections: str) -> None:
    shape, told = trained(sections)
    foretold = kept(shape)
    assert foretold.guest == pytest.approx(most_between_checkpoints(told, "bank"), rel=0.1)
    assert foretold.host == pytest.approx(most_between_checkpoints(told, "insurer"), rel=0.2)


def test_a_regression_keeps_a_gradient_of_the_largest_degree() -> None:
    n = REGRESSION.rows * ROW
    assert (kept(REGRESSION).guest, kept(REGRESSION).host) == (n, 6 * n)
    sampled = replace(REGRESSION, model=Regression((50, 2, 4), sampled=1))
    assert kept(sampled).host == 50 * n / 10
    three = replace(REGRESSION, hosts=(Columns(4, 8),) * 3)
    assert kept(three).guest == 3 * n + 2 * 6 * n
    errors = replace(REGRESSION, model=Regression((2,), standard_errors=True))
    assert (kept(errors).guest, kept(errors).host) == (6 * n, 10 * n)
    folds = replace(REGRESSION, model=Regression((2,), cv=CrossValidation(4, (8,), (40,))))
    assert kept(folds).host == 10 * n


def test_trees_keep_one_tree() -> None:
    n = TREES.rows * ROW
    assert n < kept(TREES).guest < 1.2 * n
    hidden = replace(TREES, model=Forest(10, 4, hides_rows=True, guest_decrypts=True))
    assert kept(hidden).guest == 4 * n
    assert kept(TREES).with_log()["arbiter"] == LOG


def test_a_check_says_where_there_is_no_room(tmp_path: Path) -> None:
    shutil.copytree(SESSIONS / "files", tmp_path / "files")
    done = vfl(["check", "job.yaml", "--party", "bank.yaml", "--rows", "3000000000"], tmp_path / "files")
    assert "  disk of bank: " in done.stdout
    assert "    make room in " in done.stdout and ", or the training pauses" in done.stdout
