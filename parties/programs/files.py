"""The files that a run leaves: all of them or none."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from errno import ENOSPC
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from vfl.errors import ConfigError


def check_folder(folder: Path) -> None:
    """Make the folder where results will go; raise ConfigError where nothing can be put into it.

    A disk that is full is no such folder: it pauses a run, which goes on once there is room.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno != ENOSPC:
            raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(str(folder), f"cannot be written to: {error.strerror}", "see `out`")


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
        raise _unwritable(folder, error) from None
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _bytes(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    text = content if isinstance(content, str) else json.dumps(content, indent=1) + "\n"
    return text.encode("utf-8")
