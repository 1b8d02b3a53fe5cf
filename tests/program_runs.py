"""The programs of a small job, driven in memory: no process, no file, no wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seeded import Seeded

from parties.config.data import Data
from parties.config.features import ColumnBins
from parties.config.job import Job
from parties.config.party import Identity, Party
from parties.config.resources import Compute
from parties.config.schema import validated
from parties.config.yaml import parse
from parties.programs import arbiter, host
from parties.programs.earlier import Earlier
from parties.programs.run import Run
from parties.programs.training import training
from parties.programs.trees.guest import training as grow_as_guest
from parties.programs.trees.host import training as grow_as_host
from parties.progress import Silent
from vfl.crypto.randomness import Randomness
from vfl.linear.sigmoid import sigmoid
from vfl.table.table import Categorical, Numeric, Table
from vfl.wire.certificates import create_identity, fingerprint, save_identity
from vfl.wire.memory import Transcript, run_in_memory

JOB = """\
vfl: 1
job: small
purpose: "A job for tests."
parties:
  bank: {role: guest}
  insurer: {role: host}
  trustee: {role: arbiter}
"""

SHORT = "encryption: {randomiser_bits: 320}\n"

Wishes = Mapping[str, dict[str, Any]]
"""What a party's file says of its columns' bins: the keys of data.bins by column."""

CUSTOMERS = 420
TRAIN = 340


def job(more: str = "", allow: Iterable[str] = ()) -> Job:
    """Return the small job; `more`: sections as YAML.

    Randomisers are the shortest that there are where these do not say: they take most of a run's time.
    """
    short = "" if "encryption:" in more else SHORT
    text = f"{JOB}{more}\n{short}gates: {{allow: [{', '.join(allow)}]}}\n"
    return validated(Job, parse(text, Path("job.yaml")))


def pinned(agreed: Job, folder: Path) -> Job:
    """Return the job with a certificate pinned for everybody, made in a folder."""
    parties = {}
    for name, own in agreed.parties.items():
        identity = create_identity(name)
        save_identity(identity, folder)
        parties[name] = own.model_copy(update={"certificate": fingerprint(identity.certificate_pem)})
    return agreed.model_copy(update={"parties": parties})


def party(name: str, score: Path | None = None, bins: Wishes | None = None) -> Party:
    """Return a party whose file says as little as possible, and its wishes for columns' bins."""
    nowhere = Path("nowhere")
    own = {column: ColumnBins(**said) for column, said in (bins or {}).items()}
    data = None if name == "trustee" else Data(table=nowhere, label="label", score=score, bins=own)
    identity, compute = Identity(certificate=nowhere, key=nowhere), Compute(processes=1)
    return Party(vfl=1, party=name, data=data, identity=identity, peers={}, compute=compute)


def run_of(
    agreed: Job,
    name: str,
    *,
    task: str = "train",
    id: str = "run 1",
    score: Path | None = None,
    bins: Wishes | None = None,
    state: Path | None = None,
    rng: Randomness | None = None,
) -> Run:
    """Return a run as a party begins it; `state`: where the parties keep their earlier runs, if they do."""
    earlier = Earlier(state / name) if state else None
    return Run.begin(agreed, party(name, score, bins), id, task, Silent(), earlier=earlier, rng=rng)


def tables() -> tuple[Table, Table]:
    """Return the bank's and the insurer's tables: common customers in two orders, few of each alone.

    Every value is shared by 50 training rows at least, none is far out, and each class is in every
    bin: no gate has anything against them.
    """
    rng = np.random.default_rng(8)
    n = CUSTOMERS
    columns = {name: rng.integers(0, 3, n).astype(np.float64) for name in ("income", "tenure", "claims")}
    columns |= {"age": rng.normal(40, 9, n).round(2), "premium": rng.normal(500, 90, n).round(1)}
    region = np.array(["north", "south", "west"], object)[rng.integers(0, 3, n)]
    logit = columns["income"] - columns["claims"] + (columns["age"] - 40) / 12 + (region == "west") - 0.5
    label = (rng.random(n) < sigmoid(logit)).astype(np.int8)
    split = np.array(["train"] * TRAIN + ["test"] * (n - TRAIN), object)
    ids = np.array([f"c{k:04d}" for k in range(n)], object)
    own = {name: Numeric(columns[name]) for name in ("income", "tenure", "age")}
    theirs = {name: Numeric(columns[name]) for name in ("claims", "premium")} | {
        "region": Categorical(region)
    }
    bank = Table(ids, dict(own), label, split, "bank.csv")
    insurer = Table(ids, dict(theirs), None, None, "insurer.csv")
    return bank.take(rng.permutation(n)[:-5]), insurer.take(rng.permutation(n)[:-5])


def changed(table: Table, name: str, values: NDArray[Any]) -> Table:
    """Return the table with another column, by customer in the order of their ids."""
    place = np.array([int(customer[1:]) for customer in table.ids])
    column = Categorical(values[place]) if values.dtype == object else Numeric(values[place])
    return replace(table, columns=table.columns | {name: column})


def by_id(table: Table) -> Table:
    """Return the rows of customers that both parties have, in the order of their ids."""
    common = sorted(set(BANK.ids) & set(INSURER.ids))
    place = {customer: row for row, customer in enumerate(table.ids)}
    return table.take(np.array([place[customer] for customer in common]))


def few_bads(bank: Table) -> Table:
    """Return the bank with a dozen bads."""
    return replace(bank, label=np.array([int(c[1:]) % 28 == 0 for c in bank.ids], np.int8))


def two_columns(insurer: Table) -> Table:
    """Return the insurer with two columns."""
    return replace(insurer, columns={name: insurer.columns[name] for name in ("claims", "premium")})


def weighted(weight: NDArray[np.float64]) -> Table:
    """Return the bank with weights, by customer in the order of their ids."""
    return replace(BANK, weight=weight[[int(customer[1:]) for customer in BANK.ids]])


def train(
    agreed: Job,
    bank: Table,
    insurer: Table,
    bins: Mapping[str, Wishes] = MappingProxyType({}),
    *,
    id: str = "run 1",
    state: Path | None = None,
    seeded: bool = False,
) -> tuple[Any, Any, Transcript]:
    """Return what a training leaves at both parties, and what was sent; `bins`: wishes by party.

    `seeded`: the same training is drawn alike whenever it is run.
    """
    names = ("bank", "insurer", "trustee")
    runs = {
        name: run_of(
            agreed, name, id=id, bins=bins.get(name), state=state, rng=Seeded(seed) if seeded else None
        )
        for seed, name in enumerate(names)
    }
    grows = agreed.model.kind == "trees"
    roles = {
        "bank": (grow_as_guest if grows else training)(runs["bank"], bank),
        "insurer": (grow_as_host if grows else host.training)(runs["insurer"], insurer),
        "trustee": arbiter.training(runs["trustee"]),
    }
    told = run_in_memory(roles)
    for name in ("bank", "insurer"):
        told.results[name].facts["gates_overridden"] = runs[name].gates.overridden
        told.results[name].facts["warnings"] = runs[name].warnings
    return told.results["bank"], told.results["insurer"], told


BANK, INSURER = tables()
