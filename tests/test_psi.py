"""Private set intersection: equals the plain intersection, shows no more, and blames who cheats."""

import json
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hostile import forged, tampered, until_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from seeded import Seeded
from shared_data import shared

from psi import ecdh, lists
from psi.digests import Digests, width
from psi.ecdh import BlindedIds, Found, IntersectionSize, ListSize, Opening, TwiceBlindedIds
from psi.group import Sodium, best
from psi.lists import MAX_IDS
from psi.ristretto import Blinder, Points, hash_to_group
from vfl.crypto.randomness import Randomness
from vfl.errors import ContractError, DataError, ProtocolError
from vfl.table.ids import IdRules, normalised
from vfl.table.read import read_table
from vfl.wire.flow import Peer
from vfl.wire.ladder import follows_ladder
from vfl.wire.memory import run_in_memory

DOMAIN = b"contract 1"
id_lists = st.lists(st.text(st.characters(codec="utf-8"), max_size=2), unique=True, max_size=12)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(ecdh, "CHUNK", 4)


def column(ids):
    values = np.empty(len(ids), dtype=object)
    values[:] = list(ids)
    return values


def guest(ids, *, seed=1, minimum=0, domain=DOMAIN, rng=None):
    return ecdh.guest(column(ids), rng or Seeded(seed), host=Peer("host"), minimum=minimum, domain=domain)


def host(ids, *, seed=2, minimum=0, domain=DOMAIN, rng=None):
    return ecdh.host(column(ids), rng or Seeded(seed), guest=Peer("guest"), minimum=minimum, domain=domain)


def names(*numbers):
    return [f"id{number}" for number in numbers]


def aligned(transcript, guest_ids, host_ids):
    """The common ids, in each party's order."""
    rows = transcript.results["guest"].rows, transcript.results["host"].rows
    return list(column(guest_ids)[rows[0]]), list(column(host_ids)[rows[1]])


def sent(transcript, kind, sender):
    return [s.message for s in transcript.views[sender] if s.sender == sender and type(s.message) is kind]


def sent_rows(transcript, sender):
    return np.concatenate([message.points.rows for message in sent(transcript, BlindedIds, sender)])


def returned_rows(transcript):
    return np.concatenate([message.digests.rows for message in sent(transcript, TwiceBlindedIds, "host")])


@settings(max_examples=40, deadline=None)
@given(id_lists, id_lists)
def test_the_intersection_is_that_of_plain_sets_in_one_order(guest_ids, host_ids):
    transcript = run_in_memory({"guest": guest(guest_ids), "host": host(host_ids)})
    ours, theirs = aligned(transcript, guest_ids, host_ids)
    assert ours == theirs
    assert sorted(ours) == sorted(set(guest_ids) & set(host_ids))


@pytest.mark.parametrize("sizes", [(30, 30), (1, 30), (30, 3), (0, 9), (4, 5)])
def test_lists_of_any_two_lengths_travel_in_chunks(small_chunks, sizes):
    guest_ids, host_ids = names(*range(sizes[0])), names(*range(sizes[1]))[::-1]
    transcript = run_in_memory({"guest": guest(guest_ids), "host": host(host_ids)})
    ours, theirs = aligned(transcript, guest_ids, host_ids)
    assert ours == theirs
    assert set(ours) == set(guest_ids) & set(host_ids)
    assert max(len(s.message.points) for s in transcript.views["guest"] if hasattr(s.message, "points")) <= 4


@pytest.mark.parametrize("role", ["guest", "host"])
@pytest.mark.parametrize("sizes", [(0, 0), (2, 3), (9, 2), (1, 13)])
def test_each_role_follows_the_ladder(small_chunks, role, sizes):
    transcript = run_in_memory(
        {"guest": guest(names(*range(sizes[0]))), "host": host(names(*range(sizes[1])))}
    )
    assert follows_ladder(ecdh.__doc__, role, transcript.views[role])


def test_who_computes_changes_nothing_on_the_wire():
    ids = column(names(*range(9)))

    def wire(group):
        both = {"guest": Peer("guest"), "host": Peer("host")}
        options = {"minimum": 1, "domain": DOMAIN, "group": group}
        first = ecdh.guest(ids, Seeded(1), host=both["host"], **options)
        return run_in_memory(
            {"guest": first, "host": ecdh.host(ids, Seeded(2), guest=both["guest"], **options)}
        ).wire

    assert wire(Sodium()) == wire(Sodium(3)) == wire(best())


@pytest.mark.parametrize(("minimum", "opened"), [(3, True), (4, False)])
def test_a_small_intersection_stops_both_before_anything_is_opened(minimum, opened):
    roles = {
        "guest": until_refused(guest(names(1, 2, 3, 4), minimum=minimum)),
        "host": until_refused(host(names(2, 3, 4, 5, 6), minimum=minimum)),
    }
    transcript = run_in_memory(roles)
    assert bool(sent(transcript, Found, "guest") + sent(transcript, Opening, "host")) is opened
    for role, result in transcript.results.items():
        assert follows_ladder(ecdh.__doc__, role, transcript.views[role])
        assert isinstance(result, ContractError) is not opened
        if not opened:
            assert (result.exit_code, result.where) == (5, "alignment")
            assert "3 ids in common with" in str(result)
            assert "4 are required" in str(result)
            assert "alignment.min_intersection" in result.hint


def test_an_empty_intersection_names_the_likely_causes():
    with pytest.raises(ContractError, match=r"no ids in common with (guest|host)") as caught:
        run_in_memory({"guest": guest(["a"], minimum=1), "host": host(["A"], minimum=1)})
    assert "same kind of id" in caught.value.hint
    assert "alignment" in caught.value.hint


def test_parties_of_different_contracts_find_nothing():
    roles = {"guest": guest(names(1, 2)), "host": host(names(1, 2), domain=b"contract 2")}
    assert len(run_in_memory(roles).results["guest"]) == 0


def plain_fields(transcript, role):
    """What a role was told in the clear."""
    got = [s.message for s in transcript.views[role] if s.to == role]
    sizes = [message.ids for message in got if isinstance(message, ListSize | IntersectionSize)]
    positions = [message.positions.tolist() for message in got if isinstance(message, Found | Opening)]
    positions += [message.common.tolist() for message in got if isinstance(message, Found)]
    sealed = BlindedIds | TwiceBlindedIds
    assert all(isinstance(message, ListSize | IntersectionSize | Found | Opening | sealed) for message in got)
    return sizes, positions


def test_a_view_depends_on_the_other_partys_ids_only_through_the_common_ones():
    host_ids = names(5, 6, 7, 8, 9, 10)
    views = [
        run_in_memory({"guest": guest(guest_ids), "host": host(host_ids)})
        for guest_ids in (names(1, 6, 2, 8, 3), names(101, 6, 102, 8, 103))
    ]
    assert plain_fields(views[0], "host") == plain_fields(views[1], "host")
    changed = run_in_memory({"guest": guest(names(1, 6, 2, 8, 3)), "host": host(names(5, 6, 77, 8, 99, 100))})
    assert plain_fields(views[0], "guest") == plain_fields(changed, "guest")


def test_the_ledger_counts_the_sizes_and_one_position_a_common_id():
    transcript = run_in_memory({"guest": guest(names(1, 2, 3)), "host": host(names(2, 3, 4, 5))})
    numbers = {
        role: {entry["message"]: entry["plain_numbers"] for entry in transcript.ledgers[role].as_json()}
        for role in ("guest", "host")
    }
    assert numbers["guest"] == {"ListSize": 1, "BlindedIds": 0, "IntersectionSize": 1, "Found": 3 + 2}
    assert numbers["host"] == {"ListSize": 1, "BlindedIds": 0, "TwiceBlindedIds": 0, "Opening": 2}


def test_an_id_costs_no_more_bytes_than_the_docstring_says():
    ids = names(*range(3000))
    transcript = run_in_memory({"guest": guest(ids[:2000]), "host": host(ids[1000:])})
    expected = 2000 * (32 + 32 + width(2000, 2000) + 1 / 8) + 1000 * (4 + 4)
    overhead = sum(len(data) for _, _, data in transcript.wire) - expected
    assert 0 < overhead < 1000


def test_no_point_is_unblinded_repeated_or_met_again_in_another_run():
    ids = names(*range(8))
    runs = [
        run_in_memory({"guest": guest(ids, rng=rng), "host": host(ids, rng=rng)})
        for rng in [Randomness()] * 2
    ]
    elements = [sent_rows(run, role) for run in runs for role in ("guest", "host")]
    elements.append(hash_to_group(ids, DOMAIN).elements())
    rows = [row[1:9].tobytes() for row in chain(*elements)]
    rows += [row[:8].tobytes() for row in chain(*map(returned_rows, runs))]
    assert len(set(rows)) == len(rows)


def test_orders_are_unbiased():
    ids = names(0, 1, 2)
    sent_first, agreed, returned = ({} for _ in range(3))
    for seed in range(300):
        transcript = run_in_memory({"guest": guest(ids, seed=seed), "host": host(ids, seed=~seed)})
        blinded = sent_rows(transcript, "guest")
        raised = Blinder(Seeded(~seed)).blind(Points(blinded)).rows[:, 1:9].tolist()
        back = [raised.index(row) for row in returned_rows(transcript).tolist()]
        clear = Blinder(Seeded(seed)).blind(hash_to_group(ids, DOMAIN)).rows.tolist()
        for counts, order in [
            (sent_first, [clear.index(row) for row in blinded.tolist()]),
            (returned, back),
            (agreed, transcript.results["guest"].rows.tolist()),
        ]:
            counts[tuple(order)] = counts.get(tuple(order), 0) + 1
    for counts in (sent_first, returned, agreed):
        chi_squared = sum((n - 50) ** 2 / 50 for n in counts.values())
        assert len(counts) == 6
        assert chi_squared < 20.5  # the 99.9 % point of five degrees of freedom; the seeds are fixed


def row_set(points, row, value):
    rows = points.rows.copy()
    rows[row] = value
    return type(points)(rows)


def short(points):
    return type(points)(points.rows[1:])


GUEST_CHEATS = {
    "more common ids": (
        IntersectionSize,
        lambda m: IntersectionSize(m.ids + 1),
        "found others than 4 of 5 ids common",
    ),
    "fewer common ids": (
        IntersectionSize,
        lambda m: IntersectionSize(m.ids - 1),
        "found others than 2 of 5 ids common",
    ),
    "others in common": (Found, lambda m: replace(m, common=~m.common[[0, 0, 1, 2, 3]]), "found others"),
    "a table of flags": (Found, lambda m: replace(m, common=m.common[None]), "found others than 3 of 5"),
    "a forged proof": (Found, lambda m: replace(m, proof=row_set(m.proof, 0, 7)), "that it does not hold"),
    "a short proof": (Found, lambda m: replace(m, proof=Digests(m.proof.rows[:, :8])), "does not hold"),
    "ids not held": (Found, lambda m: replace(m, common=np.roll(m.common, 1)), "that it does not hold"),
    "an id twice": (BlindedIds, lambda m: BlindedIds(row_set(m.points, 1, m.points.rows[0])), "an id twice"),
}

HOST_CHEATS = {
    "an id twice": (BlindedIds, lambda m: BlindedIds(row_set(m.points, 1, m.points.rows[0])), "an id twice"),
    "fewer returned": (
        TwiceBlindedIds,
        lambda m: TwiceBlindedIds(short(m.digests)),
        "holds 4 ids instead of 5",
    ),
    "longer digests": (
        TwiceBlindedIds,
        lambda m: TwiceBlindedIds(Digests(np.repeat(m.digests.rows, 2, axis=1))),
        "holds other digests than of 8 bytes",
    ),
    "one returned twice": (
        TwiceBlindedIds,
        lambda m: TwiceBlindedIds(row_set(m.digests, 1, m.digests.rows[0])),
        "returned an id of ours twice",
    ),
}

CHEATS = {
    "a negative size": (ListSize, lambda m: forged(m, ids=-1), "malformed ListSize"),
    "a size over the bound": (ListSize, lambda m: forged(m, ids=MAX_IDS + 1), "at most 33554432"),
    "a smaller size": (ListSize, lambda m: ListSize(m.ids - 1), "holds 5 ids instead of 4"),
    "a short list": (BlindedIds, lambda m: BlindedIds(Points(m.points.rows[1:])), "holds 4 ids instead of 5"),
    "no points": (BlindedIds, lambda m: BlindedIds(Points(m.points.rows[:0])), "holds 0 ids instead of 5"),
    "an invalid point": (BlindedIds, lambda m: BlindedIds(row_set(m.points, 3, 255)), "point 3 is"),
    "the identity": (BlindedIds, lambda m: BlindedIds(row_set(m.points, 2, 0)), "point 2 is the identity"),
    "another kind": (
        BlindedIds,
        lambda m: ListSize(5),
        "sent ListSize, expected BlindedIds",
    ),
}

OPENINGS = {
    "a position twice": (lambda m: m.positions[[0, 0, 1]], "opened a position twice"),
    "too few positions": (lambda m: m.positions[:2], "opened 2 positions of 3 common ids"),
    "a table of positions": (lambda m: m.positions[None], "opened 3 positions of 3"),
    "a negative position": (lambda m: m.positions - np.int32(9), "outside the list"),
    "a position too far": (lambda m: m.positions + np.int32(9), "outside the list"),
}


def blamed(cheater, kind, change, message):
    """Whether the honest party blames the cheater with these words."""
    roles = {"guest": guest(names(1, 2, 3, 4, 5)), "host": host(names(3, 4, 5, 6, 7))}
    cheating = tampered(roles[cheater], kind, change)
    with pytest.raises(ProtocolError, match=message) as caught:
        run_in_memory(roles | {cheater: cheating})
    return caught.value.peer == cheater


@pytest.mark.parametrize("cheater", ["guest", "host"])
@pytest.mark.parametrize("cheat", CHEATS)
def test_who_breaks_the_protocol_is_blamed(cheater, cheat):
    assert blamed(cheater, *CHEATS[cheat])


@pytest.mark.parametrize("cheat", GUEST_CHEATS)
def test_a_guest_that_tells_of_the_intersection_what_is_not_true_is_blamed(cheat):
    assert blamed("guest", *GUEST_CHEATS[cheat])


@pytest.mark.parametrize("cheat", HOST_CHEATS)
def test_a_host_that_returns_what_it_did_not_get_is_blamed(cheat):
    assert blamed("host", *HOST_CHEATS[cheat])


@pytest.mark.parametrize(("cheater", "kind"), [("guest", Found), ("host", Opening)])
@pytest.mark.parametrize("cheat", OPENINGS)
def test_who_opens_what_cannot_be_is_blamed(cheater, kind, cheat):
    change, message = OPENINGS[cheat]
    assert blamed(cheater, kind, lambda m: replace(m, positions=change(m)), message)


def test_a_list_longer_than_the_bound_is_our_own_fault(monkeypatch):
    monkeypatch.setattr(lists, "MAX_IDS", 3)
    with pytest.raises(DataError, match="4 ids, at most 3"):
        run_in_memory({"guest": guest(names(1, 2, 3, 4))})


def test_an_alignment_shows_its_size_only():
    transcript = run_in_memory({"guest": guest(names(1, 2)), "host": host(names(2))})
    assert repr(transcript.results["guest"]) == "Alignment(1 rows)"


CLEAN = IdRules(case="lower", blanks="drop", duplicates="drop")


def real_ids(set_name, file):
    return normalised(read_table(shared(f"{set_name}/{file}"), id="id").ids, CLEAN, file).ids


@pytest.mark.parametrize(
    ("set_name", "file", "overlap"),
    [
        ("german", "insurer.csv", None),
        ("german", "insurer_dirty.csv", 888),
        ("breast", "insurer.csv", None),
        ("caravan", "insurer.csv", None),
    ],
)
def test_real_sets_intersect_in_exactly_their_overlap(set_name, file, overlap):
    overlap = overlap or json.loads(shared(f"{set_name}/schema.json").read_text())["overlap"]
    bank, insurer = real_ids(set_name, "bank.csv"), real_ids(set_name, file)
    rngs = Randomness(), Randomness()
    transcript = run_in_memory({"guest": guest(bank, rng=rngs[0]), "host": host(insurer, rng=rngs[1])})
    ours, theirs = aligned(transcript, bank, insurer)
    assert ours == theirs
    assert len(ours) == len(set(ours) & set(bank) & set(insurer)) == overlap
    assert ours != sorted(ours)


@pytest.mark.parametrize("set_name", ["default_credit", "give_credit"])
def test_the_large_real_sets_overlap_as_their_schema_says_once_read(set_name):
    overlap = json.loads(shared(f"{set_name}/schema.json").read_text())["overlap"]
    assert len(set(real_ids(set_name, "bank.csv")) & set(real_ids(set_name, "insurer.csv"))) == overlap
