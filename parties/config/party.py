"""The party's own file: its table, its addresses, its keys.  No other party sees it.

Paths are relative to the file's folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from parties.config.features import ColumnBins
from parties.config.job import Job
from parties.config.place import Place, beside
from parties.config.policy import PolicyRules
from parties.config.resources import Compute, Timeouts, check_compute
from parties.config.schema import Section, validated
from parties.config.scores import ScoreRules, check_scores
from parties.config.yaml import Document, dump, load
from vfl.table.cells import CellKind


def address(text: str) -> str:
    """Return host:port if the text is one, else raise ValueError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f'"{text[:60]}" is no address: host:port')
    return text


Address = Annotated[str, AfterValidator(address)]


def _beside_the_file(url: str, info: ValidationInfo) -> str:
    """Return a URL that finds its file from anywhere; refuse one that holds a password."""
    scheme, slashes, rest = url.partition("://")
    if not re.fullmatch(r"[a-z][a-z0-9]*(\+[a-z0-9_]+)?:?", scheme):
        raise ValueError("is no database's URL, such as postgresql+psycopg://user@host/name")
    login = rest.split("/", 1)[0].rpartition("@")[0]
    if ":" in login or "password=" in rest.lower():
        raise ValueError("must not hold a password: say where it is with password_env or password_file")
    if scheme.split("+")[0] in ("sqlite", "duckdb") and rest not in ("", "/", "/:memory:"):
        return f"{scheme}{slashes}/{beside(Path(rest.removeprefix('/')), info).resolve()}"
    return url


class DatabaseAccess(Section):
    """A database in which the party's customers are, or to which its scores go."""

    url: Annotated[str, AfterValidator(_beside_the_file)] = Field(
        description="The database as SQLAlchemy names it, without a password; or duckdb:///FILE; or duckdb: "
        "alone, for queries over Parquet and CSV files. A relative FILE starts at this file's folder.",
        examples=["postgresql+psycopg://risk@db.example.org/risk"],
    )
    password_env: str | None = Field(
        default=None, description="Environment variable that holds the password."
    )
    password_file: Place | None = Field(default=None, description="File that holds the password alone.")
    folder: Place = Field(
        default=Path(),
        validate_default=True,
        description="Folder from which paths of files in a DuckDB query start.",
    )
    train: str | None = Field(
        default=None,
        description="Query whose rows are the table, in place of data.table. From CSV in DuckDB take ids as "
        "texts: from read_csv('bank/*.csv', all_varchar = true).",
    )
    score: str | None = Field(
        default=None, description="Query whose rows are the customers to score, in place of data.score."
    )
    scores: str | None = Field(
        default=None,
        description="Table to which the guest's scores are appended (id, pd, points, run, and what "
        "else the job asks for), in place of a file; it is made if it is missing.",
    )


class Data(Section):
    """The party's table."""

    table: Place | None = Field(
        default=None,
        description="CSV or Parquet file, one row per customer; or see database.train.",
        examples=["bank.csv"],
    )
    id: str = Field(default="id", description="Column with the customer's id, read as text.")
    label: str | None = Field(
        default=None,
        description="Column with the outcome, 1 = bad and 0 = good. The guest's, and only the guest's.",
        examples=["label"],
    )
    split: str | None = Field(
        default=None,
        description="The guest's column with the values train and test; without one every row trains.",
    )
    weight: str | None = Field(
        default=None,
        description="The guest's column with what each training row counts in trees, besides "
        "scale_pos_weight: numbers from 0 in steps of 2^-24, with it 1000 at most. Bins and measures count "
        "every row once. Hosts learn the largest weight, to a power of two: SlotSize says so. "
        "model.kind logistic takes none.",
    )
    segment: str | None = Field(
        default=None,
        description="The guest's column with each customer's segment, such as a product or a channel: the "
        "report measures both models in each. It is no input of the model.",
    )
    month: str | None = Field(
        default=None,
        description="A party's own column of dates (2027-06-30 or 2027-06), such as the application's: "
        "run.json and the report say by month how far the score and its own columns have moved. It is no "
        "input of the model, and no other party learns it. A host of trees has nothing to say by month.",
    )
    drop: tuple[str, ...] = Field(default=(), strict=False, description="Columns that take no part.")
    categorical: tuple[str, ...] = Field(
        default=(), strict=False, description="Columns that are categories although they look like numbers."
    )
    types: dict[str, CellKind] = Field(
        default={},
        description="What columns hold, where that must not be inferred. number: any other cell is an error. "
        "category: as in categorical. date: days since 1970-01-01, from 2027-06-30. id, text: texts "
        "that take no part.",
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        description="The only columns that take part; empty means all but the dropped.",
    )
    bins: dict[str, ColumnBins] = Field(
        default={},
        description="What is said of single columns' bins, by column; of regressions.",
        examples=[{"income": {"cuts": [1000.0, 2500.0, 4000.0], "special": [-1]}}],
    )
    score: Place | None = Field(
        default=None, description="Table of the customers to score; without one the training table is scored."
    )
    database: DatabaseAccess | None = Field(
        default=None, description="Database in place of files; needs `pip install 'vfl[sql]'`."
    )


class Identity(Section):
    """What the party proves itself with."""

    certificate: Place = Field(description="The party's certificate (PEM).", examples=["bank.crt"])
    key: Place = Field(
        description="Its private key (PEM), readable by the owner alone.", examples=["bank.key"]
    )


class Link(Section):
    """How another party is reached and known."""

    dial: Address | None = Field(
        default=None, description="The peer's host:port; empty waits until the peer dials this party."
    )
    certificate: Place = Field(
        description="The peer's certificate (PEM), which must be the one the job pins.",
        examples=["insurer.crt"],
    )


def _store(text: str, info: ValidationInfo) -> str:
    return _beside_the_file(text, info) if "://" in text else str(beside(Path(text), info).resolve())


class Tracking(Section):
    """Where the guest's trainings are logged besides its own folder."""

    mlflow: Annotated[str, AfterValidator(_store)] = Field(
        description="MLflow's tracking server, database or folder: https://.., sqlite:///FILE, a path.",
        examples=["https://mlflow.example.org"],
    )
    experiment: str = Field(default="vfl", description="Experiment under which runs are kept.")


class Report(Section):
    """What the guest's report is to show."""

    cutoff: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="PD from which customers are refused, for the counts at a cutoff and for the swap set. "
        "Empty takes the bad rate of the rows that are measured.",
    )


class Party(Section):
    """A party's file."""

    vfl: Literal[1] = Field(description="Version of this file's format.", examples=[1])
    party: str = Field(description="Which party of the job this is.", examples=["bank"])
    data: Data | None = Field(default=None, description="The party's table. The arbiter has none.")
    listen: Address | None = Field(
        default=None,
        description="Address on which other parties reach this one. Not needed where nobody dials.",
        examples=["0.0.0.0:7443"],
    )
    identity: Identity = Field(description="The party's certificate and key.")
    peers: dict[str, Link] = Field(
        description="Every other party of the job by its name; of a host, every one but the other hosts.",
        examples=[
            {
                "insurer": {"dial": "insurer.example.org:7443", "certificate": "insurer.crt"},
                "trustee": {"dial": "trustee.example.org:7443", "certificate": "trustee.crt"},
            }
        ],
    )
    compute: Compute = Field(default=Compute(), description="Where the party's work is done.")
    timeouts: Timeouts = Field(default=Timeouts(), description="How long to wait.")
    out: Place = Field(
        default=Path("runs"),
        validate_default=True,
        description="Folder in which models, scores and reports are put.",
    )
    report: Report = Field(default=Report(), description="What the guest's report is to show.")
    tracking: Tracking | None = Field(
        default=None,
        description="Logs the guest's trainings with MLflow: terms, measures, and what is in its own folder. "
        "Needs `pip install 'vfl[mlflow]'`.",
    )
    scores: ScoreRules = Field(
        default=ScoreRules(), description="What the guest's scores say besides PD and points."
    )
    policy: PolicyRules = Field(
        default=PolicyRules(),
        description="What this party takes part in at all: a job that goes beyond it is refused.",
    )
    approvals: Place = Field(
        default=Path("approvals"),
        validate_default=True,
        description="Folder of signed approvals: this party's own, by `vfl approve`, and the others'.",
    )
    state: Place = Field(
        default=Path("state"),
        validate_default=True,
        description="Folder in which the party keeps what outlasts its runs, under its name and for its "
        "owner alone: its audit log, runs counted, approvals withdrawn.",
    )

    @classmethod
    def load(cls, path: Path, job: Job) -> Party:
        """Return the party in a file, which must have its part in the job."""
        document = load(path)
        party = validated(cls, document, {"folder": path.parent})
        _check_part(party, job, document)
        _check_data(party, job, document)
        _check_peers(party, job, document)
        check_compute(party.compute, document)
        check_scores(party.scores, job.guest == party.party, job, document)
        if party.tracking and job.guest != party.party:
            raise document.error(("tracking",), "only the guest's trainings are logged", "remove the section")
        if party.report != Report() and job.guest != party.party:
            raise document.error(("report",), "only the guest has a report", "remove the section")
        return party

    def dump(self, path: Path) -> None:
        """Write the party with every default filled in and its paths made absolute."""
        dump(self.model_dump(mode="json"), path)


def _check_part(party: Party, job: Job, document: Document) -> None:
    if party.party not in job.parties:
        raise document.error(
            ("party",),
            f'the job {job.job} has no party "{party.party}"',
            f"its parties are {', '.join(sorted(job.parties))}",
        )


def _check_data(party: Party, job: Job, document: Document) -> None:
    role = job.parties[party.party].role
    if role == "arbiter":
        if party.data is not None:
            raise document.error(("data",), "an arbiter holds no data", "remove the section")
        return
    if party.data is None:
        raise document.error(("data",), "missing", f"a {role} needs a table")
    _check_sources(party.data, role, document)
    if role == "guest" and party.data.label is None:
        raise document.error(("data", "label"), "missing", "the guest holds the labels: name their column")
    for key in ("label", "split", "weight", "segment"):
        if role == "host" and getattr(party.data, key) is not None:
            raise document.error(
                ("data", key),
                f"only the guest has a {key}",
                "remove the key, and name the column under data.drop",
            )
    if party.data.weight is not None and job.model.kind != "trees":
        what = f"model.kind {job.model.kind} takes no weights"
        hint = "remove the key, and name the column under data.drop; or train with model.kind: trees"
        raise document.error(("data", "weight"), what, hint)
    if role == "host" and party.data.month is not None and job.model.kind == "trees":
        what = "a host of trees has nothing to say by month"
        raise document.error(("data", "month"), what, "remove the key, and name the column under data.drop")
    _check_bins(party.data, job, document)


def _check_bins(data: Data, job: Job, document: Document) -> None:
    """Refuse what is said of a column's bins and would not be heeded."""
    rules = job.features
    for name, said in data.bins.items():
        if job.model.kind == "trees":
            what, hint = "trees have bins of their own", "remove the section"
            raise document.error(("data", "bins", name), what, hint)
        if rules.kind == "standard" and (said.cuts or said.trend):
            what, hint = "features.kind standard has no bins", "leave `special` alone, whose codes are blanks"
            raise document.error(("data", "bins", name), what, hint)
        if said.trend and (rules.binning != "optimal" or said.cuts):
            what = "is for columns that are merged: features.binning optimal, without cuts of their own"
            raise document.error(("data", "bins", name, "trend"), what, "remove the key")


def _check_sources(data: Data, role: str, document: Document) -> None:
    """Refuse a table or a batch that is named twice, and a table that is named nowhere."""
    database = data.database
    for key, path, query in (
        ("table", data.table, database and database.train),
        ("score", data.score, database and database.score),
    ):
        if path and query:
            asked = "train" if key == "table" else key
            what = f"data.database.{asked} names the same rows"
            raise document.error(("data", key), what, "keep one of the two")
    if data.table is None and not (database and database.train):
        hint = "name a CSV or Parquet file, or give a query: data.database.train"
        raise document.error(("data", "table"), "missing", hint)
    if database and database.password_env and database.password_file:
        place = ("data", "database", "password_file")
        raise document.error(place, "the password is in password_env already", "keep one of the two")
    if role == "host" and database and database.scores:
        raise document.error(("data", "database", "scores"), "only the guest learns scores", "remove the key")


def _check_peers(party: Party, job: Job, document: Document) -> None:
    others = set(job.peers_of(party.party))
    for name in party.peers:
        if name not in others:
            what = f"is no party of the job {job.job}"
            if name in job.parties:
                what = "is this party itself" if name == party.party else "is a host too: hosts do not meet"
            raise document.error(("peers", name), what, f"the peers are {', '.join(sorted(others))}")
    for name in sorted(others - set(party.peers)):
        raise document.error(("peers",), f"{name} is missing", "say how each other party is reached")
    for name, link in party.peers.items():
        if link.dial is None and party.listen is None:
            raise document.error(
                ("peers", name),
                f"{name} cannot be reached: this party neither dials it nor listens",
                f"give peers.{name}.dial, or listen",
            )
    _check_directions(party, job, document)


def _check_directions(party: Party, job: Job, document: Document) -> None:
    """Refuse a guest that waits for a peer, and anybody else on whom the guest cannot call."""
    if job.parties[party.party].role == "guest":
        for name, link in party.peers.items():
            if link.dial is None:
                hint = f"give the address on which {name} listens: peers.{name}.dial"
                raise document.error(("peers", name), "the guest begins every run, so it dials", hint)
    elif party.listen is None:
        hint = "give the address on which this party listens"
        raise document.error(("listen",), "missing: the guest dials this party", hint)
