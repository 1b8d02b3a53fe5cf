"""Which backend computes here: the fast one where it can run, the reference everywhere else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from vfl.crypto.modular.gmp import Gmp
from vfl.crypto.modular.ifma import gate
from vfl.crypto.modular.seam import Modular
from vfl.errors import ConfigError

NAMES = "ifma", "gmp"


def best(workers: int = 1, wanted: str | None = None, cache: Path | None = None) -> Modular:
    """Return the fastest backend that runs here, or the one `wanted` by name.

    Raises ConfigError where the one wanted cannot run.  The first call on a machine compiles for some
    seconds in a process of its own; what it makes, 2 MB, is kept in `cache`, by default ~/.cache/vfl.
    """
    if wanted not in (None, "", *NAMES):
        raise ConfigError("arithmetic", f"{wanted} is unknown", f"one of {', '.join(NAMES)}")
    if wanted == "gmp":
        return Gmp(workers)
    lacking = gate.missing()
    if lacking is None:
        try:
            from vfl.crypto.modular.ifma.backend import Ifma

            return Ifma(workers, cache or Path.home() / ".cache" / "vfl")
        except (OSError, RuntimeError, subprocess.CalledProcessError) as e:
            lacking = f"its kernels could not be compiled and kept: {e}"
    if wanted == "ifma":
        raise ConfigError("arithmetic", lacking, "leave the choice open, or choose gmp")
    return Gmp(workers)
