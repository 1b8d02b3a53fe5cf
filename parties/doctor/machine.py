"""This machine: Python and libraries, cores and memory, the arithmetic and whether it is right."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from parties.clusters.choice import cluster
from parties.config.resources import Compute
from parties.doctor.finding import Finding, doubtful, failed, fine
from psi.group import best as best_group
from vfl import __version__
from vfl.crypto.modular import best, from_pairs
from vfl.crypto.modular.ifma import gate
from vfl.crypto.paillier import PrivateKey
from vfl.crypto.randomness import Randomness
from vfl.errors import ConfigError, VflError

LIBRARIES = ("numpy", "scikit-learn", "phe", "gmpy2", "rbcl", "grpcio", "cryptography", "pyarrow", "numba")
"""Those whose version an answer to a question needs; numba alone may be missing."""

LITTLE_MEMORY = 1 << 30
"""Bytes under which a run of 100,000 customers gets short: see README, peak memory."""

TRIALS = np.array([0, 1, -1, 2**40, -(2**40)], np.int64)


def machine(compute: Compute) -> Iterator[Finding]:
    """Yield what there is to say of this machine and of the party's cluster, if it has one."""
    cores = compute.processes
    yield _python()
    yield _cores(cores)
    yield _memory()
    yield _kernels()
    yield _group(cores)
    yield _arithmetic(cores)
    if compute.backend != "threads":
        yield _cluster(compute)


def _python() -> Finding:
    found = {name: _version(name) for name in LIBRARIES}
    shown = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    missing = [name for name, number in found.items() if not number and name != "numba"]
    seen = f"vfl {__version__}, Python {platform.python_version()}, {shown}"
    if missing:
        return failed("python", ConfigError(seen, f"{', '.join(missing)} missing", "pip install vfl"))
    return fine("python", seen)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _cores(allowed: int | None) -> Finding:
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if allowed is not None and allowed > there:
        mend = f"set compute.processes to {there}, or leave it out"
        return doubtful("cores", f"{allowed} are to be used, and there are {there}", mend)
    return fine("cores", f"{allowed or there} of {there} are used")


def _memory() -> Finding:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return fine("memory", "this system does not say how much is free")
    numbers = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}
    free, all_ = numbers["MemAvailable"], numbers["MemTotal"]
    seen = f"{free / 1e9:.1f} of {all_ / 1e9:.1f} GB are free"
    if free < LITTLE_MEMORY:
        return doubtful("memory", seen, "a run of 100,000 customers takes a gigabyte a party: make room")
    return fine("memory", seen)


def _kernels() -> Finding:
    lacking = gate.missing()
    if lacking is None:
        return fine("kernels", "AVX-512 IFMA")
    mend = "runs take ten times as long"
    if "numba" in lacking:
        mend += ": pip install 'vfl[fast]'"
    return doubtful("kernels", f"none: {lacking}", mend)


def _group(cores: int | None) -> Finding:
    """Say in which group ids are compared."""
    try:
        chosen = best_group(cores or os.cpu_count() or 1, os.environ.get("VFL_GROUP"))
    except VflError as error:
        return failed("ids", error)
    return fine("ids", f"ristretto255 by {type(chosen).__name__.lower()}")


def _arithmetic(cores: int | None) -> Finding:
    """Encrypt with the arithmetic that a run would use, decrypt with python-paillier."""
    try:
        chosen = best(cores or os.cpu_count() or 1, os.environ.get("VFL_ARITHMETIC"))
    except VflError as error:
        return failed("arithmetic", error)
    name = type(chosen).__name__.lower()
    private = PrivateKey.generate(2048, Randomness(), chosen)
    begun = time.perf_counter()
    encrypted = private.public.encrypt(TRIALS, Randomness())
    took = (time.perf_counter() - begun) * 1000
    oracle, n = private.as_phe(), private.public.n
    opened = [oracle.raw_decrypt(c) for c in from_pairs(encrypted.pairs, n)]
    expected = [int(value) % n for value in TRIALS]
    if opened != expected or private.decrypt(encrypted) != expected:
        wrong = ConfigError(name, "computes wrongly on this machine", "VFL_ARITHMETIC=gmp; please report it")
        return failed("arithmetic", wrong)
    return fine(
        "arithmetic",
        f"{name}, agrees with python-paillier; table and {len(TRIALS)} encryptions {took:.0f} ms",
    )


def _cluster(compute: Compute) -> Finding:
    """Reach the cluster, and have a worker answer."""
    try:
        found = cluster(compute)
    except VflError as error:
        return failed("cluster", error)
    assert found is not None
    return fine("cluster", f"{compute.backend} at {compute.address}, {found.slots} chunks at once")
