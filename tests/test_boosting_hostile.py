"""Whoever departs from the protocol of trees is named, and a host gives no more than a tree needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hostile import INVALID, KEY, SHORT, Change, forged, tampered, with_ciphertexts
from protocol_tables import ROWS
from seeded import Seeded
from tree_runs import HIDDEN_TREES, SAMPLED_TREES, TREES, boosting_roles

from vfl.arbitration import DecryptedSums, MaskedPlaintexts, MaskedSums
from vfl.errors import ContractError, ProtocolError, SecurityError
from vfl.trees import hidden, shown
from vfl.trees.boosting import (
    Bins,
    EncryptedHistograms,
    Kept,
    Next,
    Sides,
    SlotSize,
    Splits,
)
from vfl.trees.grow import Rules
from vfl.trees.hidden import EncryptedNodes, HiddenNodes
from vfl.trees.shown import EncryptedGradients, Nodes, Sampled
from vfl.wire.memory import run_in_memory
from vfl.wire.message import Message


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the rows travel in three blocks."""
    for module in (shown, hidden):
        monkeypatch.setattr(module, "BLOCK", ROWS // 3)


def cheated(cheater: str, kind: type[Message], change: Change, *, nth: int = 1, rules: Rules = TREES) -> None:
    """Grow trees with a party that changes its n-th message of a kind."""
    roles = boosting_roles(rules=rules)
    run_in_memory(roles | {cheater: tampered(roles[cheater], kind, change, nth=nth)})


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return them as they travel."""
    return np.array(values, np.int64)


def split(node: int, column: int = 0, bin: int = 0) -> Splits:
    """One split that a guest may ask for."""
    return Splits(ints(node), ints(column), ints(bin), np.array([True]))


COLUMNS = "sent bins that no columns have"
PLACES = "asked for nodes without saying which rows they hold"
TREE = "asked for nodes that are no part of the tree"
SPLIT = "split nodes that are no part of the tree, or split before"
PARTS = "sent splits of which parts are missing"
BINS = "split columns or bins that there are not"
MORE = "asked for more trees or levels than were agreed"

BLAMED: dict[str, tuple[str, type[Message], Change, str]] = {
    "no columns": ("host", Bins, lambda m: Bins(ints()), COLUMNS),
    "a column without bins": ("host", Bins, lambda m: Bins(ints(4, 0, 4)), COLUMNS),
    "a table of bins": ("host", Bins, lambda m: Bins(m.bins[None]), COLUMNS),
    "a column of a million bins": ("host", Bins, lambda m: Bins(ints(10**6)), COLUMNS),
    "too many columns": ("host", Bins, lambda m: Bins(np.full(10**5, 9, np.int64)), "brings more than"),
    "other bins than are summed": ("host", Bins, lambda m: Bins(ints(4, 5, 3)), "that does not add up"),
    "no slots": ("guest", SlotSize, lambda m: SlotSize(0), "slots that no sums"),
    "huge slots": ("guest", SlotSize, lambda m: SlotSize(200), "slots that no sums"),
    "half a slot": ("guest", SlotSize, lambda m: forged(m, bits=1.5), "malformed SlotSize"),
    "no row of the node": ("guest", Nodes, lambda m: replace(m, place=m.place[:0]), PLACES),
    "a row in no such node": ("guest", Nodes, lambda m: replace(m, place=m.place + 7), PLACES),
    "no nodes": ("guest", Nodes, lambda m: replace(m, nodes=ints()), PLACES),
    "node 0": ("guest", Nodes, lambda m: replace(m, nodes=ints(0)), TREE),
    "a negative node": ("guest", Nodes, lambda m: replace(m, nodes=ints(-3)), TREE),
    "a node below the tree": ("guest", Nodes, lambda m: replace(m, nodes=ints(9)), TREE),
    "one node twice": ("guest", Nodes, lambda m: replace(m, nodes=ints(1, 1)), TREE),
    "a root of some rows": ("guest", Nodes, lambda m: replace(m, place=m.place | np.uint8(255)), TREE),
    "a split below the tree": ("guest", Splits, lambda m: split(5), SPLIT),
    "a node split twice at once": (
        "guest",
        Splits,
        lambda m: Splits(ints(1, 1), ints(0, 1), ints(0, 0), np.array([True, True])),
        SPLIT,
    ),
    "splits cut short": ("guest", Splits, lambda m: replace(split(1), bins=ints()), PARTS),
    "a table of splits": ("guest", Splits, lambda m: replace(split(1), nodes=ints(1)[None]), PARTS),
    "a column that is not there": ("guest", Splits, lambda m: split(1, column=3), BINS),
    "a negative column": ("guest", Splits, lambda m: split(1, column=-1), BINS),
    "a bin that is not there": ("guest", Splits, lambda m: split(1, bin=4), BINS),
    "more trees kept than grown": ("guest", Kept, lambda m: Kept(4), MORE),
    "fewer than none": ("guest", Kept, lambda m: Kept(-1), MORE),
    "a step that is none": ("guest", Next, lambda m: Next(7), MORE),
    "sides of too few rows": ("host", Sides, lambda m: Sides(m.left[1:]), "the sides of other rows"),
    "a table of sides": ("host", Sides, lambda m: Sides(m.left[None]), "the sides of other rows"),
    "fewer decryptions": (
        "arbiter",
        DecryptedSums,
        lambda m: replace(m, values=MaskedPlaintexts(m.values.residues[1:])),
        "sent other decryptions than were asked for",
    ),
}


@pytest.mark.parametrize("cheat", BLAMED)
def test_who_breaks_the_protocol_is_blamed(cheat: str) -> None:
    cheater, kind, change, complaint = BLAMED[cheat]
    with pytest.raises(ProtocolError, match=complaint) as caught:
        cheated(cheater, kind, change)
    assert caught.value.peer == cheater


@pytest.mark.parametrize("rows", [np.ones(3, np.bool_), np.zeros(ROWS, np.bool_)], ids=["three", "none"])
def test_a_guest_that_samples_no_rows_or_others_is_blamed(
    rows: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> None:
    with pytest.raises(ProtocolError, match=r"^guest: sampled other rows than there are"):
        cheated("guest", Sampled, lambda m: Sampled(rows), rules=SAMPLED_TREES)


def test_a_host_splits_a_node_once_and_gives_no_second_column_away() -> None:
    roles = boosting_roles()
    with pytest.raises(ProtocolError, match=f"^guest: {SPLIT}"):
        # The second level asks for the root again, by another column.
        run_in_memory(roles | {"guest": tampered(roles["guest"], Splits, lambda m: split(1, 1), nth=2)})


def test_a_child_that_holds_other_rows_than_the_host_itself_sent_there_is_refused() -> None:
    def moved(asked: Nodes) -> Message:
        place = asked.place.copy()
        rows = np.flatnonzero(place == 0)
        place[rows[0]] = 255
        return replace(asked, place=place)

    host_splits_roots = Rules(n_estimators=4, max_depth=2, guest_grows_first=False)
    grown = run_in_memory(boosting_roles(rules=host_splits_roots)).results["host"]
    tree = next(t for t, splits in enumerate(grown) if 1 in splits)
    with pytest.raises(ProtocolError, match=f"^guest: {TREE}"):
        cheated("guest", Nodes, moved, nth=2 * tree + 2, rules=host_splits_roots)


NO_LEVEL = "asked for nodes that no level has"

BLAMED_FOR_HIDDEN: dict[str, tuple[str, type[Message], Change, str]] = {
    "no nodes": ("guest", HiddenNodes, lambda m: HiddenNodes(0), NO_LEVEL),
    "more nodes than pairs": ("guest", HiddenNodes, lambda m: HiddenNodes(2), NO_LEVEL),
    "no number": ("guest", HiddenNodes, lambda m: forged(m, nodes=1.5), "malformed HiddenNodes"),
    "a split below the level": ("guest", Splits, lambda m: split(2), SPLIT),
    "a split of no node": ("guest", Splits, lambda m: split(0), SPLIT),
    "a node split twice at once": (
        "guest",
        Splits,
        lambda m: Splits(ints(1, 1), ints(0, 1), ints(0, 0), np.array([True, True])),
        SPLIT,
    ),
    "a bin that is not there": ("guest", Splits, lambda m: split(1, bin=4), BINS),
    "sides of too few rows": ("host", Sides, lambda m: Sides(m.left[1:]), "the sides of other rows"),
    "a table of sides": ("host", Sides, lambda m: Sides(m.left[None]), "the sides of other rows"),
}


@pytest.mark.parametrize("cheat", BLAMED_FOR_HIDDEN)
def test_who_breaks_the_protocol_of_hidden_rows_is_blamed(cheat: str) -> None:
    cheater, kind, change, complaint = BLAMED_FOR_HIDDEN[cheat]
    with pytest.raises(ProtocolError, match=complaint) as caught:
        cheated(cheater, kind, change, rules=HIDDEN_TREES)
    assert caught.value.peer == cheater


def test_a_host_that_sees_no_rows_splits_a_node_once_as_well() -> None:
    roles = boosting_roles(rules=HIDDEN_TREES)
    with pytest.raises(ProtocolError, match=f"^guest: {SPLIT}"):
        run_in_memory(roles | {"guest": tampered(roles["guest"], Splits, lambda m: split(1, 1), nth=2)})


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("cheat", [*INVALID, *SHORT])
def test_a_guest_that_hides_rows_in_what_are_no_ciphertexts_is_named(cheat: str, nth: int) -> None:
    change, complaint = (INVALID | SHORT)[cheat]
    with pytest.raises(SecurityError, match=rf"^guest: sent .*{complaint}"):
        cheated("guest", EncryptedNodes, with_ciphertexts("values", change), nth=nth, rules=HIDDEN_TREES)


CIPHERTEXTS: dict[str, tuple[str, type[Message], str]] = {
    "gradients": ("guest", EncryptedGradients, "values"),
    "histograms": ("host", EncryptedHistograms, "packed"),
}


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("cheat", [*INVALID, *SHORT])
@pytest.mark.parametrize("what", CIPHERTEXTS)
def test_who_sends_what_are_no_ciphertexts_or_too_few_is_named(what: str, cheat: str, nth: int) -> None:
    cheater, kind, field = CIPHERTEXTS[what]
    change, complaint = (INVALID | SHORT)[cheat]
    with pytest.raises(SecurityError, match=rf"^{cheater}: sent .*{complaint}"):
        cheated(cheater, kind, with_ciphertexts(field, change), nth=nth)


def test_a_host_whose_sums_are_not_those_of_the_node_is_blamed() -> None:
    def more(message: EncryptedHistograms) -> Message:
        one = KEY.lift([1] + [0] * (len(message.packed) - 1))
        return replace(message, packed=KEY.randomise(KEY.add(message.packed, one), Seeded(1)))

    with pytest.raises(ProtocolError, match=r"^host: sent a histogram that does not add up to its node"):
        cheated("host", EncryptedHistograms, more)


def test_a_host_whose_sums_overflow_is_blamed_and_not_the_arbiter() -> None:
    def noise(message: EncryptedHistograms) -> Message:
        values = np.full(len(message.packed), 2**62)
        product = KEY.row_products(message.packed, values[:, None])
        return replace(message, packed=KEY.randomise(product, Seeded(1)))

    with pytest.raises(ProtocolError, match=r"^host: sent what holds no"):
        cheated("host", EncryptedHistograms, noise)


def test_the_arbiter_names_a_guest_that_asks_for_more_than_was_agreed() -> None:
    with pytest.raises(ContractError, match=r"^guest: asked for more decryptions than agreed"):
        run_in_memory(boosting_roles(quota=2))


@pytest.mark.parametrize("what", ["sums", "bits"])
@pytest.mark.parametrize("by", [-1, 1])
def test_the_arbiter_decrypts_no_sums_but_those_that_the_host_vouched_for(what: str, by: int) -> None:
    """The control is any honest run: what the host vouched for is decrypted."""

    def other(message: MaskedSums) -> Message:
        return forged(message, **{what: getattr(message, what) + by})

    with pytest.raises(ContractError, match=r"^guest: asked for .*, and host vouched for"):
        cheated("guest", MaskedSums, other)
    assert run_in_memory(boosting_roles()).results["guest"].trees


@pytest.mark.parametrize("cheat", [*INVALID, *SHORT])
def test_the_arbiter_names_who_asks_it_to_decrypt_what_are_no_ciphertexts(cheat: str) -> None:
    change, complaint = (INVALID | SHORT)[cheat]
    with pytest.raises(SecurityError, match=rf"^guest: sent .*{complaint}"):
        cheated("guest", MaskedSums, with_ciphertexts("values", change))


@pytest.mark.parametrize("agreed", [replace(TREES, n_estimators=2), replace(TREES, max_depth=1)])
def test_a_guest_that_grows_more_than_was_agreed_is_blamed_by_the_host(agreed: Rules) -> None:
    with pytest.raises(ProtocolError, match=MORE) as caught:
        run_in_memory(boosting_roles(host_rules=agreed))
    assert caught.value.peer == "guest"
