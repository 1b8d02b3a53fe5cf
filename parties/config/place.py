"""Paths in a party's file: relative to the file's folder."""

from __future__ import annotations

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
