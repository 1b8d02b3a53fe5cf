"""What the two configuration files have in common: strict sections, and errors in plain words.

A `Section` refuses unknown keys and wrong types and cannot be changed once read.  `validated`
turns the first thing that is wrong, in the order of the file, into a ConfigError with its line.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from parties.config.yaml import Document, Key
from vfl.errors import ConfigError

S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """A mapping of a configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def canonical(self) -> bytes:
        """The section as canonical JSON, every default filled in: keys sorted, no spaces, ASCII."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return text.encode("ascii")


def validated(section: type[S], document: Document, context: Any = None) -> S:
    """Return the section that a document holds; raise ConfigError on the first thing wrong."""
    try:
        return section.model_validate(document.data, context=context)
    except ValidationError as error:
        # In brackets stand pydantic's "[key]" of a mapping, and the tags of a union's sections.
        problems = [
            (tuple(k for k in e["loc"] if not str(k).startswith("[")), e)
            for e in error.errors(include_url=False)
        ]
        key, first = min(problems, key=lambda p: document.line(p[0]))
        raise _in_words(section, document, key, dict(first)) from None


def sections_in(annotation: Any) -> tuple[tuple[type[Section], ...], bool]:
    """Return the sections of which a field holds one, and whether it holds one per free key."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return (annotation,), False
    found = tuple(section for inner in get_args(annotation) for section in sections_in(inner)[0])
    return found, bool(found) and get_origin(annotation) is dict


def choices(annotation: Any) -> tuple[Any, ...]:
    """Return the values among which a field chooses; none for a free one."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(c for inner in get_args(annotation) for c in choices(inner))


def dotted_keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    """Yield every key of a section and of those inside it; a free key reads NAME."""
    for name, info in section.model_fields.items():
        yield prefix + name
        alternatives, keyed = sections_in(info.annotation)
        for inner in alternatives:
            yield from dotted_keys(inner, f"{prefix}{name}.{'NAME.' if keyed else ''}")


def _around(section: type[Section], key: Key) -> tuple[type[Section], ...]:
    """Return the sections in one of which a key stands."""
    found: tuple[type[Section], ...] = (section,)
    keyed = False
    for name in key[:-1]:
        if keyed:
            keyed = False
        elif info := _field(found, name):
            found, keyed = sections_in(info.annotation)
        else:
            return ()
    return found


def _field(around: tuple[type[Section], ...], name: str | int) -> FieldInfo | None:
    """Return the field of this name in the first of some sections that has it."""
    return next((s.model_fields[str(name)] for s in around if name in s.model_fields), None)


def _in_words(section: type[Section], document: Document, key: Key, problem: dict[str, Any]) -> ConfigError:
    named = key
    while named and isinstance(named[-1], int):
        named = named[:-1]
    around = _around(section, named)
    name = str(named[-1]) if named else ""
    info = _field(around, name)
    meaning = re.split(r"(?<=\.)\s|:?\n", (info and info.description) or "")[0].rstrip(".")
    match problem["type"]:
        case "extra_forbidden":
            return document.error(key, "unknown key", _spelling(section, around, name))
        case "missing":
            return document.error(key, "missing", meaning)
        case "literal_error":
            fields = [s.model_fields[name] for s in around if name in s.model_fields]
            offered = [str(choice) for field in fields for choice in choices(field.annotation)]
            offered = offered or re.findall("'(.*?)'", problem["ctx"]["expected"])  # of a free key
            what = f"must be {_either(offered)}, is {_shown(problem['input'])}"
            return document.error(key, what, _closest(str(problem["input"]), offered))
        case "value_error":
            return document.error(key, _complaint(problem))
    return document.error(key, _complaint(problem), meaning)


def _either(offered: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(offered[:-1]), offered[-1])))


def _spelling(section: type[Section], around: tuple[type[Section], ...], name: str) -> str:
    if owner := next((s for s in around if name in s.model_fields), None):
        return f"it belongs to kind: {owner.model_fields['kind'].default}"
    here = list(dict.fromkeys(field for s in around for field in s.model_fields))
    elsewhere = {k.rpartition(".")[2]: k for k in dotted_keys(section) if "." in k}
    if close := _closest(name, here):
        return close
    if name in elsewhere:
        return f"did you mean {elsewhere[name]}?"
    return f"the keys here are {', '.join(here)}" if here else ""


def _closest(word: str, offered: list[str]) -> str:
    close = difflib.get_close_matches(word, offered, 1, 0.6)
    return f"did you mean {close[0]}?" if close else ""


_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping: lines of `key: value`",
    "model_type": "a mapping: lines of `key: value`",
}

_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
    "multiple_of": ("a multiple of", "multiple_of"),
}


def _complaint(problem: dict[str, Any]) -> str:
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}, is {_shown(given)}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"must be {words} {context[bound]:g}, is {_shown(given)}"
    return str(problem["msg"]).removeprefix("Value error, ")


def _shown(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str():
            return f'the text "{value[:60]}"'
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return str(value)
