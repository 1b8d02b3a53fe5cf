"""`configs/reference.yaml`: every key of both files with its meaning, type and default.

The text is generated from the sections' own field descriptions and is itself a valid job followed
by a valid guest's file, so it can neither leave a key out nor go stale.

    python -m parties.config.reference configs/reference.yaml
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from parties.config.job import Job
from parties.config.party import Party
from parties.config.schema import Section, choices, sections_in

WIDTH = 88

_HEAD = """\
# Every key of the two configuration files, with its meaning, its type and its default.
# The values shown are the defaults, or examples where a key has none.
# Generated from the code; `python -m parties.config.reference FILE` writes it anew.
"""

OTHERWISE = "Or with these keys:"
"""The head of a commented section that may stand in place of the one above."""

_TITLES = (
    (Job, "The job: what all parties agree on. Every party holds the same file."),
    (Party, "The party's own file, here a guest's. No other party sees it; its paths start at its folder."),
)

_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}

_BOUNDS = {
    "ge": "at least",
    "gt": "greater than",
    "le": "at most",
    "lt": "less than",
    "multiple_of": "a multiple of",
}


def reference() -> str:
    """Return the text of the reference file."""
    documents = ["\n".join([f"# {title}", *_section(section, None, "")]) for section, title in _TITLES]
    return _HEAD + "---\n" + "\n\n---\n".join(documents) + "\n"


def _section(section: type[Section], example: dict[str, Any] | None, indent: str) -> Iterator[str]:
    for position, (name, info) in enumerate(section.model_fields.items()):
        sections, keyed = sections_in(info.annotation)
        if position or not indent:
            yield ""
        yield from _comment(info, indent)
        if not sections:
            shown = (example or {}).get(name, (info.examples or [info.default])[0])
            yield from _wrapped(f"[{_kind(info)}]", indent)
            yield f"{indent}{name}: {_flow(shown)}"
            continue
        if (
            indent
            and info.default is None
            and not any(f.is_required() for f in sections[0].model_fields.values())
        ):
            # Written out it would be in force, which it is not by default.
            yield f"{indent}{name}: null"
            yield f"{indent}# {name}:"
            yield from _commented(sections[0], indent, "  ")
            continue
        yield f"{indent}{name}:"
        if keyed:
            yield from _named(sections[0], (info.examples or [{}])[0], indent + "  ")
        else:
            yield from _alternatives(sections, indent + "  ")


def _alternatives(sections: tuple[type[Section], ...], indent: str) -> Iterator[str]:
    """Yield the first of the sections that may stand in one place, and the others as comments."""
    yield from _section(sections[0], None, indent)
    for other in sections[1:]:
        yield ""
        yield f"{indent}# {OTHERWISE}"
        yield from _commented(other, indent)


def _commented(section: type[Section], indent: str, inner: str = "") -> Iterator[str]:
    """Yield the lines of a section as comments, which are indented by `inner` themselves."""
    for line in _section(section, None, indent + inner):
        yield f"{indent}# {line[len(indent) :]}".rstrip()


def _named(section: type[Section], examples: dict[str, Any], indent: str) -> Iterator[str]:
    """Yield the first of some named sections in full, and the others on one line each."""
    (first, values), *others = examples.items()
    yield f"{indent}{first}:"
    yield from _section(section, values, indent + "  ")
    for name, shown in others:
        yield f"{indent}{name}: {_flow(shown)}"


def _comment(info: FieldInfo, indent: str) -> Iterator[str]:
    said, *items = (info.description or "").split("\n")
    yield from _wrapped(said, indent)
    for item in items:
        yield from _wrapped(f"  {item}", indent)


def _wrapped(text: str, indent: str) -> list[str]:
    hanging = "    " if text.startswith(" ") else ""
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# {hanging}")


def _kind(info: FieldInfo) -> str:
    limits = [
        f"{said} {getattr(limit, key):g}"
        for limit in info.metadata
        for key, said in _BOUNDS.items()
        if hasattr(limit, key)
    ]
    need = "required" if info.is_required() else f"default {_flow(info.default)}"
    return "; ".join([", ".join([_type(info.annotation), *limits]), need])


def _type(annotation: Any) -> str:
    if offered := choices(annotation):
        listed = ", ".join(map(str, offered))
        listed = f"list of {listed}" if get_origin(annotation) is tuple else listed.replace(", ", " | ")
        return f"mapping to {listed}" if get_origin(annotation) is dict else listed
    if get_origin(annotation) is tuple:
        return f"list of {_WORDS.get(get_args(annotation)[0], 'value')}s"
    if annotation in _WORDS:
        return _WORDS[annotation]
    return next(_type(inner) for inner in get_args(annotation) if inner is not NoneType)


def _flow(value: Any) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case float():
            return repr(value) if "." in repr(value) else re.sub("e", ".0e", repr(value))
    text = str(value)
    plain = re.fullmatch(r"[A-Za-z0-9_./-]+(:[0-9]+)?", text)
    return text if plain else json.dumps(text)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
