"""WOE of a host's columns: the textbook's values, bins in no order, and whoever cheats is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hostile import INVALID, KEY, SHORT, Change, forged, tampered, with_ciphertexts
from numpy.typing import NDArray
from protocol_runs import CODES, SLOTS, woe_roles
from protocol_tables import ARBITER, GUEST, HOST, ROWS, Y
from scipy.stats import chisquare
from seeded import Seeded

from vfl.arbitration import DecryptedSums, MaskedSums
from vfl.crypto.paillier import Ciphertexts
from vfl.errors import ContractError, ProtocolError, SecurityError
from vfl.features import woe
from vfl.features.woe import BinEvents, BinnedLabels, EncryptedLabels
from vfl.gates import Gates
from vfl.stats.woe import bin_counts, information_value
from vfl.wire.memory import run_in_memory
from vfl.wire.message import Message

COUNTS = [bin_counts(codes, Y, slots) for codes, slots in zip(CODES, SLOTS, strict=True)]
TOTALS = int(Y.sum()), ROWS - int(Y.sum())
ALL = frozenset({"small_bins"})


# --- oracle ---


@pytest.mark.parametrize("block", [4096, 40, 1])
def test_values_are_those_of_the_pooled_table(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(woe, "BLOCK", block)
    results = run_in_memory(woe_roles()).results
    for events, (pos, _) in zip(results["host"], COUNTS, strict=True):
        np.testing.assert_array_equal(events, pos)
    values = [information_value(pos, neg, *TOTALS) for pos, neg in COUNTS]
    np.testing.assert_allclose(results["guest"], values, rtol=1e-12)


def test_the_guest_learns_as_much_whether_or_not_it_tells_the_host() -> None:
    told, untold = (run_in_memory(woe_roles(told=told)) for told in (True, False))
    assert told.results["guest"] == untold.results["guest"]
    assert untold.results["host"] == []
    numbers = {e["message"]: e["plain_numbers"] for e in untold.ledgers["guest"].as_json()}
    assert numbers == {"EncryptedLabels": 0, "MaskedSums": 2}


def test_an_empty_slot_is_not_told_to_the_guest_and_has_no_events() -> None:
    run = run_in_memory(woe_roles())
    (binned,) = (s.message for s in run.views["guest"] if isinstance(s.message, BinnedLabels))
    assert binned.bins.tolist() == [3, 3]
    assert run.results["host"][0][3] == 0


# --- statistical ---


def order_sent(codes: NDArray[np.int64], labels: Ciphertexts, seed: int) -> tuple[int, ...]:
    """The order in which a host sends its bins, told by their sizes."""

    async def guest() -> tuple[int, ...]:
        await HOST.send(EncryptedLabels(labels))
        rows = (await HOST.receive(BinnedLabels)).rows
        await HOST.send(BinEvents(np.minimum(rows, 1)))
        return tuple(rows.tolist())

    host = woe.host([codes], [3], key=KEY, rng=Seeded(seed), gates=Gates(ALL), guest=GUEST, arbiter=None)
    order: tuple[int, ...] = run_in_memory({"guest": guest(), "host": host}).results["guest"]
    return order


def test_bins_are_sent_in_an_order_that_says_nothing() -> None:
    codes = np.array([0, 1, 1, 2, 2, 2])
    labels = KEY.encrypt(np.zeros(6, np.int64), Seeded(1))
    seen = Counter(order_sent(codes, labels, seed) for seed in range(300))
    assert len(seen) == 6
    assert chisquare(list(seen.values())).pvalue > 1e-3


# --- gates ---


def gated(codes: list[NDArray[np.int64]], *, guest: frozenset[str], host: frozenset[str]) -> None:
    """Run the protocol with what each party's contract allows."""
    roles = woe_roles()
    roles["guest"].close()
    roles["host"].close()
    ours = woe.guest(Y, key=KEY, rng=Seeded(1), gates=Gates(guest), host=HOST, arbiter=ARBITER)
    theirs = woe.host(
        codes, [2] * len(codes), key=KEY, rng=Seeded(2), gates=Gates(host), guest=GUEST, arbiter=ARBITER
    )
    run_in_memory(roles | {"guest": ours, "host": theirs})


def test_a_host_sends_no_bin_of_few_rows() -> None:
    halves, narrow = np.arange(ROWS) % 2, (np.arange(ROWS) < 49).astype(np.int64)
    with pytest.raises(ContractError, match="column 1: a bin holds 45 rows"):
        gated([halves, narrow], guest=ALL, host=frozenset())


def test_a_guest_learns_no_bin_with_few_rows_of_a_class_and_names_the_column() -> None:
    halves = np.arange(ROWS) % 2
    pure = np.zeros(ROWS, np.int64)
    pure[np.flatnonzero(Y)[:10]] = 1
    with pytest.raises(ContractError, match="host column 2: a bin has fewer than 5 rows of a class"):
        gated([halves, pure], guest=frozenset(), host=ALL)


# --- hostile ---


def cheated(cheater: str, kind: type[Message], change: Change) -> None:
    """Run the protocol with a party that changes its first message of a kind."""
    roles = woe_roles()
    run_in_memory(roles | {cheater: tampered(roles[cheater], kind, change)})


def sums(value: int) -> Change:
    """Return the change that puts other sums into the host's bins."""
    return lambda m: replace(m, packed=KEY.randomise(KEY.lift([value]), Seeded(1)))


BLAMED: dict[str, tuple[str, type[Message], Change, str]] = {
    "no bins": (
        "host",
        BinnedLabels,
        lambda m: replace(m, rows=m.rows[:0], bins=m.bins[:0]),
        "sent bins that do not add up",
    ),
    "a bin too few": ("host", BinnedLabels, lambda m: replace(m, rows=m.rows[1:]), "do not add up"),
    "a column too few": ("host", BinnedLabels, lambda m: replace(m, bins=m.bins[1:]), "do not add up"),
    "an empty bin": (
        "host",
        BinnedLabels,
        lambda m: replace(m, rows=np.array([0, ROWS - m.rows[2], *m.rows[2:]])),
        "do not add up",
    ),
    "a bin of fewer than no rows": (
        "host",
        BinnedLabels,
        lambda m: replace(m, rows=np.array([-1, ROWS + 1 - m.rows[2], *m.rows[2:]])),
        "do not add up",
    ),
    "an empty column": (
        "host",
        BinnedLabels,
        lambda m: replace(m, bins=np.array([0, 3, 3])),
        "do not add up",
    ),
    "rows that overflow": (
        "host",
        BinnedLabels,
        lambda m: replace(m, rows=np.full(len(m.rows), 2**63 - 1)),
        "do not add up",
    ),
    "sizes that overflow": (
        "host",
        BinnedLabels,
        lambda m: replace(m, bins=np.array([2**62, 2**62, 2**62, 2**62 + 6])),
        "do not add up",
    ),
    "rows beside the training": (
        "host",
        BinnedLabels,
        lambda m: replace(m, rows=m.rows + 1),
        "do not hold the training rows",
    ),
    "more events than rows": ("host", BinnedLabels, sums(100), "sent sums that are no event counts"),
    "fewer events than none": ("host", BinnedLabels, sums(-1), "sent sums that are no event counts"),
    "another kind from the host": (
        "host",
        BinnedLabels,
        lambda m: EncryptedLabels(m.packed),
        "sent EncryptedLabels, expected BinnedLabels",
    ),
    "a bin's events too few": (
        "guest",
        BinEvents,
        lambda m: BinEvents(m.events[1:]),
        "sent events that the bins cannot have",
    ),
    "a bin's events too many": (
        "guest",
        BinEvents,
        lambda m: BinEvents(np.append(m.events, 0)),
        "sent events that the bins cannot have",
    ),
    "more events told than rows": (
        "guest",
        BinEvents,
        lambda m: BinEvents(m.events + ROWS),
        "sent events that the bins cannot have",
    ),
    "fewer events told than none": (
        "guest",
        BinEvents,
        lambda m: BinEvents(m.events - ROWS),
        "sent events that the bins cannot have",
    ),
    "other events in another column": (
        "guest",
        BinEvents,
        lambda m: BinEvents(np.where(np.arange(len(m.events)) == m.events.argmax(), m.events - 1, m.events)),
        "sent events that the bins cannot have",
    ),
    "no events": (
        "guest",
        BinEvents,
        lambda m: BinEvents(m.events * 0),
        "sent events that the bins cannot have",
    ),
    "another kind from the guest": (
        "guest",
        EncryptedLabels,
        lambda m: BinEvents(np.zeros(3, np.int64)),
        "sent BinEvents, expected EncryptedLabels",
    ),
    "events that are not the guest's": ("host", BinnedLabels, sums(0), "sent sums that are no event counts"),
    "sums that leave their slots": ("host", BinnedLabels, sums(KEY.n // 3), "sent what holds no sums"),
    "a table of rows": (
        "host",
        BinnedLabels,
        lambda m: replace(m, rows=m.rows[:, None]),
        "do not add up",
    ),
    "a table of events": (
        "guest",
        BinEvents,
        lambda m: BinEvents(m.events[:, None]),
        "sent events that the bins cannot have",
    ),
    "fewer decryptions": (
        "arbiter",
        DecryptedSums,
        lambda m: replace(m, values=type(m.values)(m.values.residues[1:])),
        "sent other decryptions",
    ),
}


@pytest.mark.parametrize("cheat", BLAMED)
def test_who_breaks_the_protocol_is_blamed(cheat: str) -> None:
    cheater, kind, change, complaint = BLAMED[cheat]
    with pytest.raises(ProtocolError, match=complaint) as caught:
        cheated(cheater, kind, change)
    assert caught.value.peer == cheater


CIPHERTEXTS = {"guest": (EncryptedLabels, "values"), "host": (BinnedLabels, "packed")}


@pytest.mark.parametrize("cheat", [*INVALID, *SHORT])
@pytest.mark.parametrize("cheater", CIPHERTEXTS)
def test_who_sends_what_are_no_ciphertexts_or_too_few_is_named(cheater: str, cheat: str) -> None:
    kind, field = CIPHERTEXTS[cheater]
    change, complaint = (INVALID | SHORT)[cheat]
    with pytest.raises(SecurityError, match=f"^{cheater}: sent .*{complaint}"):
        cheated(cheater, kind, with_ciphertexts(field, change))


def test_a_guest_that_asks_for_more_decryptions_than_agreed_is_refused() -> None:
    with pytest.raises(ContractError, match=r"^guest: asked for more decryptions than agreed"):
        run_in_memory(woe_roles(quota=0))


@pytest.mark.parametrize("what", ["sums", "bits"])
@pytest.mark.parametrize("by", [-1, 1])
def test_the_arbiter_decrypts_no_sums_but_those_that_the_host_vouched_for(what: str, by: int) -> None:
    """The control is any honest run: what the host vouched for is decrypted."""

    def other(message: MaskedSums) -> Message:
        return forged(message, **{what: getattr(message, what) + by})

    with pytest.raises(ContractError, match=r"^guest: asked for .*, and host vouched for"):
        cheated("guest", MaskedSums, other)
    assert len(run_in_memory(woe_roles()).results["guest"]) == len(SLOTS)
