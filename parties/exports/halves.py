"""A model.json as any of the exports, and what it holds in plain values."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Literal

from parties.exports.card import Card
from parties.exports.graph import onnx_graph
from parties.exports.scorecard import scorecard_csv
from parties.exports.sql import sql_query
from parties.programs.model import Half
from parties.programs.stored import SAID, kind_of
from parties.programs.trees_model import TreeHalf
from vfl.errors import ConfigError
from vfl.stats.scorecard import Scorecard
from vfl.trees.model import GuestTrees, HostTrees

Export = Literal["json", "scorecard", "sql", "onnx"]


def exported(path: Path, form: Export, scale: Scorecard, table: str, id: str) -> str | bytes:
    """Return a half in another form; raise ConfigError for trees, of which a half gives no score."""
    if form == "json":
        kind_of(path)
        return path.read_text(encoding="utf-8")
    card = _card(path, form)
    match form:
        case "scorecard":
            if card.kind != "logistic":
                what = f"{SAID[card.kind]} predicts an amount, and has no points"
                raise ConfigError("--format scorecard", what, "export it as sql, onnx or json")
            return scorecard_csv(card, scale)
        case "sql":
            return sql_query(card, table, id)
        case "onnx":
            return onnx_graph(card)


def described(path: Path, scale: Scorecard) -> dict[str, Any]:
    """Return what a half holds: points by bin, or how many splits of trees are whose."""
    kind = kind_of(path)
    if kind == "trees":
        return _splits(path) | {"kind": kind, "said": SAID[kind]}
    card = _card(path, "card")
    if card.kind != "logistic":
        weights = Half.load(path, card.kind).weights
        return {"kind": kind, "said": SAID[kind], "run": card.run, "coefficients": weights}
    rows = csv.DictReader(scorecard_csv(card, scale).splitlines())
    shown = [
        {"column": row["column"], "bin": row["bin"], **{key: float(row[key]) for key in ("logit", "points")}}
        for row in rows
    ]
    return {"kind": kind, "said": SAID[kind], "run": card.run, "card": shown}


def _card(path: Path, form: str) -> Card:
    kind = kind_of(path)
    if kind == "trees":
        what = "a leaf is found by every party's splits on the way to it, so half of the trees gives no score"
        raise ConfigError(f"--format {form}", what, "export them as json, and score with vfl guest score")
    return Card.of(Half.load(path, kind))


def _splits(path: Path) -> dict[str, Any]:
    """Return the run, the number of trees, and the own columns' splits."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if "start" in data["trees"]:
        guests = TreeHalf.load(path, GuestTrees)
        chosen = [split for tree in guests.trees.trees for split in tree.chosen.values()]
        own = [one.split.column for one in chosen if not one.party]
        run, bins, count = guests.run, guests.trees.bins, len(guests.trees.trees)
    else:
        hosts = TreeHalf.load(path, HostTrees)
        own = [split.column for tree in hosts.trees.trees for split in tree.values()]
        run, bins, count = hosts.run, hosts.trees.bins, len(hosts.trees.trees)
    return {"run": run, "trees": count, "columns": {name: own.count(j) for j, name in enumerate(bins.of)}}
