"""The files that a run leaves: all of them or none."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vfl.errors import ConfigError


def publish(folder: Path, files: Mapping[str, Any]) -> None:
    """Put files into a folder, for their owner alone: texts and bytes as they are, all else as JSON.

    Every file is written beside its place before the first is moved there, so a run that fails,
    and a disk that is full, leave the former files.
    """
    mark = secrets.token_hex(4)
    parts = {name: folder / f".{name}.{mark}" for name in files}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in parts.items():
            part.touch(mode=0o600, exist_ok=False)
            part.write_bytes(_bytes(files[name]))
        for name, part in parts.items():
            part.replace(folder / name)
    except OSError as error:
        raise ConfigError(str(folder), f"cannot be written to: {error.strerror}", "see `out`") from None
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _bytes(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    text = content if isinstance(content, str) else json.dumps(content, indent=1) + "\n"
    return text.encode("utf-8")
