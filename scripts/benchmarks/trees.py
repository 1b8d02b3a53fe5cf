"""Boosted trees of a real set through `vfl local`: the pooled ones node by node, beside xgboost's time.

Every party is a process of its own; the first tree is grown from all columns, as xgboost does.  Held
against three things:

    the pooled table's trees by our own grower     every split, gain and leaf, to the last bit
    the published scores of xgboost and of a       50 trees of depth 4: AUC, KS, and 99.9 % of the
    float64 reference, whichever is nearer         test rows' PDs to 1e-4 (3,500 rows or more)
    seconds                                        of the sets that have a limit

    scripts/bench trees --set default_credit_3p    two hosts
    scripts/bench trees --set give_credit --without-arbiter
    scripts/bench trees --set fate_default_credit --hidden    beside the same job with rows shown

xgboost joins in where it is installed: pip install xgboost into the same environment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.benchmarks.measuring.answer import add_json, answer, number
from scripts.benchmarks.measuring.comparison import Comparison
from scripts.benchmarks.real.jobs import on_real_tables, run
from scripts.benchmarks.real.tree_jobs import FATE, TREE_SETS, TreeCase
from scripts.benchmarks.real.tree_oracle import Pooled
from vfl.stats.metrics import evaluate
from vfl.trees.model import GuestTrees, HostTrees
from vfl.trees.tree import Tree

REFERENCES = ("xgb_prebin32_T1", "ref64_T1")
NEAR = 1e-4
"""Within this a PD counts as the same."""
MANY = 3500
"""Rows from which on single scores are compared: with fewer a tie between splits moves many of them."""
AUC = {"german": 1e-3, "breast": 2e-3}
"""Largest difference of the AUC, 5e-4 but for these."""
SECONDS = {FATE: ("seconds_per_tree", 5.4), "give_credit": ("training_seconds", 240.0)}
"""What may not take longer, of the usual trees."""


def halves(case: TreeCase, out: Path) -> tuple[GuestTrees, list[HostTrees]]:
    """Return what the parties of a finished run keep."""
    guest = GuestTrees.from_json(_read(out, "guest", "model")["trees"])
    return guest, [HostTrees.from_json(_read(out, host, "model")["trees"]) for host in case.hosts]


def _read(out: Path, party: str, name: str) -> Any:
    return json.loads((out / party / f"{name}.json").read_text(encoding="utf-8"))


def same_trees(
    guest: GuestTrees, hosts: list[HostTrees], pooled: Pooled, grown: list[Tree]
) -> Iterator[Comparison]:
    """Yield how many trees and nodes there are, and how many of the halves differ from the pooled ones."""
    yield Comparison("trees", len(guest.trees), len(grown), 0)
    yield Comparison("splits and leaves", _nodes(guest.trees), _nodes(grown), 0)
    yield Comparison("nodes that differ", nodes_apart(guest.trees, grown), 0, 0)
    wanted = [[tree.splits_of(party) for tree in grown] for party in range(1, len(hosts) + 1)]
    yield Comparison(
        "halves that differ", sum(h.trees != w for h, w in zip(hosts, wanted, strict=True)), 0, 0
    )
    bins = [half.bins for half in (guest, *hosts)]
    yield Comparison(
        "tables whose bins differ", sum(a != b for a, b in zip(bins, pooled.bins, strict=True)), 0, 0
    )


def _nodes(trees: list[Tree]) -> int:
    return sum(len(tree.chosen) + len(tree.leaves) for tree in trees)


def nodes_apart(ours: list[Tree], theirs: list[Tree]) -> int:
    """Return how many splits and leaves are not the same, gains, covers and logits to the last bit."""
    apart = 0
    for here, there in zip_longest(ours, theirs, fillvalue=Tree()):
        for a, b in ((here.chosen, there.chosen), (here.leaves, there.leaves)):
            apart += len(dict(a.items() ^ b.items()))
    return apart


def same_scores(case: TreeCase, ours: pd.DataFrame, published: pd.DataFrame) -> Iterator[Comparison]:
    """Yield the test rows' AUC and KS beside the nearer reference's, and the share of PDs that are the same.

    Both tables are indexed by id.
    """
    both = published.join(ours["pd"], how="inner")
    apart = {name: (both["pd"] - both[name]).abs().to_numpy() for name in REFERENCES}
    name = max(apart, key=lambda one: float((apart[one] <= NEAR).mean()))
    label = both["label"].to_numpy()
    here, there = (evaluate(label, both[column].to_numpy()) for column in ("pd", name))
    yield Comparison("test rows scored", len(both), len(published), 0)
    yield Comparison(f"test AUC ({name})", here["auc"], there["auc"], AUC.get(case.name, 5e-4))
    if len(ours) >= MANY:
        yield Comparison("test KS", here["ks"], there["ks"], 1e-3)
        yield Comparison("share of test PDs within 1e-4", float((apart[name] <= NEAR).mean()), 1.0, 1e-3)


def cost(case: TreeCase, out: Path) -> dict[str, Any]:
    """Return seconds, CPU seconds, bytes and memory of a finished training."""
    folders = {"guest": "guest", **{host: host for host in case.hosts}}
    if case.arbiter:
        folders["arbiter"] = "arbiter"
    reports = {party: _read(out, folder, "run") for party, folder in folders.items()}
    guest = reports["guest"]
    each = [tree["seconds"] for tree in guest["trees"]["each"]]
    sent = [phase["sent"] for report in reports.values() for phase in report["phases"].values()]
    return {
        "rows": guest["rows"],
        "seconds_per_tree": statistics.median(each),
        "slowest_tree": max(each),
        "training_seconds": guest["seconds"],
        "phases": {name: phase["seconds"] for name, phase in guest["phases"].items()},
        "cpu_seconds": {party: report["cpu_seconds"] for party, report in reports.items()},
        "peak_memory_mb": {party: report["peak_memory_mb"] for party, report in reports.items()},
        "sent": sum(sent),
        "disclosed": guest["trees"]["disclosed"],
        "gates_overridden": guest["gates_overridden"],
    }


def measured(case: TreeCase, folder: Path) -> dict[str, Any]:
    """Run the job in `folder`, grow its pooled peers, and return everything that is printed."""
    if case.hidden:
        shown = replace(case, hidden=False)
        run(shown.write(folder / "shown"), folder / "shown" / "out")
        beside = cost(shown, folder / "shown" / "out")
    begun = time.perf_counter()
    run(case.write(folder), folder / "out")
    seconds = time.perf_counter() - begun
    pooled = Pooled.read(case)
    held = list(same_trees(*halves(case, folder / "out"), pooled, pooled.grown(case)))
    if case.scores:
        published = pd.read_csv(case.scores, dtype={"id": str}).set_index("id")
        held += same_scores(
            case, pd.read_parquet(folder / "out" / "guest" / "scores.parquet").set_index("id"), published
        )
    found = cost(case, folder / "out") | {"seconds": seconds, "xgboost_seconds": pooled.xgboost_seconds(case)}
    if case.hidden:
        found["shown"] = beside
    return {"case": asdict(case), "comparisons": held, "columns": [c.shape[1] for c in pooled.codes], **found}


def limits(found: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Return what may not take longer, what it took, and the most that it may take."""
    case = found["case"]
    if case["name"] not in SECONDS or TreeCase(**case) != TreeCase.usual(
        case["name"], arbiter=case["arbiter"]
    ):
        return []
    what, most = SECONDS[case["name"]]
    return [(what, found[what], most)]


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the table of a run."""
    case, rows = found["case"], sum(found["rows"].values())
    width = " + ".join(map(str, found["columns"]))
    key = "an arbiter's key" if case["arbiter"] else "the guest's key"
    yield f"{case['name']}, {rows:,} x ({width}), {case['trees']} trees of depth {case['depth']}, {key}"
    yield ""
    yield f"{'':40}{'vfl':>12}{'pooled':>12}{'apart':>10}{'limit':>9}"
    yield from (c.line for c in found["comparisons"])
    yield ""
    peer = found["xgboost_seconds"]
    pooled = [None if peer is None else s for s in (peer and peer / case["trees"], peer)]
    yield f"{'seconds':24}{'vfl':>12}{'xgboost':>12}{'ratio':>10}"
    ours = found["seconds_per_tree"], found["training_seconds"]
    for what, mine, theirs in zip(("a tree, the median", "training"), ours, pooled, strict=True):
        ratio = number(theirs and mine / theirs, 10)
        yield f"{what:24}{mine:12.2f}{number(theirs, 12)}{ratio}"
    yield f"{'a tree, the slowest':24}{found['slowest_tree']:12.2f}"
    if case["hidden"]:
        shown = found["shown"]["seconds_per_tree"]
        yield f"{'a tree, rows shown':24}{shown:12.2f}{'':12}{found['seconds_per_tree'] / shown:10.2f}"
    yield from (f"  {name:22}{seconds:12.2f}" for name, seconds in found["phases"].items())
    yield f"{'with scoring':24}{found['seconds']:12.2f}"
    yield ""
    yield "CPU seconds   " + ", ".join(f"{party} {s:.1f}" for party, s in found["cpu_seconds"].items())
    yield "peak memory   " + ", ".join(f"{party} {mb} MB" for party, mb in found["peak_memory_mb"].items())
    yield f"sent          {found['sent'] / 1e6:.1f} MB"
    for host, told in found["disclosed"].items():
        yield (
            f"of {host}'s rows the guest learns {told['equations_per_row']:.2f} equations on bins "
            f"and {told['split_bits_per_row']:.1f} bits each"
        )
    for what, took, most in limits(found):
        yield f"{what.replace('_', ' ')} {took:.2f}, at most {most:g}{'' if took <= most else '  MISSED'}"


def main() -> None:
    """Print the table, or JSON; exit with 1 if a limit is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=TREE_SETS, required=True)
    parser.add_argument("--without-arbiter", action="store_true", help="the guest has the key")
    parser.add_argument("--hidden", action="store_true", help="hosts see no rows of nodes")
    parser.add_argument("--trees", type=int, help=f"50; 20 of {FATE}")
    parser.add_argument("--depth", type=int, help=f"4; 5 of {FATE}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the job and every party's folder")
    add_json(parser)
    options = parser.parse_args()
    case = TreeCase.usual(
        options.set, arbiter=not options.without_arbiter, trees=options.trees, depth=options.depth
    )
    case = replace(case, hidden=options.hidden)
    found = on_real_tables(parser, case.files.values(), options.out, partial(measured, case))
    met = all(c.met for c in found["comparisons"]) and all(took <= most for _, took, most in limits(found))
    plain = found | {"comparisons": [c.as_json() for c in found["comparisons"]]}
    answer(plain, lines(found), options.json)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
