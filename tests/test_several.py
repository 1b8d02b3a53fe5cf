"""Intersection with several hosts: equals the plain one, names none but common ids, blames who cheats."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hostile import Change, forged, tampered, until_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from protocol_runs import several_roles
from seeded import Seeded
from shared_data import shared

from psi import lists, several
from psi.lists import MAX_IDS
from psi.ristretto import Blinder, Points, hash_to_group
from psi.several import (
    CommonPlaces,
    CommonSize,
    FormerPlaces,
    OwnIds,
    OwnPlaces,
    OwnSize,
    RelayedIds,
    RelayedSize,
    ShuffledIds,
)
from vfl.errors import ContractError, DataError, ProtocolError
from vfl.table.ids import IdRules, normalised
from vfl.table.read import read_table
from vfl.wire.flow import Sent
from vfl.wire.ladder import follows_ladder
from vfl.wire.memory import Transcript, run_in_memory
from vfl.wire.message import Message, field_types, is_sealed

id_lists = st.lists(st.text(st.characters(codec="utf-8"), max_size=1), unique=True, max_size=8)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small lists travel in several chunks."""
    monkeypatch.setattr(several, "CHUNK", 4)


def names(*numbers: int) -> list[str]:
    """Return ids."""
    return [f"id{number}" for number in numbers]


def meet(*lists: list[str], minimum: int = 0, seed: int = 1) -> Transcript:
    """Align the guest, whose list is the first, with a host for each other list."""
    return run_in_memory(several_roles(*lists, minimum=minimum, seed=seed))


def aligned(run: Transcript, *lists: list[str]) -> list[list[str]]:
    """Return the common ids in each party's order."""
    return [
        [ids[row] for row in alignment.rows]
        for ids, alignment in zip(lists, run.results.values(), strict=True)
    ]


def got(run: Transcript, party: str, kind: type[Message], sender: str = "") -> list[Any]:
    """Return the messages of a kind that a party received, from one sender or from all."""
    view = run.views[party]
    return [s.message for s in view if s.to == party and type(s.message) is kind and sender in ("", s.sender)]


def rows_of(messages: list[Any]) -> NDArray[np.uint8]:
    """Return all points of some messages."""
    return np.concatenate([message.points.rows for message in messages])


def in_the_clear(view: list[Sent]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return a view with every sealed field replaced by its size."""
    return [(s.sender, s.to, type(s.message).__name__, _fields(s.message)) for s in view]


def _fields(message: Message) -> dict[str, Any]:
    values = {name: (getattr(message, name), hint) for name, hint in field_types(type(message)).items()}
    return {
        name: value.sealed_count if is_sealed(hint) else np.asarray(value).tolist()
        for name, (value, hint) in values.items()
    }


# --- the promise: the plain intersection, in one order ---


@settings(max_examples=40, deadline=None)
@given(st.lists(id_lists, min_size=3, max_size=5))
def test_the_intersection_is_that_of_plain_sets_in_one_order(lists: list[list[str]]) -> None:
    found = aligned(meet(*lists), *lists)
    assert all(order == found[0] for order in found)
    assert sorted(found[0]) == sorted(set.intersection(*map(set, lists)))


@pytest.mark.parametrize(
    "sizes", [(30, 30, 30), (1, 30, 9), (30, 3, 5), (0, 9, 9), (9, 0, 4), (5, 8, 4, 7, 12)]
)
def test_lists_of_any_lengths_travel_in_chunks(small_chunks: None, sizes: tuple[int, ...]) -> None:
    lists = [names(*range(size))[:: 1 if k % 2 else -1] for k, size in enumerate(sizes)]
    run = meet(*lists)
    found = aligned(run, *lists)
    assert all(order == found[0] for order in found)
    assert set(found[0]) == set(names(*range(min(sizes))))
    points = [s.message.points for view in run.views.values() for s in view if hasattr(s.message, "points")]
    assert max(map(len, points), default=0) <= 4
    for party, view in run.views.items():
        assert follows_ladder(several.__doc__ or "", party, view)


def test_the_order_of_the_rows_is_nobodys() -> None:
    lists = [names(*range(40)), names(*range(40))[::-1], names(*range(0, 40, 2), *range(1, 40, 2))]
    (found, *_) = aligned(meet(*lists), *lists)
    assert not [ids for ids in lists if ids in (found, found[::-1])]
    assert found not in (sorted(found), aligned(meet(*lists, seed=2), *lists)[0])


@pytest.mark.parametrize(("minimum", "opened"), [(2, True), (3, False)])
def test_too_small_an_intersection_stops_all_before_anything_is_opened(minimum: int, opened: bool) -> None:
    lists = names(1, 2, 3, 4), names(2, 3, 4, 5, 6), names(4, 3, 1, 9)
    roles = several_roles(*lists, minimum=minimum)
    run = run_in_memory({name: until_refused(role) for name, role in roles.items()})
    for party, result in run.results.items():
        openings = [got(run, party, kind) for kind in (CommonPlaces, FormerPlaces, OwnPlaces)]
        assert any(openings) is opened
        assert follows_ladder(several.__doc__ or "", party, run.views[party])
        assert isinstance(result, ContractError) is not opened
        if not opened:
            assert (result.exit_code, result.where) == (5, "alignment")
            assert "2 ids in common to the guest and all 2 hosts, 3 are required" in str(result)
            assert "alignment.min_intersection" in result.hint


def test_an_empty_intersection_names_the_likely_causes() -> None:
    with pytest.raises(ContractError, match="no ids in common") as caught:
        meet(["a"], ["a"], ["A"], minimum=1)
    assert "same kind of id" in caught.value.hint


# --- what is seen: nothing of an id that is not common ---


def test_a_host_never_meets_a_point_twice_so_it_can_compare_nothing() -> None:
    for count in (2, 3, 5):
        run = meet(*[names(*range(4))] * (count + 1))
        for party in [party for party in run.views if party != "guest"]:
            messages = [s.message for s in run.views[party] if hasattr(s.message, "points")]
            rows = [row.tobytes() for row in rows_of(messages)]
            assert len(rows) == 4 * (2 * count + 1)
            assert len(set(rows)) == len(rows)


GUEST = names(1, 2, 3, 4, 5, 6)
SWAPS = {
    "which of the guest's ids one host alone holds": (
        (names(1, 2, 3, 11), names(1, 2, 21)),
        (names(1, 2, 4, 11), names(1, 2, 21)),
    ),
    "how many of the guest's ids a host alone holds": (
        (names(1, 2, 3, 4), names(7, 1, 2)),
        (names(1, 2, 3, 4), names(5, 1, 2)),
    ),
    "ids that hosts share without the guest": (
        (names(31, 1, 32, 2), names(1, 31, 2, 33)),
        (names(34, 1, 35, 2), names(1, 36, 2, 37)),
    ),
}


@pytest.mark.parametrize("party", ["guest", "host1", "host2"])
@pytest.mark.parametrize("what", SWAPS)
def test_what_is_seen_in_the_clear_does_not_tell(what: str, party: str) -> None:
    one, other = (meet(GUEST, *hosts).views[party] for hosts in SWAPS[what])
    assert in_the_clear(one) == in_the_clear(other)


def test_a_view_that_told_of_an_id_which_is_not_common_would_be_noticed() -> None:
    one, other = (meet(GUEST, GUEST, theirs) for theirs in (names(1, 2), names(1, 3)))
    assert in_the_clear(one.views["guest"]) != in_the_clear(other.views["guest"])


def test_of_its_ids_that_one_host_alone_holds_the_guest_sees_the_number_and_not_which() -> None:
    ids = names(0, 1, 2, 3)  # the first is common, the second in the list of host1 alone
    stood: Counter[tuple[int, int]] = Counter()
    for seed in range(300):
        run = meet(ids, names(0, 1, 7), names(0, 8), seed=seed)
        power = Blinder(Seeded(seed))
        theirs = power.blind(Points(rows_of(got(run, "guest", OwnIds, "host1")))).rows.tolist()
        back = got(run, "guest", ShuffledIds, "host1")[-1].points.rows.tolist()
        (common,) = got(run, "host1", CommonPlaces)[0].positions
        (alone,) = [k for k, row in enumerate(back) if row in theirs and k != common]
        went = got(run, "host1", RelayedIds)[-1].points.rows.tolist()
        places = [went.index(row) for row in power.blind(hash_to_group(ids, b"contract")).rows.tolist()]
        stood[places[1] - (places[1] > places[0]), alone - (alone > common)] += 1
    assert len(stood) == 9
    assert chi_squared(stood) < 26.1  # the 99.9 % point of eight degrees of freedom; the seeds are fixed


def test_orders_are_unbiased() -> None:
    ids = names(0, 1, 2)
    sent: Counter[Any] = Counter()
    passed: Counter[Any] = Counter()
    agreed: Counter[Any] = Counter()
    for seed in range(300):
        run = meet(ids, ids, ids, seed=seed)
        # host1 sends its own list; host2 raises it and returns it
        own, second = Blinder(Seeded(1000 * seed)), Blinder(Seeded(1000 * seed + 1))
        first = rows_of(got(run, "guest", OwnIds, "host1"))
        back = got(run, "guest", ShuffledIds, "host2")[0].points.rows.tolist()
        clear = own.blind(hash_to_group(ids, b"contract")).rows.tolist()
        sent[tuple(clear.index(row) for row in first.tolist())] += 1
        passed[tuple(back.index(row) for row in second.blind(Points(first)).rows.tolist())] += 1
        agreed[tuple(run.results["guest"].rows.tolist())] += 1
    for counts in (sent, passed, agreed):
        assert len(counts) == 6
        assert chi_squared(counts) < 20.5  # as above, of five degrees


def chi_squared(counts: Counter[Any]) -> float:
    """Return how far counts are from equal ones."""
    expected = counts.total() / len(counts)
    return sum((n - expected) ** 2 / expected for n in counts.values())


def test_no_point_is_unblinded_or_met_again_in_another_run() -> None:
    ids = names(*range(5))
    runs = [meet(ids, ids, ids, seed=seed) for seed in (1, 2)]
    seen = [{row.tobytes() for row in rows_of(_points(run))} for run in runs]
    assert not seen[0] & seen[1]
    hashed = {row.tobytes() for row in hash_to_group(ids, b"contract").elements()}
    assert not hashed & (seen[0] | seen[1])


def _points(run: Transcript) -> list[Any]:
    return [s.message for view in run.views.values() for s in view if hasattr(s.message, "points")]


def test_the_ledger_counts_sizes_and_positions() -> None:
    run = meet(names(1, 2, 3), names(2, 3, 4, 5), names(3, 2, 8))
    books = {
        (party, entry["to"], entry["message"]): entry["plain_numbers"]
        for party, ledger in run.ledgers.items()
        for entry in ledger.as_json()
    }
    of_the_guest = {name: n for (party, to, name), n in books.items() if (party, to) == ("guest", "host1")}
    assert of_the_guest == {
        "RelayedSize": 2,
        "RelayedIds": 0,
        "CommonSize": 1,
        "CommonPlaces": 4,
        "OwnPlaces": 2,
    }
    of_a_host = {name: n for (party, _, name), n in books.items() if party == "host1"}
    assert of_a_host == {"OwnSize": 1, "OwnIds": 0, "ShuffledIds": 0, "FormerPlaces": 4}


# --- who cheats ---


def points_set(row: int, value: Any) -> Change:
    """Return the change of one point, to that of another row if it is given."""

    def change(message: Any) -> Message:
        rows = message.points.rows.copy()
        rows[row] = rows[value[0]] if isinstance(value, tuple) else value
        changed: Message = replace(message, points=Points(rows))
        return changed

    return change


def shorter(message: Any) -> Message:
    """Drop the first point."""
    changed: Message = replace(message, points=Points(message.points.rows[1:]))
    return changed


def moved(change: Any) -> Change:
    """Return the change of positions."""
    return lambda message: replace(message, positions=change(message.positions))


SIZES: dict[str, tuple[Change, str]] = {
    "a negative size": (lambda m: forged(m, ids=-1), "malformed"),
    "a size over the bound": (lambda m: forged(m, ids=MAX_IDS + 1), "at most 33554432"),
    "a smaller size": (lambda m: replace(m, ids=m.ids - 1), "a chunk of 5 ids instead of 4"),
    "a larger size": (lambda m: replace(m, ids=m.ids + 1), "a chunk of 5 ids instead of 6"),
}
LISTS: dict[str, tuple[Change, str]] = {
    "a short list": (shorter, "a chunk of 4 ids instead of 5"),
    "a point twice": (points_set(1, (0,)), "sent an id twice"),
    "another kind": (lambda m: CommonSize(3), "sent CommonSize, expected"),
}
OPENINGS: dict[str, tuple[Change, str]] = {
    "a position twice": (moved(lambda p: p[[0, 0, 1]]), "opened a position twice"),
    "too few positions": (moved(lambda p: p[:2]), "opened 2 positions of 3 common ids"),
    "a table of positions": (moved(lambda p: p[None]), "opened 3 positions of 3"),
    "a negative position": (moved(lambda p: p - np.int32(9)), "outside the list"),
    "a position too far": (moved(lambda p: p + np.int32(9)), "outside the list"),
}
BY_KIND: list[tuple[str, type[Message], dict[str, tuple[Change, str]]]] = [
    ("host1", OwnSize, SIZES),
    ("host1", OwnIds, LISTS),
    ("host2", ShuffledIds, LISTS),
    ("host2", FormerPlaces, OPENINGS),
    ("guest", RelayedSize, SIZES),
    ("guest", RelayedIds, LISTS),
    ("guest", CommonPlaces, OPENINGS),
    ("guest", OwnPlaces, OPENINGS),
]
CHEATS = [(cheater, kind, *cheat) for cheater, kind, cheats in BY_KIND for cheat in cheats.items()]
LISTED = names(1, 2, 3, 4, 5), names(3, 4, 5, 6, 7), names(8, 3, 4, 9, 5)


@pytest.mark.parametrize(
    ("cheater", "kind", "cheat"), [pytest.param(*c[:2], c[3], id=f"{c[1].__name__}, {c[2]}") for c in CHEATS]
)
def test_who_breaks_the_protocol_is_blamed(
    cheater: str, kind: type[Message], cheat: tuple[Change, str]
) -> None:
    roles = several_roles(*LISTED)
    change, said = cheat
    with pytest.raises(ProtocolError, match=said) as caught:
        run_in_memory(roles | {cheater: tampered(roles[cheater], kind, change)})
    assert caught.value.peer == cheater


@pytest.mark.parametrize(
    ("cheater", "kind", "blamed"),
    [("host1", OwnIds, "host1"), ("guest", RelayedIds, "guest"), ("host2", ShuffledIds, "host2")],
)
@pytest.mark.parametrize("value", [255, 0])
def test_who_brought_a_point_that_is_none_is_blamed(
    cheater: str, kind: type[Message], blamed: str, value: int
) -> None:
    roles = several_roles(*LISTED)
    with pytest.raises(ProtocolError, match="is the identity or no group element") as caught:
        run_in_memory(roles | {cheater: tampered(roles[cheater], kind, points_set(3, value))})
    assert caught.value.peer == blamed


def test_a_guest_that_claims_too_few_common_ids_opens_nothing() -> None:
    roles = several_roles(*LISTED, minimum=3)
    cheating = tampered(roles["guest"], CommonSize, lambda m: CommonSize(2))
    with pytest.raises(ContractError, match="2 ids in common to the guest and all 2 hosts, 3 are required"):
        run_in_memory(roles | {"guest": cheating})


def test_a_list_longer_than_the_bound_is_our_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_IDS", 3)
    with pytest.raises(DataError, match="4 ids, at most 3"):
        meet(names(1, 2, 3, 4), [], [])


# --- real tables ---


def real_ids(file: str) -> list[str]:
    """Return the ids of one of three parties."""
    table = read_table(shared(f"default_credit_3p/{file}"), id="id")
    return list(normalised(table.ids, IdRules(), file).ids)


def test_three_real_tables_overlap_as_their_schema_says_and_a_tenth_of_them_is_found() -> None:
    lists = [real_ids(file) for file in ("bank.csv", "insurer.csv", "lender2.csv")]
    schema = json.loads(shared("default_credit_3p/schema.json").read_text())
    assert len(set.intersection(*map(set, lists))) == schema["overlap"]
    tenth = [[id for id in ids if id.startswith("990")] for ids in lists]
    found = aligned(meet(*tenth), *tenth)
    assert found[0] == found[1] == found[2]
    assert sorted(found[0]) == sorted(set.intersection(*map(set, tenth)))
    assert len(found[0]) > 1000
