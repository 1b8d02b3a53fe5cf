"""Numbers beside those that they must equal, and how far apart they may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number of the joint model beside the pooled one's, and how far apart they may be."""

    what: str
    ours: float
    pooled: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether they are near enough."""
        return abs(self.ours - self.pooled) <= self.limit

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self) | {"met": self.met}

    @property
    def line(self) -> str:
        """Its line of a table."""
        return f"{beside(self.what, self.ours, self.pooled)}{self.limit:9.0e}{'' if self.met else '  MISSED'}"


def beside(what: str, ours: float, pooled: float) -> str:
    """Return a line with two numbers and their distance."""
    return f"{what[:39]:40}{ours:12.7g}{pooled:12.7g}{abs(ours - pooled):10.1e}"
