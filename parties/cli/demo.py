"""`vfl demo`: a generated bank and insurer, from their tables to the report."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.cli.local import outcome
from parties.cli.voice import TERMINATED, Format, FormatOption, results, say, stop_on_request

MANY, FEW = 20_000, 1_500
"""Common customers that take two cores some twenty seconds, with AVX-512 IFMA and without."""

SEED = 7


def add_to(application: typer.Typer) -> None:
    """Give the application this command."""
    application.command("demo", epilog="\b\nExample:\n  vfl demo --out demo-run --customers 5000")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where everything goes.")] = Path(
        "demo-run"
    ),
    customers: Annotated[
        int | None,
        typer.Option(
            "--customers",
            metavar="N",
            min=500,
            max=10_000_000,
            help=f"Common customers.  [default: {MANY} with AVX-512 IFMA, {FEW} without]",
        ),
    ] = None,
    only_tables: Annotated[
        bool, typer.Option("--only-tables", help="Generate the tables and files, and run nothing.")
    ] = False,
    form: FormatOption = Format.text,
) -> None:
    """Try it: a bank, an insurer and a trustee here.

    Generates a portfolio whose truth is known, then trains, scores and reports, with
    every party in a process of its own over loopback TLS.
    """
    from parties.config.packaged import demo_configs
    from parties.demo.portfolio import write
    from parties.local import run_local

    customers = customers or bearable()
    portfolio = out / "portfolio"
    say(f"generating {customers} common customers in {portfolio}")
    portfolio.mkdir(parents=True, exist_ok=True)
    write(portfolio, customers, SEED)
    for source in demo_configs():
        shutil.copyfile(source, portfolio / source.name)
    if only_tables:
        files = [str(path) for path in sorted(portfolio.iterdir())]
        results({"out": str(out), "files": files}, form, lambda made: made["files"])
        return
    stop_on_request(TERMINATED)
    results(run_local(portfolio / "job.yaml", out), form, _outcome)


def bearable() -> int:
    """Return how many customers the arithmetic of this machine takes in half a minute; if few, say why."""
    from vfl.crypto.modular.ifma import gate

    lacking = "VFL_ARITHMETIC is gmp" if os.environ.get("VFL_ARITHMETIC") == "gmp" else gate.missing()
    if lacking is None:
        return MANY
    say(f"{FEW} customers, since {lacking}: {MANY} would take minutes (--customers {MANY})")
    return FEW


def _outcome(run: dict[str, Any]) -> list[str]:
    path = Path(run["out"]) / "portfolio" / "truth.json"
    auc = json.loads(path.read_text(encoding="utf-8"))["auc"]
    perfect = f"AUC {auc['joint']:.4f}, with the bank alone {auc['bank_only']:.4f}"
    return [*outcome(run), f"truth    {path}", f"         a perfect model reaches {perfect}"]
