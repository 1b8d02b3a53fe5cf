"""A batch read part by part gives what the whole table gives, and names the same rows and lines."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from parties.programs.batch import Batch, Matched
from parties.programs.stored import read_batch
from vfl.errors import DataError
from vfl.table import files
from vfl.table.database import QueryResult
from vfl.table.read import write_frames
from vfl.table.table import Table

N = files.ROWS + 1000
"""Rows of two parts of a Parquet file."""
LEVELS = {"age": None, "region": ("north", "south")}


def frame(n: int = N) -> pd.DataFrame:
    number = np.arange(n)
    age = pd.Series(number % 90, dtype="float64").mask(number % 7 == 0)
    return pd.DataFrame(
        {"id": [f"c{k}" for k in number], "age": age, "region": np.where(number % 2, "north", "west")}
    )


def stored(folder: Path, suffix: str, table: pd.DataFrame) -> Path:
    path = folder / f"batch.{suffix}"
    table.to_parquet(path, index=False) if suffix == "parquet" else table.to_csv(path, index=False)
    return path


def opened(path: Path) -> Batch:
    return Batch.open(LEVELS, path, "id", {})


def ages(table: Table) -> np.ndarray:
    return np.asarray(table.columns["age"].values)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "query"])
def test_matched_rows_come_in_the_order_asked_for_whatever_their_parts(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOCK", 1 << 20)
    if suffix == "query":
        batch = Batch.open(LEVELS, QueryResult("sqlite:x", pa.Table.from_pandas(frame())), "id", {})
        whole = read_batch(LEVELS, stored(tmp_path, "parquet", frame()), "id")
    else:
        path = stored(tmp_path, suffix, frame())
        batch, whole = opened(path), read_batch(LEVELS, path, "id")
    assert len(list(batch.read())) > 1
    assert list(batch.ids) == list(whole.ids)
    rows = np.random.default_rng(1).permutation(N)[: N // 2]
    matched = Matched(batch, rows)
    np.testing.assert_array_equal(matched.numbers(ages), ages(whole)[rows])
    assert list(matched.ids) == np.asarray(whole.ids)[rows].tolist()


def test_a_bad_cell_in_a_later_part_is_named_by_its_place_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOCK", 1 << 20)
    bad = frame().astype({"age": object})
    bad.loc[N - 5, "age"] = "forty"
    with pytest.raises(DataError, match=rf"batch\.csv:{N - 3}: age: 'forty' is not a number"):
        opened(stored(tmp_path, "csv", bad))


def test_a_batch_without_rows_or_without_a_column_is_refused(tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        with pytest.raises(DataError, match="has no rows"):
            opened(stored(tmp_path, suffix, frame(0)))
        with pytest.raises(DataError, match="has no column 'age'"):
            opened(stored(tmp_path, suffix, frame(5).drop(columns="age")))


def test_a_file_that_changes_between_its_readings_is_refused(tmp_path: Path) -> None:
    batch = opened(stored(tmp_path, "parquet", frame(20)))
    stored(tmp_path, "parquet", frame(19))
    with pytest.raises(DataError, match="has changed since it was first read"):
        Matched(batch, np.arange(20)).numbers(ages)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_written_in_parts_is_the_file_of_the_whole(tmp_path: Path, suffix: str) -> None:
    whole = pd.DataFrame({"id": ["007", "08", "9"], "pd": [0.1, 1 / 3, 0.5], "why": [None, "age", None]})
    parts, one = tmp_path / f"parts.{suffix}", tmp_path / f"one.{suffix}"
    write_frames(parts, [whole[:1], whole[1:]])
    write_frames(one, [whole])
    if suffix == "csv":
        assert parts.read_bytes() == one.read_bytes()
    else:
        pd.testing.assert_frame_equal(pd.read_parquet(parts), pd.read_parquet(one))
