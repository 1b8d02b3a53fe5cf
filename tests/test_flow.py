"""Every protocol and every role of it follows the ladder in its docstring."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from protocol_runs import RUNS, transcripts
from source import messages, protocols

from psi import ecdh, lookup, several
from vfl.features import woe
from vfl.linear import logistic, residuals
from vfl.trees import hidden, shown
from vfl.trees import scoring as tree_scoring
from vfl.wire.ladder import follows_ladder, ladder_pattern, role_of
from vfl.wire.memory import DeadlockError, run_in_memory

each_protocol = pytest.mark.parametrize("protocol", [pytest.param(p, id=p.__name__) for p in protocols()])


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small tables travel in several blocks."""
    monkeypatch.setattr(woe, "BLOCK", 40)
    monkeypatch.setattr(residuals, "BLOCK", 40)
    monkeypatch.setattr(shown, "BLOCK", 40)
    monkeypatch.setattr(hidden, "BLOCK", 40)
    monkeypatch.setattr(tree_scoring, "CHUNK", 40)
    monkeypatch.setattr(ecdh, "CHUNK", 2)
    monkeypatch.setattr(several, "CHUNK", 2)
    monkeypatch.setattr(lookup, "CHUNK", 2)


def ladder(protocol: ModuleType) -> set[tuple[str, str, str]]:
    """Return all that a ladder allows: sender, receiver, message."""
    doc = protocol.__doc__ or ""
    roles = {role for line in re.findall(r"^ +(\w+) -> (.+): \w+$", doc, re.M) for role in line}
    names = {name for role in roles for name in role.split(", ")}
    steps = [re.findall(r"(\w+)>(\w+):(\w+);", ladder_pattern(doc, name).pattern) for name in names]
    return {step for seen in steps for step in seen}


def test_every_protocol_is_run() -> None:
    assert set(RUNS) == set(protocols())


@each_protocol
def test_every_role_follows_its_ladder(protocol: ModuleType) -> None:
    speakers = {name for step in ladder(protocol) for name in step[:2]}
    for run in transcripts(protocol):
        assert set(map(role_of, run.views)) == speakers
        for role, view in run.views.items():
            assert follows_ladder(protocol.__doc__ or "", role, view), role


@each_protocol
def test_every_step_of_a_ladder_is_taken_by_some_run(protocol: ModuleType) -> None:
    sent = [s for run in transcripts(protocol) for view in run.views.values() for s in view]
    taken = {(role_of(s.sender), role_of(s.to), type(s.message).__name__) for s in sent}
    assert taken == ladder(protocol)


@each_protocol
def test_every_message_of_a_protocol_is_on_its_ladder(protocol: ModuleType) -> None:
    on_the_ladder = {name for _, _, name in ladder(protocol)}
    assert {kind.__name__ for kind in messages(protocol)} <= on_the_ladder


@each_protocol
def test_a_role_that_falls_silent_is_named_and_nobody_waits_for_ever(protocol: ModuleType) -> None:
    async def silent() -> None:
        pass

    for make, run in zip(RUNS[protocol], transcripts(protocol), strict=True):
        for quiet in {s.sender for view in run.views.values() for s in view}:
            roles = make()
            roles[quiet].close()
            with pytest.raises(DeadlockError, match=rf"waits for \w+ of {quiet}"):
                run_in_memory(roles | {quiet: silent()})


def test_a_run_of_which_nothing_is_kept_ends_as_any_other() -> None:
    kept, gone = (run_in_memory(RUNS[logistic][0](), keep=keep) for keep in (True, False))
    assert gone.results["host"].coefficients.tolist() == kept.results["host"].coefficients.tolist()
    assert gone.ledgers == kept.ledgers
    assert not gone.wire
    assert not any(gone.views.values())
