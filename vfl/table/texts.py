"""Texts of which many differ, such as ids: one Arrow array in place of an object each.

A text takes its bytes and eight more.  numpy's own dtype of texts would take as little; its sorting and
searching crash or err (numpy 27984, 31533), so that it is not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

PART = 1 << 16
"""Texts that are Python objects at once."""


class Texts:
    """Texts in one order, None for a blank."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Any) -> None:
        """Take an Arrow array, or one in chunks, of large strings."""
        self._cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells

    @classmethod
    def joined(cls, parts: Iterable[Iterable[str | None]]) -> Texts:
        """Return the texts of all parts, one after the other."""
        chunks = [pa.array(part, pa.large_string()) for part in parts]
        return cls(pa.chunked_array(chunks, pa.large_string()))

    def __len__(self) -> int:
        return len(self._cells)

    def __repr__(self) -> str:
        return f"Texts({len(self)})"

    def __iter__(self) -> Iterator[str | None]:
        for part in parts_of(self):
            yield from part.tolist()

    def __getitem__(self, rows: slice | NDArray[Any]) -> Texts:
        """Return the texts of these rows, in this order."""
        if isinstance(rows, slice):
            return Texts(self._cells[rows])
        return Texts(
            self._cells.filter(pa.array(rows)) if rows.dtype == bool else self._cells.take(pa.array(rows))
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.object_]:
        """Return the texts as objects, which numpy compares and sorts."""
        found: NDArray[np.object_] = self._cells.to_numpy(zero_copy_only=False)
        return found

    def tolist(self) -> list[str | None]:
        """Return the texts as Python has them."""
        found: list[str | None] = self._cells.to_pylist()
        return found

    def order(self) -> NDArray[np.int64]:
        """Return the order of the texts, by code points."""
        found: NDArray[np.int64] = pc.sort_indices(self._cells).to_numpy().astype(np.int64)
        return found


Ids = Texts | NDArray[np.object_]
"""Ids as tables hold them."""


def parts_of(texts: Ids) -> Iterator[Ids]:
    """Yield texts in parts of PART rows, the last maybe shorter."""
    return (texts[start : start + PART] for start in range(0, len(texts), PART))
