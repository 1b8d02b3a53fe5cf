"""Kernels: numba's compiler with our options, and the folder that keeps what it made.

A folder of its own for every state of the sources, the compiler and the CPU: numba itself looks only
at the file that a kernel stands in.  A child process fills it, since the compiler takes seconds and
hundreds of megabytes; later processes load from it in a fraction of a second.  Whoever fills one
removes those that no process has used for `KEPT` days.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
import numpy as np
from llvmlite import binding
from numba import _dynfunc, njit, types
from numba.core import config
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.cpu import CPUContext
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = {"nogil": True, "boundscheck": False, "no_cfunc_wrapper": True, "error_model": "numpy"}

INTEGER = types.intp
ROWS = types.uint64[::1]
READ_ONLY = types.Array(types.uint64, 1, "C", readonly=True)
"""Takes what may be written as well; what comes from the wire may not."""
BYTES = types.Array(types.uint8, 1, "C", readonly=True)
SIGNED = types.Array(types.int64, 1, "C", readonly=True)
NUMBERS = types.int64[::1]

KERNELS = tuple(
    f"{__package__}.{name}"
    for name in ("fixed_base", "lists", "powers", "packing", "decryption", "conversion")
)
"""The modules of the kernels on pairs; whoever has kernels of his own names their modules."""

PREFIX = "ifma-"
"""What the names of all folders begin with."""

KEPT = 30
"""Days for which compiled kernels are kept that no process uses."""

DAY = 86_400

_entries: list[tuple[Any, Any]] = []

_loading = threading.Lock()

_CHILD = """
import gc, json, sys
gc.set_threshold(20_000)  # looking for garbage as often as by default is a tenth of the time
sys.path[:] = json.loads(sys.argv[1])
from vfl.crypto.modular.ifma.compiled import fill
fill(*sys.argv[2:])
"""


class _Part(JITCodeLibrary):  # type: ignore[misc]
    """Optimised code of which no machine code is made before it is part of a kernel."""

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _PartCompiler(Compiler):  # type: ignore[misc]
    """numba's compiler for functions that no one calls but kernels.

    The usual one makes machine code of each by itself as well: a sixth of the time.
    """

    def define_pipelines(self) -> Any:
        self.state.library = _Part(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.targetctx.get_executable = _not_executable
        return super().define_pipelines()


def _not_executable(part: _Part, description: Any, environment: Any) -> Any:
    """Return what numba knows the function by; it has no address."""
    part.finalize()
    return _dynfunc.make_function(
        description.lookup_module(), description.qualname, "", 0, environment, (part,)
    )


def device(f: F) -> F:
    """Return a function that kernels call; Python cannot, as there is no wrapper that would take its objects.

    Wrappers that no one calls would be a twelfth of the time that compiling takes.
    """
    return cast(F, njit(**OPTIONS, no_cpython_wrapper=True, pipeline_class=_PartCompiler)(f))


def entry(*arguments: Any) -> Callable[[F], F]:
    """Return a kernel with these types of arguments; it returns nothing and holds no lock."""

    def decorate(f: F) -> F:
        kernel = njit(**OPTIONS)(f)
        _entries.append((kernel, types.void(*arguments)))
        return cast(F, kernel)

    return decorate


def ready(cache: Path, modules: tuple[str, ...] = KERNELS) -> Path:
    """Load the kernels of these modules, compiling them first if `cache` lacks them; return the folder used.

    Only one thread of a process does; the others wait for it.  Raises OSError where the folder cannot be
    written, CalledProcessError where compiling fails.
    """
    with _loading:
        return _loaded(cache, modules)


@functools.cache
def _loaded(cache: Path, modules: tuple[str, ...]) -> Path:
    folder = cache / f"{PREFIX}{_state(modules)}"
    if not _complete(folder).exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), str(folder), *modules]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    _load(folder, modules)
    with suppress(OSError):  # who may only read the folder does not keep it from being removed
        os.utime(_complete(folder))
    return folder


def fill(folder: str, *modules: str) -> None:
    """Compile the kernels of these modules into `folder`; only one process at a time does."""
    with (Path(folder) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _complete(Path(folder)).exists():
            _compile(Path(folder), modules)
            _complete(Path(folder)).touch()
    remove_unused_beside(Path(folder))


def remove_unused_beside(used: Path) -> None:
    """Remove kernels of other sources, compilers or CPUs that were last used `KEPT` days before these."""
    for folder in used.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process removes it, or it is not ours
            if _last_used(used) - _last_used(folder) > KEPT * DAY:
                shutil.rmtree(folder)


def _last_used(folder: Path) -> float:
    complete = _complete(folder)
    return (complete if complete.exists() else folder).stat().st_mtime


def _complete(folder: Path) -> Path:
    return folder / "complete"


def _compile(folder: Path, modules: tuple[str, ...]) -> None:
    for kernel, signature in _kept(folder, modules):
        kernel.enable_caching()
        kernel.compile(signature)


def _load(folder: Path, modules: tuple[str, ...]) -> None:
    """Load what `folder` holds; what a damaged one lacks is compiled."""
    context = _Loader(cpu_target.typing_context)
    for kernel, signature in _kept(folder, modules):
        found = FunctionCache(kernel.py_func).load_overload(signature, context)
        if found is None:
            kernel.enable_caching()
            kernel.compile(signature)
        else:
            kernel.add_overload(found)
        kernel.disable_compile()


class _Loader(CPUContext):  # type: ignore[misc]
    """numba's context for compiled code alone.

    The usual one first learns every function that numba can compile, which imports most of numba and
    some of scipy: three quarters of the time that loading took.  Compiled code needs the allocator.
    """

    def refresh(self) -> None:
        rtsys.initialize(self)


def _kept(folder: Path, modules: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    """Yield the kernels of these modules and their types, with numba's cache in `folder` meanwhile."""
    for name in modules:
        importlib.import_module(name)
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        yield from [pair for pair in _entries if pair[0].py_func.__module__ in modules]
    finally:
        config.CACHE_DIR = before


def _state(modules: tuple[str, ...]) -> str:
    """A name for all that compiled code depends on, and for where and of when its sources are.

    numba loads nothing that it compiled from another place or an older file.
    """
    state = hashlib.sha256()
    for source in _sources(modules):
        state.update(f"{source}\0{source.stat().st_mtime_ns}\0".encode() + source.read_bytes())
    versions = platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__
    state.update(json.dumps([versions, binding.get_host_cpu_name()]).encode())
    state.update(json.dumps(sorted(binding.get_host_cpu_features().items())).encode())
    state.update(json.dumps([config.CPU_NAME, config.CPU_FEATURES]).encode())
    return state.hexdigest()[:16]


def _sources(modules: tuple[str, ...]) -> list[Path]:
    """Return the files of this package and of the packages that the modules stand in."""
    packages = {str(__package__), *(name.rpartition(".")[0] for name in modules)}
    folders = [Path(str(importlib.import_module(package).__file__)).parent for package in packages]
    return sorted(source for folder in folders for source in folder.glob("*.py"))
