"""How a benchmark answers: a table, JSON, or both."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark be asked for JSON."""
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="JSON in place of the table, or beside it in FILE",
    )


def answer(found: dict[str, Any], lines: Iterable[str], where: str | None) -> None:
    """Print the table, or JSON where it is asked for without a file's name."""
    text = json.dumps(found, indent=1)
    if where == "-":
        print(text)
        return
    if where:
        Path(where).write_text(text + "\n", encoding="utf-8")
    print("\n".join(lines))


def number(value: float | None, width: int) -> str:
    """Return three digits or all whole ones, flush right; a dash for what was not measured."""
    if value is None:
        return f"{'-':>{width}}"
    return f"{value:>{width},.0f}" if value >= 100 else f"{value:>{width}.3g}"
