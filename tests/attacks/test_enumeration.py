"""A party aligns ids that it guessed; and two runs differ by one customer.

Enumeration.  Who: a guest that departs from the protocol.  Wants: the host's customers.
How: it claims every id there may be (phone numbers, say), and learns which of them the host holds.
What bounds it: the contract's `alignment.max_ids`, beyond which a list is refused before anything of the
other's leaves; `min_intersection`; the number of runs.  Within the list agreed each id may be a guess.
Pass: not one id beyond the list agreed; who brings more is named.

Differencing.  Who: a host that follows the protocol, in two runs whose common customers differ by one.
Wants: that customer's label.  How: the WOE values are event counts, and their difference is the label.
What stops it: the gate nearly_same_rows.  Each party remembers the training rows of its runs, and refuses one
that differs from another by 1 to 49; between runs that differ by 50 the same difference is a count over 50.
Pass: no second run; with 50 customers no label is told better than by the rate of bads.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from attacked_runs import ARBITER, GUEST, HOST, KEY, PRIVATE, report
from numpy.typing import NDArray
from program_runs import BANK, INSURER, job, tables, train
from protocol_runs import several_roles
from seeded import Seeded

from parties.inspection import clean_ids
from psi import ecdh
from psi.ecdh import BlindedIds
from psi.lists import MAX_IDS
from vfl.arbitration import Quota
from vfl.errors import ContractError
from vfl.features import woe
from vfl.gates import Gates
from vfl.wire.flow import Role
from vfl.wire.memory import run_in_memory

EVERY_ID = [f"{k:04d}" for k in range(2000)]
CUSTOMERS = EVERY_ID[3::7]
AGREED = 500


def roles(claimed: list[str], most: int) -> dict[str, Role[object]]:
    """A guest that claims ids, and a host that accepts lists of so many."""
    mine, theirs = np.array(claimed, object), np.array(CUSTOMERS, object)
    return {
        "guest": ecdh.guest(mine, Seeded(1), host=HOST, minimum=1, domain=b"contract"),
        "host": ecdh.host(theirs, Seeded(2), guest=GUEST, minimum=1, domain=b"contract", most=most),
    }


def found(claimed: list[str], most: int) -> int:
    """Return how many of the host's customers the guest knows in the end."""
    run = run_in_memory(roles(claimed, most))
    mine = {claimed[row] for row in run.results["guest"].rows}
    return len(mine & set(CUSTOMERS))


def test_who_claims_more_ids_than_agreed_is_refused_before_one_of_the_others_leaves() -> None:
    everything = found(EVERY_ID, MAX_IDS)
    with pytest.raises(ContractError, match=r"^guest: brings a list of 2000 ids, at most 500 were agreed"):
        found(EVERY_ID, AGREED)
    attempt = roles(EVERY_ID, AGREED)
    left = []

    async def watched(role: Role[object]) -> None:
        step = role.send(None)
        while True:
            message = await step
            left.append(type(getattr(step, "message", None)))
            step = role.send(message)

    attempt["host"] = watched(attempt["host"])
    with pytest.raises(ContractError):
        run_in_memory(attempt)
    within = found(EVERY_ID[:AGREED], AGREED)
    report(
        "customers of the host found by claiming every id",
        f"{everything} of {len(CUSTOMERS)}",
        f"0 ({within} by claiming as many as agreed)",
    )
    assert everything == len(CUSTOMERS)
    assert BlindedIds not in left
    assert within == len(set(CUSTOMERS) & set(EVERY_ID[:AGREED]))


@pytest.mark.parametrize("party", ["guest", "host1", "host2"])
def test_among_several_hosts_too_long_a_list_is_refused_as_well(party: str) -> None:
    lists = {"guest": EVERY_ID[:20], "host1": EVERY_ID[5:25], "host2": EVERY_ID[8:28]}
    lists[party] = EVERY_ID[:60]
    with pytest.raises(ContractError, match=rf"^{party}: brings a list of 60"):
        run_in_memory(several_roles(*lists.values(), most=40))


def test_a_party_with_more_ids_than_agreed_hears_of_it_before_a_run() -> None:
    _, insurer = tables()
    clean_ids(job(f"alignment: {{max_ids: {len(insurer)}}}"), insurer)
    with pytest.raises(ContractError, match=rf"{len(insurer)} ids, at most {len(insurer) - 1} were agreed"):
        clean_ids(job(f"alignment: {{max_ids: {len(insurer) - 1}}}"), insurer)


# --- differencing ---

ROWS, BINS = 400, 3
_draw = np.random.default_rng(2)
CODES: NDArray[np.int64] = _draw.integers(0, BINS, ROWS)
Y: NDArray[np.int8] = (_draw.random(ROWS) < 0.2 + 0.15 * CODES).astype(np.int8)
RATE = max(Y.mean(), 1 - Y.mean())


def events(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bads in each of the host's bins as it is told them in one run."""
    gates, codes = Gates(frozenset()), CODES[rows]
    run = run_in_memory(
        {
            "guest": woe.guest(Y[rows], key=KEY, rng=Seeded(1), gates=gates, host=HOST, arbiter=ARBITER),
            "host": woe.host(
                [codes], [BINS], key=KEY, rng=Seeded(2), gates=gates, guest=GUEST, arbiter=ARBITER
            ),
            "arbiter": woe.arbiter(PRIVATE, Quota(9), guest=GUEST, host=HOST),
        }
    )
    (told,) = run.results["host"]
    return np.asarray(told, np.int64)


def told_right(left_out: list[NDArray[np.int64]]) -> float:
    """Return of how many customers left out of a second run the host tells the label."""
    whole, right = events(np.arange(ROWS)), 0
    for rows in left_out:
        fewer = events(np.setdiff1d(np.arange(ROWS), rows))
        bads = (whole - fewer)[CODES[rows]] / np.bincount(CODES[rows], minlength=BINS)[CODES[rows]]
        right += int(((bads > 0.5) == Y[rows]).sum())
    return right / sum(map(len, left_out))


def test_two_runs_that_differ_by_one_customer_tell_its_label_and_by_fifty_nobodys() -> None:
    one = [np.array([row]) for row in range(20)]
    fifty = [np.arange(k, k + 50) for k in range(0, 350, 50)]
    undefended, defended = told_right(one), told_right(fifty)
    report(
        "labels of customers by which two runs differ",
        f"{undefended:.1%} (1 customer)",
        f"refused; {defended:.1%} (50; guessing {RATE:.1%})",
    )
    assert undefended == 1.0
    assert defended < 0.75


@pytest.mark.parametrize("kind", ["logistic", "trees"])
@pytest.mark.parametrize("whose", ["bank", "insurer"])
def test_a_second_run_without_one_customer_is_refused_by_guest_and_host(
    tmp_path: Path, kind: str, whose: str
) -> None:
    more = "model: {tolerance: 0.1}" if kind == "logistic" else "model: {kind: trees, n_estimators: 1}"
    agreed = job(more, ["small_bins", "few_rows", "few_host_columns", "many_leaves", "rare_values"])
    train(agreed, BANK, INSURER, id="run 1", state=tmp_path)
    train(agreed, BANK, INSURER, id="run 2", state=tmp_path)
    common = np.flatnonzero(np.isin(BANK.ids, INSURER.ids) & (BANK.split == "train"))
    fewer = BANK.take(np.setdiff1d(np.arange(len(BANK)), common[:1]))
    forgetful = "insurer" if whose == "bank" else "bank"
    shutil.rmtree(tmp_path / forgetful)
    with pytest.raises(ContractError, match=r"^training rows: they differ from an earlier run's by fewer"):
        train(agreed, fewer, INSURER, id="run 3", state=tmp_path)
    shutil.rmtree(tmp_path)
    train(agreed, fewer, INSURER, id="run 4", state=tmp_path)
