"""Large messages as files of their own beside a journal: each is written once, and gone once needless.

    FOLDER/PEER.NUMBER.parcel    one sealed message (see `journal`), named by receiver and number

A database would write each twice, to its log and to its file, and twice again to overwrite what is
deleted.  What is a parcel is the journal's to say: a file of which it knows nothing was being written
when its party died, and is written over when the message is made again.
"""

from __future__ import annotations

import os
from pathlib import Path

LARGE = 1 << 18
"""Bytes from which a message is a parcel: smaller ones are on disk sooner as one commit of many."""

_ENDING = ".parcel"


class Parcels:
    """The parcels in a folder.  Raises OSError where the disk takes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, peer: str, number: int, sealed: bytes) -> None:
        """Return once a parcel is on disk, its name as well."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(self._path(peer, number), flags, 0o600), "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, peer: str, number: int) -> bytes | None:
        """Return a parcel, None if it was dropped."""
        path = self._path(peer, number)
        return path.read_bytes() if path.exists() else None

    def drop(self, ends: dict[str, int]) -> None:
        """Delete the parcels of each peer that are before its end."""
        for path in self._all():
            peer, _, number = path.stem.rpartition(".")
            if int(number) < ends.get(peer, 0):
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete them all."""
        for path in self._all():
            path.unlink(missing_ok=True)

    def _all(self) -> list[Path]:
        return list(self._folder.glob(f"*{_ENDING}"))

    def _path(self, peer: str, number: int) -> Path:
        return self._folder / f"{peer}.{number}{_ENDING}"
