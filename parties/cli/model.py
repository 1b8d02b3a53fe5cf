"""`vfl model`: a party's half of a model, read and in other programs' words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.tables import shortened, table
from parties.cli.voice import Format, FormatOption, results
from vfl.errors import ConfigError

if TYPE_CHECKING:
    from vfl.stats.scorecard import Scorecard

ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The model.json that a training left at this party.")
]
ScaleOption = Annotated[
    Path | None,
    typer.Option(
        "--job", metavar="FILE", help="Job with the scale of points.  [default: 600 at 50:1, pdo 20]"
    ),
]
LONGEST = 30
"""Letters of a column's or a bin's name in a table of 80 columns."""

model_commands = typer.Typer(
    help="Read a party's half of a model, or export it.",
    epilog="\b\nExample:\n  vfl model export runs/model.json --format sql",
    rich_markup_mode=None,
)


class ExportFormat(StrEnum):
    """What a half is written as."""

    json = "json"
    scorecard = "scorecard"
    sql = "sql"
    onnx = "onnx"


def add_to(application: typer.Typer) -> None:
    """Give the application these commands."""
    application.add_typer(model_commands, name="model")


@model_commands.command("show", epilog="\b\nExample:\n  vfl model show runs/model.json --job job.yaml")
def show(model: ModelArgument, job: ScaleOption = None, form: FormatOption = Format.text) -> None:
    """Print this party's half: what each bin of its columns is worth.

    Points of a linear regression are those of this party's part of the score; no file
    here holds a partner's part.
    """
    from parties.exports.halves import described

    results(described(model, _scale(job)), form, _lines)


@model_commands.command(
    "export", epilog="\b\nExample:\n  vfl model export runs/model.json --format onnx --output half.onnx"
)
def export(
    model: ModelArgument,
    form: Annotated[ExportFormat, typer.Option("--format", help="What to write.")] = ExportFormat.json,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where to.  [default: stdout]")
    ] = None,
    job: ScaleOption = None,
    table_name: Annotated[
        str, typer.Option("--table", metavar="NAME", help="Table that the SQL query reads.")
    ] = "customers",
    id: Annotated[str, typer.Option("--id", metavar="COLUMN", help="Id that the SQL query returns.")] = "id",
) -> None:
    """Write this party's half for other programs.

    json: the file itself. scorecard: points by bin, as CSV. sql: a query of CASE
    expressions. onnx: a graph from the columns as they are. Each gives this party's part
    of the logit, and the sum of all parties' is the score's; trees have no such part, and
    linear, poisson and gamma regressions no points.
    """
    from parties.exports.halves import exported
    from parties.programs.files import publish

    content = exported(model, form.value, _scale(job), table_name, id)
    if output:
        publish(output.parent, {output.name: content})
    elif isinstance(content, bytes):
        raise ConfigError("--output", f"{form.value} is no text", "name a file: --output half.onnx")
    else:
        sys.stdout.write(content)
        sys.stdout.flush()


def _scale(job: Path | None) -> Scorecard:
    from vfl.stats.scorecard import Scorecard

    if job is None:
        return Scorecard()
    from parties.config.job import Job

    return Scorecard(**Job.load(job).scorecard.scale)


def _lines(values: dict[str, Any]) -> Iterator[str]:
    yield f"half of {values['said']}, run {values['run']}"
    if "columns" in values:
        yield from table(("column", "own splits"), [(c, str(n)) for c, n in values["columns"].items()])
        yield f"{values['trees']} trees"
        return
    yield ""
    if "coefficients" in values:
        found = [(shortened(name, LONGEST), f"{w:.6g}") for name, w in values["coefficients"].items()]
        yield from table(("column", "coefficient"), found)
        return
    rows = [
        (
            shortened(row["column"], LONGEST),
            shortened(row["bin"], LONGEST),
            f"{row['logit']:.4f}",
            f"{row['points']:.1f}",
        )
        for row in values["card"]
    ]
    yield from table(("column", "bin", "logit", "points"), rows)
