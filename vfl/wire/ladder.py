"""The flow written in a protocol's docstring, checked against what a role saw.

Words of a ladder, one to an indented line:

    a -> b: M             a sends M to b
    a -> b, c: M          a sends M to b, then to c
    repeat, ...           the lines indented below it, any number of times
    maybe, ...            the lines indented below it, once or not at all

Several parties may play one role: host1 and host2 are each a `host`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from vfl.wire.flow import Sent

_ARROW = re.compile(r"^(\w+) -> (\w+(?:, \w+)*): (\w+)$")
_BLOCKS = {"repeat,": ")*", "maybe,": ")?"}


def ladder_pattern(docstring: str, role: str) -> re.Pattern[str]:
    """Compile the ladder of a docstring, projected on one role."""
    pattern: list[str] = []
    blocks: list[tuple[int, str]] = []
    for line in docstring.splitlines():
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        arrow = _ARROW.match(text) if indent else None
        opens = next((close for word, close in _BLOCKS.items() if indent and text.startswith(word)), "")
        if not arrow and not opens:
            continue
        while blocks and indent <= blocks[-1][0]:
            pattern.append(blocks.pop()[1])
        if opens:
            blocks.append((indent, opens))
            pattern.append("(?:")
        elif arrow:
            sender, receivers, kind = arrow.groups()
            pattern += [f"{sender}>{to}:{kind};" for to in receivers.split(", ") if role in (sender, to)]
    pattern += [close for _, close in reversed(blocks)]
    return re.compile("".join(pattern))


def follows_ladder(docstring: str, party: str, view: Iterable[Sent]) -> bool:
    """Tell whether the view of a party is one the ladder allows to its role."""
    said = "".join(f"{role_of(s.sender)}>{role_of(s.to)}:{type(s.message).__name__};" for s in view)
    return ladder_pattern(docstring, role_of(party)).fullmatch(said) is not None


def role_of(party: str) -> str:
    """Return the role that a party plays by its name: its number left out."""
    return party.rstrip("0123456789")
