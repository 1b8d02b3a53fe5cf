"""Paths and URLs in a party's file: relative to the file's folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, ValidationInfo


def beside(path: Path, info: ValidationInfo) -> Path:
    """Return a path as seen from the folder of the file that is read."""
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / path.expanduser()


Place = Annotated[
    Path,
    Field(strict=False),
    AfterValidator(beside),
    PlainSerializer(lambda path: str(path.resolve()), when_used="json"),
]


def beside_the_file(url: str, info: ValidationInfo) -> str:
    """Return a URL that finds its file from anywhere; refuse one that holds a password."""
    scheme, slashes, rest = url.partition("://")
    if not re.fullmatch(r"[a-z][a-z0-9]*(\+[a-z0-9_]+)?:?", scheme):
        raise ValueError("is no database's URL, such as postgresql+psycopg://user@host/name")
    login = rest.split("/", 1)[0].rpartition("@")[0]
    if ":" in login or "password=" in rest.lower():
        raise ValueError("must not hold a password: say where it is with password_env or password_file")
    if scheme.split("+")[0] in ("sqlite", "duckdb") and rest not in ("", "/", "/:memory:"):
        return f"{scheme}{slashes}/{beside(Path(rest.removeprefix('/')), info).resolve()}"
    return url


def store(text: str, info: ValidationInfo) -> str:
    """Return the URL of a store, or the path of its folder."""
    return beside_the_file(text, info) if "://" in text else str(beside(Path(text), info).resolve())
