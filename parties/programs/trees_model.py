"""A party's half of joint trees, and model.json, the file it is kept in.

{"kind": "trees", "run": the training's name,
 "columns": {column: its training levels, or null for numbers},
 "trees": as vfl.trees.model writes the guest's or a host's half,
 "absent": [hosts that stayed away from the training], if any did}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from parties.programs.model import columns_of
from parties.programs.stored import Levels, levels_from, levels_json, stored
from vfl.stats.binning import LevelBins
from vfl.table.table import Table
from vfl.trees.model import GuestTrees, HostTrees, codes_of
from vfl.trees.tree import Codes

H = TypeVar("H", GuestTrees, HostTrees)


@dataclass(frozen=True, slots=True)
class TreeHalf(Generic[H]):
    """One party's trees with the columns that they split; a level not seen in training is missing."""

    run: str
    trees: H
    levels: Levels
    absent: tuple[str, ...] = ()
    """Hosts without which they were grown, and are scored."""

    def codes(self, table: Table) -> Codes:
        """Return the bin of every value, as `vfl.trees.scoring` needs them."""
        return codes_of(self.trees.bins, columns_of(table))

    def as_json(self) -> dict[str, Any]:
        """Return the half as the module's docstring describes it."""
        columns = levels_json(self.levels)
        described = {"kind": "trees", "run": self.run, "columns": columns, "trees": self.trees.as_json()}
        return described | ({"absent": list(self.absent)} if self.absent else {})

    @classmethod
    def load(cls, path: Path, half: type[H]) -> Self:
        """Return the half in a file; `half`: whose it must be."""
        with stored(path, "trees") as data:
            return cls.from_json(data, half)

    @classmethod
    def from_json(cls, data: dict[str, Any], half: type[H]) -> Self:
        """Return the half that `as_json` described; raise ValueError or KeyError on anything else."""
        trees, levels = half.from_json(data["trees"]), levels_from(data)
        for name, binning in trees.bins.of.items():
            if isinstance(binning, LevelBins) != (levels[name] is not None):
                raise ValueError("bins and columns disagree")
        return cls(data["run"], trees, levels, tuple(data.get("absent", ())))
