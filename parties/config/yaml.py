"""YAML files in which every value knows its line.

`load` builds plain dicts, lists and scalars (YAML 1.2, no tags, no aliases) and remembers where
each stood, so that whatever is wrong with one is reported as

    configs/bank.yaml:12: model.max_iters: unknown key

Keys are text.  A duplicate key, an alias or a file that is no mapping is a ConfigError.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vfl.errors import ConfigError

Key = tuple[str | int, ...]
"""A value's place in its file: mapping keys and list positions from the top."""

MAX_BYTES = 1 << 20
"""Bytes of the largest configuration file that is read."""


def dotted(key: Key) -> str:
    """Return a place as operators write it: `peers.insurer.dial`, `gates.allow[1]`."""
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in key).lstrip(".")


@dataclass(slots=True)
class Document:
    """One file's values, and the line of each."""

    path: Path
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)

    def line(self, key: Key) -> int:
        """Return the line of a key, or of the nearest mapping around it."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def error(self, key: Key, what: str, hint: str = "") -> ConfigError:
        """Return the error that names this file, line and key."""
        name = f": {dotted(key)}" if key else ""
        return ConfigError(f"{self.path}:{self.line(key)}{name}", what, hint)


def load(path: Path) -> Document:
    """Return the document in a file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "no reason given").lower()
        raise ConfigError(str(path), f"cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(str(path), f"{len(raw)} bytes are no configuration file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}", "is not UTF-8 text") from None
    return parse(text, path)


def parse(text: str, path: Path) -> Document:
    """Return the document in a text; the path is for its errors only."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    reader = YAML(typ="safe", pure=True)
    document = Document(path)
    try:
        node = reader.compose(io.StringIO(text))
        document.lines[()] = 1
        if getattr(node, "id", "") != "mapping":
            raise document.error((), "must be a mapping: lines of `key: value`")
        document.data = _Builder(document, reader.constructor).build(node, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = " ".join((error.problem or error.context or "cannot be parsed").split())
        if what.startswith("but "):
            what = f"{error.context}, {what}"
        raise ConfigError(f"{path}:{line}", f"is not YAML: {what}") from None
    except YAMLError:
        raise ConfigError(str(path), "is not YAML: it holds control characters") from None
    return document


def dump(data: Mapping[str, Any], path: Path, comment: str = "") -> None:
    """Write plain data as a YAML file that `load` reads back, under a comment line."""
    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    with path.open("w", encoding="utf-8") as stream:
        if comment:
            stream.write(f"# {comment}\n")
        writer.dump(dict(data), stream)


@dataclass(slots=True)
class _Builder:
    """Turns composed nodes into values and notes their lines."""

    document: Document
    scalars: Any
    seen: set[int] = field(default_factory=set)

    def build(self, node: Any, key: Key) -> Any:
        if node.id == "scalar":
            try:
                return self.scalars.construct_object(node)
            except ValueError:
                raise self.document.error(key, f"cannot be read: {node.value}") from None
        if id(node) in self.seen:
            raise self.document.error(key, "aliases are not used here", "write the value out")
        self.seen.add(id(node))
        if node.id == "sequence":
            return [self._item(child, (*key, i)) for i, child in enumerate(node.value)]
        return self._mapping(node, key)

    def _item(self, node: Any, key: Key) -> Any:
        self.document.lines[key] = node.start_mark.line + 1
        return self.build(node, key)

    def _mapping(self, node: Any, key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name_node, child in node.value:
            name = str(name_node.value)
            line = name_node.start_mark.line + 1
            if name in values:
                first = self.document.lines[(*key, name)]
                self.document.lines[(*key, name)] = line
                raise self.document.error((*key, name), f"duplicate key, first on line {first}")
            self.document.lines[(*key, name)] = line
            values[name] = self.build(child, (*key, name))
        return values
