"""What each party of a tree training sees: the host ciphertexts and nodes, the arbiter noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hostile import KEY, PRIVATE
from protocol_tables import ROWS, Y
from seeded import Seeded
from test_arbitration import looks_uniform
from test_views import PERMUTED, before, exchanged, views
from test_wires import on_the_wires, opens_itself
from tree_runs import TREE_CODES, TREES, boosting_roles

from vfl.arbitration import MaskedSums
from vfl.crypto.randomness import Randomness
from vfl.trees import hidden, shown
from vfl.trees.grow import Rules
from vfl.wire.memory import Transcript, run_in_memory

FROM_THE_FIRST = Rules(n_estimators=2, max_depth=2, guest_grows_first=False)


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small tables travel in several blocks."""
    for module in (shown, hidden):
        monkeypatch.setattr(module, "BLOCK", 40)


def grown(y: np.ndarray[tuple[int], np.dtype[np.int8]] = Y, rules: Rules = FROM_THE_FIRST) -> Transcript:
    """Grow two trees of two levels."""
    return run_in_memory(boosting_roles(y, rules=rules))


def test_the_host_sees_nothing_of_labels_before_the_first_split() -> None:
    one, other = views("host", grown(), grown(PERMUTED))
    first = before("Splits", one)
    assert {kind for sender, _, kind, _ in first if sender == "guest"} == {
        "SlotSize",
        "Next",
        "EncryptedGradients",
        "Nodes",
    }
    assert first == before("Splits", other)


def test_after_it_the_host_sees_labels_only_in_which_rows_share_a_node_and_in_its_own_splits() -> None:
    one, other = grown(), grown(PERMUTED)
    declared = {
        ("Splits", "nodes"),
        ("Splits", "columns"),
        ("Splits", "bins"),
        ("Splits", "missing_left"),
        ("Sides", "left"),  # the host's own
        ("Nodes", "nodes"),
        ("Nodes", "place"),
        ("EncryptedHistograms", "packed"),  # the host's own: their number, which the nodes tell
        ("EncryptedHistograms", "sums"),
    }
    got = [_without_flow(view) for view in views("host", one, other)]
    kinds = set(got[0]) | set(got[1])
    differs = {(kind, name) for kind in kinds for name, values in _fields(got, kind) if values}
    assert ("Nodes", "place") in differs
    assert differs <= declared


def test_of_hidden_rows_the_host_sees_its_own_splits_and_how_many_nodes_there_are() -> None:
    rules = replace(FROM_THE_FIRST, hides_rows=True)
    runs = grown(rules=rules), grown(PERMUTED, rules)
    declared = {
        ("HiddenNodes", "nodes"),
        ("Splits", "nodes"),
        ("Splits", "columns"),
        ("Splits", "bins"),
        ("Splits", "missing_left"),
        ("Sides", "left"),  # the host's own
        ("EncryptedHistograms", "packed"),  # the host's own: their number, which the nodes tell
        ("EncryptedHistograms", "sums"),
    }
    one, other = views("host", *runs)
    assert before("Splits", one) == before("Splits", other)
    got = [_without_flow(view) for view in (one, other)]
    assert "Nodes" not in got[0]
    kinds = set(got[0]) | set(got[1])
    assert {(kind, name) for kind in kinds for name, values in _fields(got, kind) if values} <= declared


def _without_flow(view: list[tuple[str, str, str, dict[str, object]]]) -> dict[str, list[dict[str, object]]]:
    """Return a view's messages by kind: how many there are follows from the splits."""
    kinds: dict[str, list[dict[str, object]]] = {}
    for _, _, kind, fields in view:
        kinds.setdefault(kind, []).append(fields)
    return kinds


def _fields(got: list[dict[str, list[dict[str, object]]]], kind: str) -> list[tuple[str, bool]]:
    ones, others = (side.get(kind, []) for side in got)
    names = (ones or others)[0]
    return [(name, any(a[name] != b[name] for a, b in zip(ones, others, strict=False))) for name in names]


def test_nobody_sees_which_of_equal_rows_has_the_event() -> None:
    codes = np.minimum(TREE_CODES, 1)
    other = exchanged(Y, codes)
    assert (other != Y).sum() > ROWS // 10
    runs = [run_in_memory(boosting_roles(y, codes, rules=FROM_THE_FIRST)) for y in (Y, other)]
    for role in ("guest", "host", "arbiter"):
        one, two = views(role, *runs)
        assert one == two
    assert runs[0].results["guest"].trees == runs[1].results["guest"].trees


def test_the_host_sees_nothing_at_all_of_the_guests_first_tree() -> None:
    run = grown(rules=Rules(n_estimators=1, max_depth=3))
    told = [type(s.message).__name__ for s in run.views["host"] if s.sender == "guest"]
    assert told == ["SlotSize", "Next", "Kept"]


def test_the_arbiter_sees_nothing_of_labels_in_the_clear() -> None:
    one, other = (_without_flow(view) for view in views("arbiter", grown(), grown(PERMUTED)))
    assert set(one) == set(other) == {"Another", "Vouched", "MaskedSums", "DecryptedSums"}


def decrypted(seed: int) -> list[int]:
    """What the arbiter sees of one training."""
    rules = Rules(n_estimators=3, max_depth=3, guest_grows_first=False)
    run = run_in_memory(boosting_roles(rules=rules, rngs=(Seeded(seed), Seeded(seed + 1000))))
    asked = [s.message for s in run.views["arbiter"] if isinstance(s.message, MaskedSums)]
    return [plain for message in asked for plain in PRIVATE.decrypt(message.values)]


def test_what_the_arbiter_decrypts_is_uniform() -> None:
    seen = [value for seed in range(16) for value in decrypted(seed)]
    assert len(seen) > 350
    assert looks_uniform(seen, KEY.n)


def test_no_ciphertext_of_trees_opens_itself_and_none_is_ever_met_again() -> None:
    runs = [
        run_in_memory(boosting_roles(rules=rules, rngs=(Randomness(), Randomness())))
        for rules in (TREES, FROM_THE_FIRST, replace(FROM_THE_FIRST, hides_rows=True))
    ]
    seen = on_the_wires(runs)
    assert len(seen) > 4 * ROWS
    assert not any(map(opens_itself, seen))
    assert len(set(seen)) == len(seen)


def test_the_histograms_that_a_host_sends_carry_fresh_randomness_of_its_own() -> None:
    def sent(seed: int) -> list[int]:
        return on_the_wires([run_in_memory(boosting_roles(rngs=(Seeded(1), Seeded(seed))))], "host")

    assert sent(10) == sent(10)
    assert not set(sent(10)) & set(sent(11))
