"""The one gate: whether this process may call the kernels."""

from __future__ import annotations

import sys

NEEDED = ("avx512f", "avx512ifma")


def missing() -> str | None:
    """Return what the kernels lack here, None where they may be called."""
    if sys.platform == "win32":
        return "tried on Linux only"
    try:
        from llvmlite import binding
        from numba.core import config
    except ImportError:
        return "numba is not installed"
    if config.DISABLE_JIT:
        return "numba compiles nothing here"
    # numba compiles for a CPU by name where it is told to, whatever the CPU can do
    if (config.CPU_NAME or binding.get_host_cpu_name()) != binding.get_host_cpu_name():
        return "numba compiles for another CPU here"
    return lacking(binding.get_host_cpu_features(), config.CPU_FEATURES)


def lacking(host: dict[str, bool], asked: str | None) -> str | None:
    """Return what `host` has not or `asked` leaves out, None if nothing.

    `host` also says what the operating system saves of the registers (llvmlite reads XGETBV).
    """
    for feature in NEEDED:
        if not host.get(feature):
            return f"the CPU has no {feature}"
        if asked and f"+{feature}" not in asked.split(","):
            return f"numba is told to do without {feature}"
    return None
