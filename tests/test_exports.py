"""Every export of a half gives what the half gives, in the programs that others have."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from math import inf
from pathlib import Path

import duckdb
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from parties.cli.application import application
from parties.exports.halves import Export, described, exported
from parties.programs.model import Features, Half, columns_of, levels_in
from vfl.errors import ConfigError
from vfl.stats.binned import Bins, IndicatorColumns, WoeColumns
from vfl.stats.binning import GroupedLevels, NumericBins
from vfl.stats.scorecard import Scorecard
from vfl.stats.standard import Preparation, Standardiser
from vfl.table.table import Categorical, Numeric, Table

N = 400
SPECIAL: dict[str, tuple[float | str, ...]] = {"age": (20.0, 63.0), 'home "region"': ("o'hara",)}
SCALE = Scorecard(base_score=500, base_odds=20, pdo=40)
REGION = 'home "region"'
ORDER = defaultdict(lambda: 1, special=0, each=2)


def customers() -> Table:
    """Return a table with blanks, quotes, large and small numbers, and ties at the cuts."""
    rng = np.random.default_rng(5)
    age = rng.integers(18, 80, N).astype(np.float64)
    age[rng.random(N) < 0.1] = np.nan
    region = np.array(["north", "o'hara", "süd", None], object)[rng.integers(0, 4, N)]
    return Table(
        ids=np.array([f"c{k:03d}" for k in range(N)], object),
        columns={
            "age": Numeric(age),
            "debt": Numeric(rng.lognormal(10, 2, N)),
            "rate": Numeric(rng.normal(0, 1e-7, N)),
            REGION: Categorical(region),
        },
        label=None,
        split=None,
        source="customers",
    )


TABLE = customers()
TRAIN = np.arange(N) < 300


def with_news(table: Table) -> Table:
    """Return the table with a level that training did not show, and one number beyond all others."""
    region = table.columns[REGION].values.copy()
    debt = table.columns["debt"].values.copy()
    region[:3], debt[:3] = "moon", 1e12
    return Table(
        table.ids,
        table.columns | {REGION: Categorical(region), "debt": Numeric(debt)},
        None,
        None,
        table.source,
    )


def features(kind: str) -> Features:
    """Return features of a kind, learnt from the training rows."""
    columns = columns_of(TABLE)
    if kind == "standard":
        return Standardiser.fit(columns, TRAIN)
    if kind == "standard, special codes":
        return Standardiser.fit(columns, TRAIN, SPECIAL)
    if kind == "standard, clipped at deviations":
        return Standardiser.fit(columns, TRAIN, SPECIAL, Preparation("mean", clip=1.25))
    if kind == "standard, clipped at shares":
        return Standardiser.fit(columns, TRAIN, {}, Preparation("constant", 30.0, False, clip_share=0.05))
    bins = Bins.fit(columns, TRAIN, 5)
    if kind == "woe, special codes":
        age = bins.of["age"]
        assert isinstance(age, NumericBins)
        grouped = GroupedLevels((("north", "süd"), ("o'hara",)), special=("o'hara",))
        bins = Bins(bins.of | {"age": NumericBins(age.cuts, (20.0, 63.0)), REGION: grouped})
    if kind == "indicators":
        return IndicatorColumns.fit(bins, columns, TRAIN)
    rng = np.random.default_rng(2)
    return WoeColumns(bins, tuple(rng.normal(0, 1, size) for size in bins.sizes))


@pytest.fixture(
    params=[
        "woe",
        "indicators",
        "standard",
        "woe, special codes",
        "standard, special codes",
        "standard, clipped at deviations",
        "standard, clipped at shares",
    ]
)
def half(request: pytest.FixtureRequest) -> Half:
    """A guest's half of every kind of features."""
    made = features(request.param)
    weights = np.random.default_rng(3).normal(0, 0.5, len(made.names))
    named = {"intercept": -2.25} | dict(zip(made.names, weights.tolist(), strict=True))
    return Half("a run", made, named, levels_in(TABLE))


@pytest.fixture
def path(half: Half, tmp_path: Path) -> Path:
    """The half's file."""
    (tmp_path / "model.json").write_text(json.dumps(half.as_json()))
    return tmp_path / "model.json"


def export(path: Path, form: Export) -> str | bytes:
    """Return an export of the file."""
    return exported(path, form, SCALE, "loan book", "id")


def points_of(card: str, table: Table) -> NDArray[np.float64]:
    """Add the points of a scorecard's rows up, as its reader would."""
    total, held = np.zeros(len(table)), {name: column.blank for name, column in table.columns.items()}
    # Special codes hold before intervals do, and `each unit` is for what is left.
    rows = sorted(csv.DictReader(card.splitlines()), key=lambda row: ORDER[row["bin"].partition(" ")[0]])
    for row in rows:
        points, name = float(row["points"]), row["column"]
        if name == "(base)":
            total += points
            continue
        values, blank = table.columns[name].values, table.columns[name].blank
        free = ~held[name]
        if row["bin"] == "blank":
            total += points * blank
            continue
        if row["bin"] == "unseen":
            holds = np.array([v == "moon" for v in values])
        elif row["level"]:
            holds = np.array([v == row["level"] for v in values])
        elif row["bin"].startswith("each unit"):
            total += np.where(free, points * (values - float(row["low"] or 0)), 0.0)
            continue
        else:
            low, high = (float(row[end] or infinite) for end, infinite in (("low", -inf), ("high", inf)))
            holds = free & ((low < values) & (values <= high) if low < high else values == low)
        held[name] = held[name] | holds
        total += points * holds
    return total


def test_the_points_of_a_scorecard_add_up_to_the_halfs_score(half: Half, path: Path) -> None:
    table = with_news(TABLE)
    card = export(path, "scorecard")
    assert isinstance(card, str)
    expected = SCALE.points(half.logit(table))
    assert np.abs(points_of(card, table) - expected).max() < 1e-12 * np.abs(expected).max()


def rows_of(table: Table) -> pd.DataFrame:
    """Return the table as a data frame."""
    return pd.DataFrame({"id": table.ids, **columns_of(table)})


def test_a_sql_query_gives_the_halfs_logit_in_two_databases(half: Half, path: Path) -> None:
    table = with_news(TABLE)
    query = export(path, "sql")
    assert isinstance(query, str)
    rows = rows_of(table)
    with duckdb.connect() as connection:
        connection.execute('create table "loan book" as select * from rows')
        connection.execute('update "loan book" set age = null where isnan(age)')
        found = [connection.execute(query).df()]
    with closing(sqlite3.connect(":memory:")) as connection:
        rows.to_sql("loan book", connection, index=False)
        found.append(pd.read_sql(query, connection))
    expected = half.logit(table)
    for frame in found:
        got = frame.sort_values("id")
        assert got["id"].tolist() == table.ids.tolist()
        assert np.abs(got["logit"].to_numpy() - expected).max() < 1e-12 * np.abs(expected).max()


def test_a_blank_text_in_sql_is_a_blank(half: Half, path: Path) -> None:
    query = export(path, "sql")
    rows = rows_of(TABLE.take(np.arange(5))).assign(**{REGION: ["", "  ", None, "", None], "age": 30.0})
    rows["debt"], rows["rate"] = 5.0, 0.0
    with closing(sqlite3.connect(":memory:")) as connection:
        rows.to_sql("loan book", connection, index=False)
        assert pd.read_sql(query, connection)["logit"].nunique() == 1


def test_an_onnx_graph_gives_the_halfs_logit_from_raw_columns(half: Half, path: Path) -> None:
    table = with_news(TABLE)
    session = onnxruntime.InferenceSession(export(path, "onnx"))
    feed = {}
    for node in session.get_inputs():
        column = table.columns[node.name]
        texts = isinstance(column, Categorical)
        feed[node.name] = np.where(column.blank, "", column.values) if texts else column.values
    feed = {name: values[:, None] for name, values in feed.items()}
    (logit,) = session.run(None, feed)
    assert logit.shape == (N, 1)
    expected = half.logit(table)
    assert np.abs(logit[:, 0] - expected).max() < 1e-12 * np.abs(expected).max()


def test_json_is_the_file_and_what_is_shown_are_its_points(path: Path) -> None:
    assert export(path, "json") == path.read_text()
    shown = described(path, SCALE)
    assert shown["run"] == "a run"
    assert shown["card"][0]["column"] == "(base)"
    assert {row["column"] for row in shown["card"]} == {"(base)", *TABLE.columns}


def test_a_hosts_card_has_no_base_of_the_scale(tmp_path: Path) -> None:
    made = features("woe")
    host = Half("a run", made, dict.fromkeys(made.names, 0.5), levels_in(TABLE))
    (tmp_path / "model.json").write_text(json.dumps(host.as_json()))
    card = export(tmp_path / "model.json", "scorecard")
    assert isinstance(card, str)
    assert np.allclose(points_of(card, TABLE), -host.logit(TABLE) / SCALE.one_point, atol=1e-11)


@pytest.mark.parametrize("form", ["scorecard", "sql", "onnx"])
def test_half_of_the_trees_is_no_score_and_is_not_exported_as_one(form: Export, tmp_path: Path) -> None:
    trees = {"kind": "trees", "run": "a run", "columns": {}, "trees": {}}
    (tmp_path / "model.json").write_text(json.dumps(trees))
    with pytest.raises(ConfigError, match="half of the trees gives no score"):
        export(tmp_path / "model.json", form)


def test_without_onnx_the_export_says_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ConfigError) as error:
        export(path, "onnx")
    assert error.value.hint == "pip install 'vfl[onnx]'"


def test_the_commands_print_and_write_for_the_owner_alone(path: Path) -> None:
    run = CliRunner().invoke
    shown = run(application, ["model", "show", str(path)])
    assert shown.exit_code == 0
    assert max(map(len, shown.output.splitlines())) <= 80
    onnx = path.with_name("half.onnx")
    assert (
        run(application, ["model", "export", str(path), "--format", "onnx", "--output", str(onnx)]).exit_code
        == 0
    )
    assert onnx.stat().st_mode & 0o777 == 0o600
    printed = run(application, ["model", "export", str(path), "--format", "sql", "--table", "t"])
    assert printed.output.endswith('FROM "t";\n')
    refused = run(application, ["model", "export", str(path), "--format", "onnx"])
    assert isinstance(refused.exception, ConfigError)
