"""The section of a party's file on its table: where it is, and what its columns are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from parties.config.features import ColumnBins
from parties.config.generalised import GeneralisedRules
from parties.config.job import Job
from parties.config.models import LogisticRules
from parties.config.place import Place, beside_the_file
from parties.config.schema import Section
from parties.config.yaml import Document
from vfl.table.cells import CellKind


class DatabaseAccess(Section):
    """A database in which the party's customers are, or to which its scores go."""

    url: Annotated[str, AfterValidator(beside_the_file)] = Field(
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
        description="Table to which the guest's scores are appended (id, pd and points or prediction, run, "
        "and what else the job asks for), in place of a file; it is made if it is missing.",
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
        description="The guest's column of labels, 1 = bad and 0 = good, of model.kind logistic and trees.",
        examples=["label"],
    )
    outcome: str | None = Field(
        default=None,
        description="The guest's column with what model.kind linear, poisson or gamma predicts, in place of "
        "label: any number, one from 0, or one above 0.",
    )
    split: str | None = Field(
        default=None,
        description="The guest's column with the values train and test; without one every row trains.",
    )
    weight: str | None = Field(
        default=None,
        description="The guest's column with what each training row counts: numbers from 0. In trees besides "
        "scale_pos_weight, with it 1000 at most, in steps of 2^-24; hosts learn the largest, to a power of "
        "two: SlotSize says so, and bins and measures count every row once. In linear, poisson and gamma "
        "such as the number of claims behind a mean, of any scale: ResidualScale depends on it. In logistic "
        "such as what a sampled row stands for, of any scale: hosts meet none; bins, WOE, information values "
        "and measures count every row once. It then takes an arbiter and not model.cv, sigmoid taylor, "
        "gradient_bits or standard_errors.",
    )
    offset: str | None = Field(
        default=None,
        description="The guest's column with what is known of linear, poisson or gamma's linear predictor: "
        "it is added as it is. Predictions of later customers are those with an offset of 0.",
    )
    exposure: str | None = Field(
        default=None,
        description="The guest's column with the time or size that poisson's counts come of, such as years "
        "insured: numbers above 0, whose logarithm is the offset. Predictions are for an exposure of 1.",
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


def check_data(data: Data | None, role: str, job: Job, document: Document) -> None:
    """Refuse a table that a role does not have, and columns that the job's model has no use for."""
    if role == "arbiter":
        if data is not None:
            raise document.error(("data",), "an arbiter holds no data", "remove the section")
        return
    if data is None:
        raise document.error(("data",), "missing", f"a {role} needs a table")
    _check_sources(data, role, document)
    for key in ("label", "outcome", "split", "weight", "offset", "exposure", "segment"):
        if role == "host" and getattr(data, key) is not None:
            raise document.error(
                ("data", key),
                f"only the guest has {'an' if key[0] in 'oe' else 'a'} {key}",
                "remove the key, and name the column under data.drop",
            )
    if role == "guest":
        _check_outcome(data, job, document)
    if role == "host" and data.month is not None and job.model.kind == "trees":
        what = "a host of trees has nothing to say by month"
        raise document.error(("data", "month"), what, "remove the key, and name the column under data.drop")
    _check_bins(data, job, document)


def _check_outcome(data: Data, job: Job, document: Document) -> None:
    """Refuse a guest's table without what the job's model predicts, or with what it does not take."""
    kind, amounts = job.model.kind, isinstance(job.model, GeneralisedRules)
    if amounts and data.outcome is None:
        hint = f"name the column that model.kind {kind} predicts"
        raise document.error(("data", "outcome"), "missing", hint)
    if not amounts and data.label is None:
        raise document.error(("data", "label"), "missing", "the guest holds the labels: name their column")
    others, labels = "linear, poisson or gamma", "logistic or trees"
    taken = {
        "label": (not amounts, labels),
        "segment": (not amounts, labels),
        "outcome": (amounts, others),
        "offset": (amounts, others),
        "exposure": (kind == "poisson", "poisson"),
    }
    for key, (fits, kinds) in taken.items():
        if not fits and getattr(data, key) is not None:
            what = f"model.kind {kind} takes no {key}"
            hint = f"remove the key, and name the column under data.drop; or train with model.kind: {kinds}"
            raise document.error(("data", key), what, hint)
    if data.weight is not None and isinstance(job.model, LogisticRules):
        _check_weight(job, job.model, document)
    if data.offset is not None and data.exposure is not None:
        hint = "add the exposure's logarithm to the offset, and keep that"
        raise document.error(("data", "offset"), "data.exposure is an offset already", hint)


def _check_weight(job: Job, model: LogisticRules, document: Document) -> None:
    """Refuse weights beside what a logistic regression has of rows that count once alone."""
    beside = {
        "a job without an arbiter": not job.arbiter,
        "model.cv": model.cv is not None,
        "model.sigmoid taylor": model.sigmoid == "taylor",
        "disclosure.gradient_bits": job.disclosure.gradient_bits is not None,
        "disclosure.standard_errors": job.disclosure.standard_errors,
    }
    for what, is_there in beside.items():
        if is_there:
            hint = "remove the key, and name the column under data.drop; or agree on another job"
            raise document.error(("data", "weight"), f"does not go with {what}", hint)


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
