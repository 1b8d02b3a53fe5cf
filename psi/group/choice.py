"""Which backend computes here: the fast one where it can run, the reference everywhere else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from psi.group.seam import Group
from psi.group.sodium import Sodium
from vfl.crypto.modular.ifma import gate
from vfl.errors import ConfigError

NAMES = "ifma", "sodium"


def best(workers: int = 1, wanted: str | None = None, cache: Path | None = None) -> Group:
    """Return the fastest backend that runs here, or the one `wanted` by name.

    Raises ConfigError where the one wanted cannot run.  The first call on a machine compiles for some
    fifteen seconds in a process of its own; what it makes is kept in `cache`, by default ~/.cache/vfl.
    """
    if wanted not in (None, "", *NAMES):
        raise ConfigError("group", f"{wanted} is unknown", f"one of {', '.join(NAMES)}")
    if wanted == "sodium":
        return Sodium(workers)
    lacking = gate.missing()
    if lacking is None:
        try:
            from psi.group.ifma.backend import Ifma

            return Ifma(workers, cache or Path.home() / ".cache" / "vfl")
        except (OSError, RuntimeError, subprocess.CalledProcessError) as e:
            lacking = f"its kernels could not be compiled and kept: {e}"
    if wanted == "ifma":
        raise ConfigError("group", lacking, "leave the choice open, or choose sodium")
    return Sodium(workers)
