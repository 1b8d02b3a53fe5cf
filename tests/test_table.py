"""Tables from files: what is read, and how what is wrong is named."""

import json
import stat
from errno import ENOSPC

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import shared

from vfl.errors import ConfigError, DataError
from vfl.table.read import check_columns, read_table, write_frames, write_scores
from vfl.table.table import Categorical, Numeric, Table


@pytest.fixture
def csv(tmp_path):
    def write(text, name="bank.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def rows(n, cell="{0}"):
    return "id,x\n" + "".join(f"p{i},{cell.format(i)}\n" for i in range(n))


def test_ids_stay_texts_and_columns_find_their_kind(csv):
    path = csv('id,label,split,x,c,k\n007,1,train,1.5,"a, b",01\n0X,0,test,,,2\n')
    table = read_table(path, id="id", label="label", split="split", categorical=["k"])
    assert list(table.ids) == ["007", "0X"]
    assert (table.label.dtype, list(table.label)) == (np.int8, [1, 0])
    assert list(table.split) == ["train", "test"]
    assert list(table.columns) == ["x", "c", "k"]
    assert list(table.columns["c"].values) == ["a, b", None]
    assert list(table.columns["k"].values) == ["01", "2"]
    np.testing.assert_array_equal(table.columns["x"].values, [1.5, np.nan])
    assert table.source == "bank.csv"


def test_a_csv_with_byte_order_mark_and_windows_line_ends_is_read(csv):
    table = read_table(csv('\ufeffid,x\r\n1,2\r\n"","  "\r\n'), id="id")
    assert list(table.ids) == ["1", None]
    np.testing.assert_array_equal(table.columns["x"].values, [2, np.nan])


def test_numbers_are_read_in_every_usual_spelling(csv):
    table = read_table(csv("id,x\na, 12 \nb,+1e3\nc,-.5\nd,7.\n"), id="id")
    assert list(table.columns["x"].values) == [12, 1000, -0.5, 7]


def test_columns_are_chosen_and_dropped_by_name(csv):
    path = csv("id,label,a,b,c\n1,0,1,2,3\n")
    assert list(read_table(path, id="id", label="label").columns) == ["a", "b", "c"]
    assert list(read_table(path, id="id", drop=["label", "b"]).columns) == ["a", "c"]
    assert list(read_table(path, id="id", columns=["c", "a"]).columns) == ["c", "a"]


def test_csv_and_parquet_hold_the_same_table(tmp_path):
    frame = pd.DataFrame(
        {"id": ["01", "2", None], "x": [1.5, None, 3.0], "n": [1, 2, 3], "c": ["a", None, "a"]}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.set_index(pd.Index([5, 6, 7])).to_parquet(tmp_path / "t.parquet")
    one, other = (read_table(tmp_path / name, id="id") for name in ("t.csv", "t.parquet"))
    assert list(one.ids) == list(other.ids) == ["01", "2", None]
    assert list(one.columns) == list(other.columns)
    for name in one.columns:
        assert type(one.columns[name]) is type(other.columns[name])
        assert [repr(v) for v in one.columns[name].values] == [repr(v) for v in other.columns[name].values]


def test_parquet_types_become_texts_and_labels(tmp_path):
    frame = pd.DataFrame(
        {"id": [12, 7], "y": [True, False], "k": [1.0, None], "c": pd.Categorical(["u", "v"]), "x": [1, 2]}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", id="id", label="y", categorical=["k"])
    assert list(table.ids) == ["12", "7"]
    assert list(table.label) == [1, 0]
    assert list(table.columns["k"].values) == ["1", None]
    assert list(table.columns["c"].values) == ["u", "v"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.text("a,\"\n '0", min_size=1), st.floats(-1e300, 1e300)), min_size=2))
def test_what_is_written_as_csv_is_read_back(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    texts, numbers = zip(*cells, strict=True)
    pd.DataFrame({"id": [f"p{i}" for i in range(len(cells))], "c": texts, "x": numbers}).to_csv(
        path, index=False
    )
    table = read_table(path, id="id", categorical=["c"])
    assert list(table.columns["c"].values) == [text if text.strip() else None for text in texts]
    np.testing.assert_array_equal(table.columns["x"].values, numbers)


def test_taking_rows_reorders_everything():
    table = Table(
        np.array(["a", "b", "c"], dtype=object),
        {"x": Numeric(np.array([1.0, 2.0, 3.0])), "c": Categorical(np.array(["u", None, "w"], dtype=object))},
        np.array([0, 1, 0], dtype=np.int8),
        np.array(["train", "test", "train"], dtype=object),
        "bank.csv",
    )
    taken = table.take(np.array([2, 1]))
    assert len(taken) == 2
    assert (list(taken.ids), list(taken.label), list(taken.split)) == (["c", "b"], [0, 1], ["train", "test"])
    assert list(taken.columns["x"].values) == [3.0, 2.0]
    assert list(taken.columns["c"].values) == ["w", None]
    assert list(taken.columns["c"].blank) == [False, True]
    assert repr(taken) == "Table('bank.csv', 2 rows, 2 columns)"


BAD_CELLS = [
    (
        rows(20).replace("p16,16", "p16,12a"),
        {},
        "bank.csv:18: x: '12a' is not a number (1 such cell among 20)",
    ),
    (
        'id,x\na,"1,5"\nb,2\nc,"0,25"\n',
        {},
        "bank.csv:2: x: '1,5' is not a number (2 such cells)",
    ),
    (
        'id,x\na,"36,900"\nb,"1,234.5"\nc,\n',
        {},
        "bank.csv:2: x: '36,900' is not a number (2 such cells)",
    ),
    (rows(4).replace("p3,3", "p3,NA"), {}, "bank.csv:5: x: 'NA' is not a number (1 such cell among 4)"),
    (rows(4).replace("p1,1", "p1,nan"), {}, "bank.csv:3: x: 'nan' is not a number (1 such cell among 4)"),
    (rows(4).replace("p1,1", "p1,-inf"), {}, "bank.csv:3: x: '-inf' is not a finite number (1 such cell)"),
    ('id,c,x\n"a\nb",u,1\n\nc,v,1e999\n', {}, "bank.csv:5: x: '1e999' is not a finite number (1 such cell)"),
    ("id,y,x\na,1,1\nb,2,1\nc,,1\n", {"label": "y"}, "bank.csv:3: y: label is '2', not 0 or 1 (2 such rows)"),
    (
        "id,y,x\na,1,1\nb,0,1\nc,,1\n",
        {"label": "y"},
        "bank.csv:4: y: label is blank, not 0 or 1 (1 such row)",
    ),
    (
        "id,w,x\na,.5,1\nb,-1,1\nc,,1\n",
        {"weight": "w"},
        "bank.csv:3: w: weight is '-1', not a finite number from 0 (2 such rows)",
    ),
    (
        "id,w,x\na,1e999,1\n",
        {"weight": "w"},
        "bank.csv:2: w: weight is '1e999', not a finite number from 0 (1 such row)",
    ),
    (
        "id,w,x\na,heavy,1\n",
        {"weight": "w"},
        "bank.csv:2: w: weight is 'heavy', not a finite number from 0 (1 such row)",
    ),
    (
        "id,w,x\na,,1\n",
        {"weight": "w"},
        "bank.csv:2: w: weight is blank, not a finite number from 0 (1 such row)",
    ),
    ("id,w,x\na,0,1\nb,0.0,1\n", {"weight": "w"}, "bank.csv: w: every weight is 0"),
    ("id,s,x\na,train,1\nb,,1\n", {"split": "s"}, "bank.csv:3: s: blank (1 such row)"),
    ("id,x\n9.99928E+17,1\n", {}, "bank.csv:2: id: an id that a spreadsheet has rounded"),
    ("id,x\na,1\nb,2,3\n", {}, "bank.csv:3: 3 cells where the header has 2"),
    ('id,c\na,u\nb,"v\nc,w\n', {}, "bank.csv: a quoted cell never ends"),
    ("id;x\na;1\n", {}, "bank.csv: cells are separated by ';'"),
    ("id,x,y,x\na,1,2,3\n", {}, "bank.csv: columns with one name: 'x'"),
    ("id,,x\na,1,2\n", {}, "bank.csv: column 2 has no name"),
    ("", {}, "bank.csv: is empty"),
    ("id,x\n", {}, "bank.csv: has no rows"),
    ("id,y\na,1\n", {"label": "y"}, "bank.csv: has no feature columns"),
    (rows(3), {"label": "y"}, "bank.csv: has no column 'y'"),
    (rows(3), {"drop": ["month"]}, "bank.csv: has no column 'month'"),
]


@pytest.mark.parametrize(("text", "options", "message"), BAD_CELLS)
def test_what_is_wrong_in_a_table_is_named_with_its_place(csv, text, options, message):
    with pytest.raises(DataError) as caught:
        read_table(csv(text), id="id", **options)
    assert str(caught.value) == message


def test_a_cell_that_is_no_number_names_both_mends(csv):
    with pytest.raises(DataError) as caught:
        read_table(csv(rows(20).replace("p3,3", "p3,3x")), id="id")
    assert "leave it blank" in caught.value.hint
    assert "categorical" in caught.value.hint


def test_weights_are_numbers_and_no_feature(csv):
    table = read_table(csv("id,w,x\na, 0.1 ,1\nb,0,2\nc,2e3,3\n"), id="id", weight="w")
    assert (table.weight.dtype, list(table.weight), list(table.columns)) == (
        np.float64,
        [0.1, 0, 2000],
        ["x"],
    )
    assert list(table.take(np.array([2, 0])).weight) == [2000, 0.1]


def test_a_column_of_texts_with_some_numbers_is_categorical(csv):
    table = read_table(csv("id,x\na,1\nb,2\nc,many\n"), id="id")
    assert isinstance(table.columns["x"], Categorical)


def test_a_misspelt_column_is_answered_with_the_nearest(csv):
    path = csv("Customer_ID,income\n1,2\n")
    with pytest.raises(DataError) as caught:
        read_table(path, id="customer_id")
    assert caught.value.hint == "did you mean 'Customer_ID'?"
    with pytest.raises(DataError) as caught:
        read_table(path, id="Customer_ID", columns=["zzz"])
    assert caught.value.hint == "it has 'Customer_ID', 'income'"


def test_bytes_that_are_not_utf8_are_refused(csv):
    for text in ("id,x\né,1\n", "id,é\na,1\n"):
        with pytest.raises(DataError, match="not UTF-8"):
            read_table(csv(text, encoding="latin-1"), id="id")


def test_a_place_is_found_in_a_file_with_bad_bytes_in_a_column_not_read(csv):
    path = csv("id,x,c\na,1,é\nb,inf,u\n", encoding="latin-1")
    with pytest.raises(DataError, match=r"^bank.csv:3: x: "):
        read_table(path, id="id", columns=["x"])


def test_a_damaged_parquet_file_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"id": [str(i) for i in range(999)], "x": range(999)}).to_parquet(path)
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"t.parquet: is damaged"):
        read_table(path, id="id")


def test_files_that_cannot_be_opened_are_named_with_their_path(tmp_path, csv):
    for name, kind in (("none.csv", DataError), ("none.parquet", DataError), ("table.xlsx", ConfigError)):
        with pytest.raises(kind) as caught:
            read_table(tmp_path / name, id="id")
        assert caught.value.where == str(tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path / "folder.csv", id="id")
    with pytest.raises(DataError, match="is not a Parquet file"):
        read_table(csv("id,x\n1,2\n", name="t.parquet"), id="id")


@pytest.mark.parametrize(
    "options", [{"label": "id"}, {"columns": ["x", "x"]}, {"columns": ["id"]}, {"label": "x", "drop": ["x"]}]
)
def test_names_that_contradict_each_other_are_the_configurations_fault(csv, options):
    with pytest.raises(ConfigError, match="is named 2 times"):
        read_table(csv(rows(3)), id="id", **options)


def test_fractional_parquet_ids_and_lists_are_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"id": [1.0, 2.0], "x": [1, 2], "l": [[1], [2]]}).to_parquet(path)
    with pytest.raises(DataError, match=r"t.parquet: id: ids are fractional"):
        read_table(path, id="id")
    with pytest.raises(DataError, match=r"t.parquet: l: cells of type"):
        read_table(path, id="x")


def test_infinite_parquet_numbers_are_refused_with_their_row(tmp_path):
    pd.DataFrame({"id": ["a", "b"], "x": [1.0, np.inf]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t.parquet: row 2: x: inf is not a finite number"):
        read_table(tmp_path / "t.parquet", id="id")


def test_blank_and_constant_columns_are_refused_but_a_batch_may_be_constant(csv):
    constant = read_table(csv("id,x,c,d\na,1,u,\nb,1,u,w\n"), id="id")
    with pytest.raises(DataError, match="columns are the same in every row: 'x', 'c'"):
        check_columns(constant)
    check_columns(constant, constant=False)
    with pytest.raises(DataError, match="a column is blank in every row: 'x'"):
        check_columns(read_table(csv("id,x,y\na,,1\nb,,2\n"), id="id"), constant=False)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_scores_are_written_whole_with_ids_as_texts(tmp_path, suffix):
    path = tmp_path / f"scores.{suffix}"
    write_scores(path, pd.DataFrame({"id": ["007", "08"], "pd": [0.1, 1 / 3]}))
    write_scores(path, pd.DataFrame({"id": [7, 8], "pd": [0.1, 1 / 3]}))
    table = read_table(path, id="id")
    assert list(table.ids) == ["7", "8"]
    assert list(table.columns["pd"].values) == [0.1, 1 / 3]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_disk_that_is_full_is_no_defect_of_ours(tmp_path):
    def more_than_fits():
        yield pd.DataFrame({"id": ["a"]})
        raise OSError(ENOSPC, "No space left on device")

    for name in ("scores.csv", "scores.parquet"):
        with pytest.raises(ConfigError, match=f"{name}: cannot be written: No space left"):
            write_frames(tmp_path / name, more_than_fits())
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_former_file(tmp_path):
    class Unwritable:
        def __str__(self):
            raise ValueError("no text")

    path = tmp_path / "scores.csv"
    write_scores(path, pd.DataFrame({"id": ["a"], "pd": [0.5]}))
    with pytest.raises(ValueError, match="no text"):
        write_scores(path, pd.DataFrame({"id": ["a"], "pd": [Unwritable()]}))
    assert "0.5" in path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["scores.csv"]
    with pytest.raises(ConfigError, match="cannot be written"):
        write_scores(tmp_path / "nowhere" / "scores.csv", pd.DataFrame({"id": ["a"]}))


@pytest.mark.parametrize(
    "name", ["german", "breast", "caravan", "default_credit", "default_credit_3p", "give_credit"]
)
def test_real_sets_are_read_as_their_schema_says(name):
    schema = json.loads(shared(f"{name}/schema.json").read_text())
    for party, declared in schema["parties"].items():
        roles = {"label": "label", "split": "split", "drop": ["apply_month"]} if party == "bank" else {}
        for suffix in ("csv", "parquet"):
            table = read_table(shared(f"{name}/{party}.{suffix}"), id="id", **roles)
            check_columns(table)
            kinds = {n for n, c in table.columns.items() if isinstance(c, Categorical)}
            blanks = {n: int(c.blank.sum()) for n, c in table.columns.items() if c.blank.any()}
            assert len(table) == declared["rows"]
            assert list(table.columns) == declared["features"]
            assert kinds == set(declared["categorical"])
            assert blanks == declared["missing"]
