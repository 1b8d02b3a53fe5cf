"""What each column is worth to the trees, as the guest can say it.

    splits   the number of nodes that the column splits
    gain     the sum of what those splits gain (see `gain`)
    cover    the sum of the hessians of the rows they split

xgboost's weight, total_gain and total_cover.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vfl.trees.model import GuestTrees


@dataclass(frozen=True, slots=True)
class Importance:
    """What one column is worth; `party` is the host whose it is, None for the guest's own."""

    party: str | None
    column: str
    splits: int
    gain: float
    cover: float

    @property
    def label(self) -> str:
        """The column as a report names it: "age", "insurer column 3", "insurer claims"."""
        return f"{self.party} {self.column}" if self.party else self.column


def importances(half: GuestTrees, shown: Mapping[str, tuple[str, ...]]) -> list[Importance]:
    """Return the columns that split, the largest gain first; `shown`: a host's names, where it tells them.

    A host's column goes by its number otherwise.
    """
    sums: dict[tuple[int, int], tuple[int, float, float]] = {}
    for chosen in (c for tree in half.trees for c in tree.chosen.values()):
        key = (chosen.party, chosen.split.column)
        splits, gain, cover = sums.get(key, (0, 0.0, 0.0))
        sums[key] = (splits + 1, gain + chosen.gain, cover + chosen.cover)
    found = []
    for key, (splits, gain, cover) in sums.items():
        party, column = _name(half, shown, *key)
        found.append(Importance(party, column, splits, gain, cover))
    return sorted(found, key=lambda one: (-one.gain, one.label))


def _name(
    half: GuestTrees, shown: Mapping[str, tuple[str, ...]], party: int, column: int
) -> tuple[str | None, str]:
    if not party:
        return None, tuple(half.bins.of)[column]
    host = half.hosts[party - 1]
    return host, shown[host][column] if host in shown else f"column {column + 1}"
