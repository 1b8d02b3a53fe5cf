"""Which backend computes here: the fast one where it can run, the reference everywhere else."""

from __future__ import annotations

from pathlib import Path

from psi.group.seam import Group
from psi.group.sodium import Sodium
from vfl.crypto.modular.choice import fastest


def best(workers: int = 1, wanted: str | None = None, cache: Path | None = None) -> Group:
    """Return the fastest backend that runs here, or the one `wanted` by name: ifma or sodium.

    Raises ConfigError where the one wanted cannot run.  The first call on a machine compiles for some
    fifteen seconds in a process of its own; what it makes is kept in `cache`, by default ~/.cache/vfl.
    """

    def fast(folder: Path) -> Group:
        from psi.group.ifma.backend import Ifma

        return Ifma(workers, folder)

    return fastest("group", wanted, fast, "sodium", lambda: Sodium(workers), cache)
