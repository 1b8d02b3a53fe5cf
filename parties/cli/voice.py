"""How commands speak: results alone on stdout, all else on stderr, and one exit code per blame.

0 success, 1 a bug, 2 to 7 as drawn in vfl/errors.py, 130 interrupted
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from vfl.errors import VflError


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How results are printed.")]

INTERRUPTED = 130
TERMINATED = 143


def say(text: str) -> None:
    """Tell the operator something that is no result."""
    print(f"vfl: {text}", file=sys.stderr, flush=True)


def results(values: dict[str, Any], form: Format, lines: Callable[[dict[str, Any]], Iterable[str]]) -> None:
    """Print results: as JSON, or as the lines that a command makes of them."""
    if form is Format.json:
        print(json.dumps(values, indent=2))
    else:
        print("\n".join(lines(values)))
    sys.stdout.flush()


def stop_on_request(code: int) -> None:
    """Let SIGTERM end the command in order: its main thread leaves through every `finally`."""

    def stop(*_: Any) -> None:
        raise SystemExit(code)

    signal.signal(signal.SIGTERM, stop)


def exit_code(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code, having told on stderr what went wrong."""
    try:
        code = command()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        # Usage errors: the base class has moved between releases of typer, their method has not.
        if hasattr(error, "format_message"):
            _complain(error.format_message().rstrip(".").replace("\n", " "), _usage_hint(error))
            return 2
        complain(error)
        return error.exit_code if isinstance(error, VflError) else 1
    return code if isinstance(code, int) else 0


def complain(error: Exception) -> None:
    """Tell the operator what went wrong: in its own words, or as a bug."""
    if isinstance(error, VflError):
        _complain(str(error), error.hint)
        return
    if os.environ.get("VFL_DEBUG") == "1":
        traceback.print_exception(error)
    what = f"this is a bug: {type(error).__name__}: {error}"
    _complain(what, "VFL_DEBUG=1 shows where; please report it")


def _complain(what: str, hint: str) -> None:
    say(f"error: {what}")
    if hint:
        say(f"hint: {hint}")


def _usage_hint(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path if context else 'vfl'} --help`"
