"""Which backend computes here: the fast one where it can run, the reference everywhere else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from vfl.crypto.modular.gmp import Gmp
from vfl.crypto.modular.ifma import gate
from vfl.crypto.modular.seam import Modular
from vfl.errors import ConfigError

B = TypeVar("B")

FAST = "ifma"


def best(workers: int = 1, wanted: str | None = None, cache: Path | None = None) -> Modular:
    """Return the fastest backend that runs here, or the one `wanted` by name: ifma or gmp.

    Raises ConfigError where the one wanted cannot run.  The first call on a machine compiles for some
    seconds in a process of its own; what it makes, 2 MB, is kept in `cache`, by default ~/.cache/vfl.
    """

    def fast(folder: Path) -> Modular:
        from vfl.crypto.modular.ifma.backend import Ifma

        return Ifma(workers, folder)

    return fastest("arithmetic", wanted, fast, "gmp", lambda: Gmp(workers), cache)


def fastest(
    subject: str,
    wanted: str | None,
    fast: Callable[[Path], B],
    reference_name: str,
    reference: Callable[[], B],
    cache: Path | None,
) -> B:
    """Return the backend that `best` describes, of any seam with a fast and a reference one.

    `fast` imports and makes its backend, keeping compiled kernels in the folder that it is given;
    `subject` is what the error says cannot be computed as wanted.
    """
    names = FAST, reference_name
    if wanted not in (None, "", *names):
        raise ConfigError(subject, f"{wanted} is unknown", f"one of {', '.join(names)}")
    if wanted == reference_name:
        return reference()
    lacking = gate.missing()
    if lacking is None:
        try:
            return fast(cache or Path.home() / ".cache" / "vfl")
        except (OSError, RuntimeError, subprocess.CalledProcessError) as e:
            lacking = f"its kernels could not be compiled and kept: {e}"
    if wanted == FAST:
        raise ConfigError(subject, lacking, f"leave the choice open, or choose {reference_name}")
    return reference()
