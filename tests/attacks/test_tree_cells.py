"""The guest solves histograms for the host's cells.

Who: a guest that follows the protocol.  Wants: the bin of each row in each of the host's columns.
How: the sums of g and h of a node by bin are two equations per bin on which of the node's rows are in it,
and the guest knows every g and h; least squares over all nodes, then the likeliest bin of each row.  Split
by split it is told sides besides, one bit a row, which the ledger counts (`Sides`).
What bounds it: the gate many_leaves keeps the number of equations far below that of the rows.
Pass: no more than 10 points above what the sides alone say.  Nothing hides the sides: trees give the guest
a coarse copy of the host's used columns, and the report says so first; a finer one where hosts see no rows
of nodes (`model.node_rows: hidden`), as they then answer for all rows.

Reverse sum (Weng et al., "Privacy leakage of real-world vertical federated learning", 2020).
Who: a guest that departs from the protocol.  How: in place of gradients it encrypts 2^i for row i, and
reads from a bin's sum which rows are in it.
What bounds it: the host refuses slots wider than sums of gradients need, so that a sum names few rows.
Pass: no slot names more rows than it has bits; refused beyond, by name.
"""

from __future__ import annotations

import numpy as np
import pytest
from attacked_runs import GUEST, HOST, KEY, PRIVATE, report
from grown_runs import BINS, Table, grow, opened, table
from numpy.typing import NDArray
from seeded import Seeded

from parties.config.models import TreeRules
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts
from vfl.errors import ProtocolError
from vfl.gates import ROWS_PER_NODE
from vfl.trees import boosting
from vfl.trees.boosting import EncryptedHistograms, Kept, Next, SlotSize, Splits
from vfl.trees.gradients import MOST_WEIGHT, UNIT, Slot
from vfl.trees.grow import Rules
from vfl.trees.shown import EncryptedGradients, Nodes
from vfl.wire.memory import Transcript, run_in_memory

Shares = NDArray[np.float64]


def cells(run: Transcript, people: Table) -> float:
    """Return the share of the host's cells that the guest's equations give away."""
    known = list(opened(run, people))
    a = np.vstack([one.gh.T for one in known]) / UNIT
    sums = np.array([one.sums for one in known]) / UNIT
    gram = a @ a.T
    inverse = np.linalg.inv(gram + 1e-9 * np.trace(gram) * np.eye(len(gram)))
    right = 0
    for column, first in zip(people.theirs.T, people.layout.starts, strict=True):
        share = sums[0, first : first + BINS, 1] / sums[0, first : first + BINS, 1].sum()
        expected = share[:, None] * a.sum(axis=1)
        seen = sums[:, first : first + BINS].transpose(1, 0, 2).reshape(BINS, -1)
        likely = share[:, None] + (seen - expected) @ inverse @ a
        right += int((likely.argmax(axis=0) == column).sum())
    return right / people.theirs.size


def sides(run: Transcript, people: Table, *, hidden: bool = False) -> float:
    """Return the share of cells that are right when each is guessed from the sides told of its row alone.

    `hidden`: nodes' rows are hidden, and sides told of all rows that the host's own splits above let through.
    """
    low, high = np.zeros_like(people.theirs), np.full_like(people.theirs, BINS - 1)
    for tree in run.results["guest"].trees:
        rows = {1: np.ones(len(people.y), np.bool_)}
        for node in sorted(tree.chosen):
            chosen = tree.chosen[node]
            left = chosen.split.left(people.theirs if chosen.party else people.own)
            rows[2 * node], rows[2 * node + 1] = rows[node] & left, rows[node] & ~left
            if hidden and not chosen.party:
                rows[2 * node] = rows[2 * node + 1] = rows[node]
            if chosen.party:
                at, j = chosen.split.bin, chosen.split.column
                high[rows[2 * node], j] = np.minimum(high[rows[2 * node], j], at)
                low[rows[2 * node + 1], j] = np.maximum(low[rows[2 * node + 1], j], at + 1)
    places = np.arange(BINS)[:, None, None]
    frequent = np.array([(people.theirs == k).sum(axis=0) for k in range(BINS)])[:, None, :]
    guess = np.where((places >= low) & (places <= high), frequent, -1).argmax(axis=0)
    return float((guess == people.theirs).mean())


def test_sums_of_few_rows_give_every_cell_away_and_those_of_many_little_more_than_the_sides() -> None:
    few, many = table(160), table(2000, told=0.2)
    closed, at_the_limit = Rules(n_estimators=20, max_depth=4), Rules(n_estimators=12, max_depth=3)
    assert 2 * ROWS_PER_NODE * (12 << 2) < 2000 <= 2 * ROWS_PER_NODE * (13 << 2)
    undefended = cells(grow(few, closed), few)
    run = grow(many, at_the_limit)
    defended, told, every = cells(run, many), sides(run, many), sides(run, many, hidden=True)
    report(
        "host cells from histograms",
        f"{undefended:.1%} (gate closed)",
        f"{defended:.1%} at the gate's limit ({told:.1%} from sides alone, {1 / BINS:.1%} by guessing)",
    )
    report("host cells from the sides of rows shown -> hidden", f"{told:.1%}", f"{every:.1%} (not bounded)")
    assert undefended > 0.98
    assert defended < told + 0.1
    assert told + 0.1 < every


# --- reverse sum ---

ROWS = 400


def read_by_reverse_sum(people: Table, bits: int) -> int:
    """Return of how many rows the guest reads the bins in all of the host's columns from one histogram."""
    layout, marked = people.layout, min(ROWS, bits - 2)
    found = np.full(people.theirs.shape, -1)

    async def guest() -> None:
        await HOST.receive(boosting.Bins)
        await HOST.send(SlotSize(bits))
        await HOST.send(Next(boosting.TREE))
        marks = [1 << i if i < marked else 0 for i in range(ROWS)]
        await HOST.send(EncryptedGradients(KEY.randomise(KEY.lift(marks), Seeded(1))))
        await HOST.send(Next(boosting.LEVEL))
        await HOST.send(Nodes(np.array([1]), np.zeros(ROWS, np.uint8)))
        packed: Ciphertexts = (await HOST.receive(EncryptedHistograms)).packed
        sums = Packing(layout.slots, bits, KEY.n).unpack(PRIVATE.decrypt(packed))
        for j, first in enumerate(layout.starts):
            for k, total in enumerate(sums[first : first + BINS]):
                found[[i for i in range(marked) if total >> i & 1], j] = k
        none = np.empty(0, np.int64)
        await HOST.send(Splits(none, none, none, none.astype(np.bool_)))
        await HOST.send(Next(boosting.END))
        await HOST.send(Kept(0))

    rules = Rules(n_estimators=1, max_depth=1, guest_grows_first=False)
    host = boosting.host(people.theirs, layout, rules, key=KEY, rng=Seeded(2), guest=GUEST, arbiter=None)
    run_in_memory({"guest": guest(), "host": host})
    return int((found == people.theirs).all(axis=1).sum())


def test_a_sum_names_no_more_rows_than_a_slot_of_gradients_has_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    people = table(ROWS)
    widest = Slot.holding(ROWS, MOST_WEIGHT).bits
    defended = read_by_reverse_sum(people, widest)
    with pytest.raises(ProtocolError, match=r"^guest: asked for slots that no sums of weighted rows fill"):
        read_by_reverse_sum(people, widest + 1)
    with monkeypatch.context() as off:
        off.setattr(boosting, "MOST_WEIGHT", 2.0**200)
        undefended = read_by_reverse_sum(people, ROWS + 2)
    report("rows read from one histogram by reverse sum", f"{undefended} of {ROWS}", f"{defended} a tree")
    assert undefended == ROWS
    assert defended == widest - 2 < ROWS / 4


def test_a_job_asks_for_no_weights_that_hosts_refuse() -> None:
    TreeRules(scale_pos_weight=MOST_WEIGHT)
    with pytest.raises(ValueError, match="less than or equal to 1000"):
        TreeRules(scale_pos_weight=MOST_WEIGHT + 1)
