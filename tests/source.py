"""Our own source files, as the tests of the architecture read them."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from vfl.wire.message import Message

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def module(self) -> str:
        """Its dotted name: vfl/wire/flow.py is vfl.wire.flow, vfl/wire/__init__.py is vfl.wire."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        """Its text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    def imports(self) -> Iterator[str]:
        """Yield what it imports, wherever: `from a import b` counts as a.b."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{self}:{node.lineno}: imports are absolute"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def attributes(self) -> Iterator[str]:
        """Yield every `a.b` of its code whose a is a name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield f"{node.value.id}.{node.attr}"


def sources(*folders: str) -> list[Source]:
    """Return all Python files below these folders of the repository."""
    return [Source(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def protocols() -> list[ModuleType]:
    """Return every module that defines messages."""
    return [importlib.import_module(s.module) for s in sources("vfl", "psi", "parties") if _speaks(s)]


def messages(protocol: ModuleType) -> list[type[Message]]:
    """Return the messages that a module defines, in its order."""
    found = (v for v in vars(protocol).values() if isinstance(v, type) and issubclass(v, Message))
    return [kind for kind in found if kind.__module__ == protocol.__name__]


def _speaks(source: Source) -> bool:
    classes = (node for node in source.tree.body if isinstance(node, ast.ClassDef))
    return any(isinstance(base, ast.Name) and base.id == "Message" for c in classes for base in c.bases)
