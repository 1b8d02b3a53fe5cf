"""Kernels: numba's compiler with our options, and the folder that keeps what it made.

A folder of its own for every state of the sources, the compiler and the CPU: numba itself looks only
at the file that a kernel stands in.  A child process fills it, since the compiler takes seconds and
hundreds of megabytes; later processes load from it in a fraction of a second.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
import numpy as np
from llvmlite import binding
from numba import njit, types
from numba.core import config

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = {"nogil": True, "boundscheck": False, "no_cfunc_wrapper": True, "error_model": "numpy"}

INTEGER = types.intp
ROWS = types.uint64[::1]
READ_ONLY = types.Array(types.uint64, 1, "C", readonly=True)
"""Takes what may be written as well; what comes from the wire may not."""
BYTES = types.Array(types.uint8, 1, "C", readonly=True)
SIGNED = types.Array(types.int64, 1, "C", readonly=True)
NUMBERS = types.int64[::1]

KERNELS = "fixed_base", "lists", "powers", "decryption", "conversion"

_entries: list[tuple[Any, Any]] = []

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from vfl.crypto.modular.ifma.compiled import fill
fill(sys.argv[2])
"""


def device(f: F) -> F:
    """Return a function that kernels call."""
    return cast(F, njit(**OPTIONS)(f))


def entry(*arguments: Any) -> Callable[[F], F]:
    """Return a kernel with these types of arguments; it returns nothing and holds no lock."""

    def decorate(f: F) -> F:
        kernel = njit(**OPTIONS)(f)
        _entries.append((kernel, types.void(*arguments)))
        return cast(F, kernel)

    return decorate


@functools.cache
def ready(cache: Path) -> Path:
    """Load all kernels, compiling them first if `cache` lacks them; return the folder used.

    Raises OSError where the folder cannot be written, CalledProcessError where compiling fails.
    """
    folder = cache / f"ifma-{_state()}"
    if not _complete(folder).exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    _load(folder)
    return folder


def fill(folder: str) -> None:
    """Compile all kernels into `folder`; only one process at a time does."""
    with (Path(folder) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _complete(Path(folder)).exists():
            _load(Path(folder))
            _complete(Path(folder)).touch()


def _complete(folder: Path) -> Path:
    return folder / "complete"


def _load(folder: Path) -> None:
    for name in KERNELS:
        __import__(f"{__package__}.{name}")
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        for kernel, signature in _entries:
            kernel.enable_caching()
            kernel.compile(signature)
            kernel.disable_compile()
    finally:
        config.CACHE_DIR = before


def _state() -> str:
    """A name for all that compiled code depends on, and for where its sources lie: numba looks there."""
    state = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        state.update(f"{source}\0".encode() + source.read_bytes())
    versions = platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__
    state.update(json.dumps([versions, binding.get_host_cpu_name()]).encode())
    state.update(json.dumps(sorted(binding.get_host_cpu_features().items())).encode())
    state.update(json.dumps([config.CPU_NAME, config.CPU_FEATURES]).encode())
    return state.hexdigest()[:16]
