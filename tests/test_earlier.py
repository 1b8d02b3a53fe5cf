"""A party remembers the rows of its trainings, so that no two of them differ by few people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from program_runs import party

from parties.programs.earlier import Earlier, Record
from vfl.errors import ConfigError, ContractError
from vfl.gates import RARE_ROWS, Gates
from vfl.stats.folds import folds_of

IDS: NDArray[np.object_] = np.array([f"c{k:03d}" for k in range(400)], object)
Y: NDArray[np.int8] = (np.arange(400) % 3 == 0).astype(np.int8)
SHUT = Gates(frozenset())


@pytest.fixture
def earlier(tmp_path: Path) -> Earlier:
    """Records in which one training on all rows is kept."""
    records = Earlier.of(party("bank").model_copy(update={"state": tmp_path}))
    records.keep(records.record("run 1", IDS, Y))
    return records


def without(count: int) -> NDArray[np.int64]:
    """Return all rows but some."""
    return np.arange(count, len(IDS))


@pytest.mark.parametrize("count", [1, RARE_ROWS - 1])
def test_rows_that_are_nearly_those_of_an_earlier_run_are_refused(earlier: Earlier, count: int) -> None:
    new = earlier.record("run 2", IDS[without(count)], Y[without(count)])
    with pytest.raises(ContractError, match="differ from an earlier run's by fewer than 50") as refusal:
        earlier.check_rows(new, SHUT)
    assert f"by {count} from run run 1" in refusal.value.hint
    assert "gates.allow: [nearly_same_rows]" in refusal.value.hint
    allowed = Gates(frozenset({"nearly_same_rows"}))
    earlier.check_rows(new, allowed)
    assert len(allowed.overridden) == 1


@pytest.mark.parametrize("count", [0, RARE_ROWS, 300])
def test_the_same_rows_and_such_as_differ_by_many_pass(earlier: Earlier, count: int) -> None:
    earlier.check_rows(earlier.record("run 2", IDS[without(count)], Y[without(count)]), SHUT)


def test_runs_of_folds_differ_by_many_rows_in_each_fold_that_both_have_sums_of(earlier: Earlier) -> None:
    fold = folds_of(IDS, 4)
    # 56 rows leave: all but one of them of one half, which a fold of four and one of two make alike.
    gone = np.concatenate([np.flatnonzero(fold % 2)[:55], np.flatnonzero(fold % 2 == 0)[:1]])
    stay = np.setdiff1d(np.arange(len(IDS)), gone)
    earlier.keep(earlier.record("run 2", IDS, Y, 4))
    new = earlier.record("run 3", IDS[stay], Y[stay], 2)
    assert (new.apart(earlier.kept("run 1")), new.apart(earlier.kept("run 2"))) == (56, 1)
    with pytest.raises(ContractError, match="differ from an earlier run's by fewer than 50 in a fold") as no:
        earlier.check_rows(new, SHUT)
    assert "by 1 from run run 2" in no.value.hint
    earlier.check_rows(earlier.record("run 3", IDS[stay], Y[stay], 3), SHUT)
    earlier.check_rows(earlier.record("run 3", IDS, Y, 2), SHUT)


def test_rows_in_another_order_are_the_same_and_changed_labels_are_other_rows(earlier: Earlier) -> None:
    assert not earlier.record("run 2", IDS[::-1], Y[::-1]).apart(earlier.kept("run 1"))
    changed = Y.copy()
    changed[:3] ^= 1
    assert earlier.record("run 2", IDS, changed).apart(earlier.kept("run 1")) == 6
    assert earlier.record("run 2", IDS, 1 - Y).apart(earlier.kept("run 1")) == 800


def test_weights_that_differ_in_few_rows_are_refused_whatever_the_others_were_multiplied_by(
    earlier: Earlier,
) -> None:
    drawn = np.random.default_rng(3).uniform(0.5, 2.0, 400)
    earlier.keep(earlier.record("run 2", IDS, Y, weight=drawn))
    few, many = 3 * drawn, 3 * drawn
    few[:7] += 1
    many[:RARE_ROWS] += 1
    assert not earlier.record("run 3", IDS[::-1], Y[::-1], weight=3 * drawn[::-1]).apart(
        earlier.kept("run 2")
    )
    earlier.check_rows(earlier.record("run 3", IDS, Y, weight=many), SHUT)
    with pytest.raises(ContractError, match="differ from an earlier run's by fewer than 50") as no:
        earlier.check_rows(earlier.record("run 3", IDS, Y, weight=few), SHUT)
    assert "by 7 from run run 2" in no.value.hint
    for weight in (np.where(np.arange(400) < 9, 2.0, 1.0), np.where(np.arange(400) < 9, 0.0, 1.0)):
        assert earlier.record("run 3", IDS, Y, weight=weight).apart(earlier.kept("run 1")) == 9


def test_rows_that_count_nothing_are_in_bins_and_so_are_compared(earlier: Earlier) -> None:
    weight = np.where(np.arange(400) < 80, 0.0, 1.0)
    earlier.keep(earlier.record("run 2", IDS, Y, weight=weight))
    fewer = without(1)
    new = earlier.record("run 3", IDS[fewer], Y[fewer], weight=weight[fewer])
    assert new.apart(earlier.kept("run 2")) == 1
    assert np.array_equal(new.rows, earlier.kept("run 2").rows)


@pytest.mark.parametrize(("others", "refused"), [(0, False), (1, True), (24, True), (25, False)])
def test_samples_of_which_few_rows_are_others_are_refused(
    earlier: Earlier, others: int, refused: bool
) -> None:
    earlier.keep(earlier.record("run 2", IDS, Y, sample=100))
    order = np.roll(np.arange(400), -others)
    allowed = Gates(frozenset({"nearly_same_rows"}))
    earlier.check_rows(earlier.record("run 3", IDS[order], Y[order], sample=100), allowed)
    assert len(allowed.overridden) == refused


@pytest.mark.parametrize("part", [slice(99), slice(101, None)])
def test_a_run_on_nearly_the_rows_of_an_earlier_sample_or_of_the_others_is_refused(
    earlier: Earlier, part: slice
) -> None:
    earlier.keep(earlier.record("run 2", IDS, Y, sample=100))
    with pytest.raises(ContractError, match="differ from an earlier run's by fewer than 50") as no:
        earlier.check_rows(earlier.record("run 3", IDS[part], Y[part]), SHUT)
    assert "by 1 from run run 2" in no.value.hint


def test_a_run_that_is_resumed_is_not_compared_with_itself(earlier: Earlier) -> None:
    earlier.check_rows(earlier.record("run 1", IDS[1:], Y[1:]), SHUT)


def brought(earlier: Earlier, run: str, rows: NDArray[np.int64], **columns: int) -> Record:
    """Return the record of a run to which the insurer brought columns, by mark."""
    return replace(earlier.record(run, IDS[rows], Y[rows]), columns={"insurer": columns})


def test_all_columns_that_a_host_has_ever_brought_against_the_same_labels_count(earlier: Earlier) -> None:
    everyone = np.arange(len(IDS))
    earlier.keep(brought(earlier, "run 1", everyone, a=25))
    earlier.check_columns(brought(earlier, "run 2", everyone, a=25), "insurer", SHUT)
    earlier.check_columns(brought(earlier, "run 2", everyone, b=15), "insurer", SHUT)
    with pytest.raises(ContractError, match="400 training rows for 41 model columns of insurer, in this"):
        earlier.check_columns(brought(earlier, "run 2", everyone, b=16), "insurer", SHUT)
    other = replace(brought(earlier, "run 2", everyone, b=40), columns={"lender": {"b": 40}})
    earlier.check_columns(other, "lender", SHUT)


def test_columns_against_other_rows_do_not_count_and_those_against_a_part_do(earlier: Earlier) -> None:
    first, last = np.arange(200), np.arange(200, 400)
    earlier.keep(brought(earlier, "run 1", first, a=15))
    earlier.check_columns(brought(earlier, "run 2", last, b=15), "insurer", SHUT)
    with pytest.raises(ContractError, match="200 training rows for 30 model columns"):
        earlier.check_columns(brought(earlier, "run 2", np.arange(100, 300), b=15), "insurer", SHUT)


def test_a_mark_is_that_of_the_same_columns_in_any_order_of_rows(earlier: Earlier, tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(400, 3))
    order = np.random.default_rng(2).permutation(400)
    assert earlier.mark(IDS, x) == earlier.mark(IDS[order], x[order]) < 1 << 63
    assert earlier.mark(IDS, x) != earlier.mark(IDS, x[order])
    assert earlier.mark(IDS, x) != Earlier(tmp_path / "another party").mark(IDS, x)


def test_records_are_sealed_and_for_their_owner_alone(earlier: Earlier, tmp_path: Path) -> None:
    for path in (earlier.folder, *earlier.folder.iterdir()):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    rows = earlier.kept("run 1").rows
    sealed = (earlier.folder / "run 1").read_bytes()
    assert rows[0].tobytes() not in sealed
    elsewhere = Earlier(tmp_path / "another party").record("run 1", IDS, Y)
    assert not len(np.intersect1d(rows, elsewhere.rows))


@pytest.mark.parametrize("place", ["run 2", "run 1"])
def test_a_record_that_was_changed_or_moved_is_refused(earlier: Earlier, place: str) -> None:
    data = bytearray((earlier.folder / "run 1").read_bytes())
    data[-1] ^= place == "run 1"
    (earlier.folder / place).write_bytes(bytes(data))
    with pytest.raises(ConfigError, match="was changed, or belongs to another key"):
        earlier.check_rows(earlier.record("run 3", IDS, Y), SHUT)


def test_the_form_of_a_record_is_the_one_that_is_written_down(tmp_path: Path) -> None:
    # A change of this vector makes every party forget its earlier runs.
    records = Earlier(tmp_path)
    (tmp_path / "key").write_bytes(bytes(range(32)))
    record = records.record("run 1", IDS[:2], Y[:2])
    assert record.rows.tolist() == [3028090489665707609, 17923352496249009331]
    assert record.rows.dtype.str == "<u8"
    assert records.record("run 1", IDS[:9], Y[:9], 3).fold.tolist() == [2, 1, 1, 2, 1, 0, 2, 2, 2]
