"""Print who learns what, read from the protocols' own docstrings; --write puts it into SECURITY.md.

    .venv/bin/python scripts/leakage.py --write

A row is a message: its sender and receivers from the ladder, its formula and what it reveals
from its docstring.  Nothing here is written by hand, and a test holds SECURITY.md to it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import parties.contract.agreement
import psi.ecdh
import psi.lookup
import psi.several
import vfl.arbitration
import vfl.features.correlation
import vfl.features.kept
import vfl.features.names
import vfl.features.selected
import vfl.features.split
import vfl.features.woe
import vfl.linear.allowance
import vfl.linear.coefficients
import vfl.linear.crossed
import vfl.linear.generalised
import vfl.linear.halves
import vfl.linear.heldout
import vfl.linear.inference
import vfl.linear.logistic
import vfl.linear.pairing
import vfl.linear.residuals
import vfl.linear.sample
import vfl.linear.scoring
import vfl.linear.signs
import vfl.linear.units
import vfl.trees.boosting
import vfl.trees.hidden
import vfl.trees.opening
import vfl.trees.scoring
import vfl.trees.shown
from vfl.wire.message import Message, formula, reveals

PROTOCOLS: tuple[ModuleType, ...] = (
    parties.contract.agreement,
    psi.ecdh,
    psi.several,
    psi.lookup,
    vfl.arbitration,
    vfl.features.split,
    vfl.features.names,
    vfl.features.woe,
    vfl.features.selected,
    vfl.features.correlation,
    vfl.features.kept,
    vfl.linear.allowance,
    vfl.linear.sample,
    vfl.linear.residuals,
    vfl.linear.logistic,
    vfl.linear.crossed,
    vfl.linear.units,
    vfl.linear.generalised,
    vfl.linear.heldout,
    vfl.linear.signs,
    vfl.linear.inference,
    vfl.linear.coefficients,
    vfl.linear.halves,
    vfl.linear.pairing,
    vfl.linear.scoring,
    vfl.trees.boosting,
    vfl.trees.shown,
    vfl.trees.hidden,
    vfl.trees.opening,
    vfl.trees.scoring,
)
"""In the order in which a run meets them."""

SECURITY = Path(__file__).resolve().parents[1] / "SECURITY.md"
BLOCK = re.compile(r"(?<=<!-- leakage -->\n).*(?=<!-- /leakage -->)", re.DOTALL)
_ARROW = re.compile(r"^\s*(\w+) -> (\w+(?:, \w+)*): (\w+)$", re.MULTILINE)


def leakage_table() -> str:
    """Return one Markdown table for each protocol."""
    return "\n".join(_section(protocol) for protocol in PROTOCOLS)


def _section(protocol: ModuleType) -> str:
    doc = protocol.__doc__ or ""
    title = doc.splitlines()[0].rstrip(".")
    rows = [_row(kind, _ways(doc, kind.__name__)) for kind in _messages(protocol)]
    head = ["| message | from -> to | formula | reveals |", "|---|---|---|---|"]
    return "\n".join([f"**{title}** (`{protocol.__name__}`)", "", *head, *rows, ""])


def _messages(protocol: ModuleType) -> list[type[Message]]:
    found = (v for v in vars(protocol).values() if isinstance(v, type) and issubclass(v, Message))
    return [kind for kind in found if kind.__module__ == protocol.__name__]


def _ways(doc: str, name: str) -> list[str]:
    ways = [f"{sender} -> {to}" for sender, to, kind in _ARROW.findall(doc) if kind == name]
    return list(dict.fromkeys(ways))


def _row(kind: type[Message], ways: list[str]) -> str:
    cells = [f"`{kind.__name__}`", "<br>".join(ways), _escaped(formula(kind)), _escaped(reveals(kind))]
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", r"\|")


def main() -> None:
    """Print the tables, or put them between the marks in SECURITY.md."""
    if sys.argv[1:] == ["--write"]:
        written = SECURITY.read_text(encoding="utf-8")
        SECURITY.write_text(BLOCK.sub(lambda _: leakage_table(), written), encoding="utf-8")
    else:
        print(leakage_table(), end="")


if __name__ == "__main__":
    main()
