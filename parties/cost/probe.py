"""How fast this machine is: operations timed on enough of them, in two seconds, or ten without IFMA."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from parties.cost.work import Rates
from psi.group import Group
from psi.group import best as best_group
from psi.ristretto import Blinder, hash_to_group
from vfl.crypto.modular import Modular, best
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import RANDOMISER_BITS, Ciphertexts, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness

ROWS = 4096
"""Rows that are timed where the arithmetic is fast: a block of a regression."""

FEWEST = 1024
"""Rows that are timed where it is slow: fewer are encrypted without a table."""

SLICE = 0.08
"""Seconds after which an operation is not repeated again."""

PER_BYTE = 3e-9
"""Seconds a byte, sent or received, on one core: codec, journal, TLS, gRPC."""

PER_TURN = 6e-3
"""Seconds a message that is waited for, measured on loopback with a journal on a disk."""

PER_START = 1.5
"""Seconds of a training that no number of customers or columns explains, measured likewise."""


def probe_here(bits: int, randomiser_bits: str) -> tuple[Rates, str]:
    """Return the rates of this machine with all its cores, and in words what was timed."""
    cores = cores_here()
    modular = best(cores, os.environ.get("VFL_ARITHMETIC"))
    group = best_group(cores, os.environ.get("VFL_GROUP"))
    names = " and ".join(dict.fromkeys(type(one).__name__ for one in (modular, group)))
    rates = probe(modular, group, bits, RANDOMISER_BITS[randomiser_bits], cores)
    return rates, f"{names} on {cores} cores"


def probe(modular: Modular, group: Group, bits: int, randomiser_bits: int, cores: int) -> Rates:
    """Return the seconds of every operation, with the cores that the backends use."""
    rng = Randomness()
    begun = time.perf_counter()
    private = PrivateKey.generate(bits, rng, modular)
    generated = time.perf_counter() - begun
    key = PublicKey(private.public.n, modular, randomiser_bits)
    table = _took(lambda: key.encrypt(np.arange(FEWEST), rng))
    few = _fitting(lambda n: key.encrypt(np.arange(n), rng))
    c = key.encrypt(np.arange(few), rng)
    numbers = np.random.default_rng(0).integers(-(1 << 20), 1 << 20, (few, 8))
    codes = np.abs(numbers) % 33
    packing = Packing(max(few // 8, 1), 90, key.n)
    bare = key.lift(np.zeros(packing.count, np.int64))
    ids = [f"customer {i}" for i in range(few)]
    blinder = Blinder(rng, group)
    points = blinder.blind(hash_to_group(ids, b"probe", group))
    plain = [int(x) << 40 for x in numbers[:, 0]]
    few_opened, fewer = few // 8, few // 32
    return Rates(
        start=PER_START,
        key=generated,
        table=table,
        encrypt=_each(few, lambda: key.encrypt(numbers[:, 0], rng)),
        lift=_each(few, lambda: key.randomise(key.lift(plain), rng)),
        rerandomise=_each(few, lambda: key.rerandomise(c, rng)),
        few=_each(FEWEST // 2, lambda: key.encrypt(numbers[: FEWEST // 2, 0], rng)),
        refresh=_each(fewer, lambda: key.randomise_fully(c[:fewer], rng)),
        check=_each(few, lambda: key.check(c, few, "the probe")),
        add=_each(few, lambda: key.add(c, c)),
        sum=_each(8 * few, lambda: key.sum_by_bin(c, codes, [33] * 8)),
        power=_each(few // 4 * 4, lambda: _products(key, c, numbers)),
        term=_each(8 * few, lambda: key.weighted_sums(c, numbers)),
        pack=_each(packing.count, lambda: key.pack(bare, packing)),
        decrypt=_each(few_opened, lambda: private.decrypt(c[:few_opened])),
        map_id=_each(few, lambda: blinder.blind(hash_to_group(ids, b"probe", group))),
        raise_id=_each(few, lambda: blinder.blind(points)),
        byte=PER_BYTE / cores,
        turn=PER_TURN,
    )


def _products(
    key: PublicKey, c: Ciphertexts, numbers: np.ndarray[tuple[int, int], np.dtype[np.int64]]
) -> None:
    rows = len(c) // 4
    key.row_products(c[: 4 * rows], numbers[:rows, :4])


def _fitting(work: Callable[[int], object]) -> int:
    """Return how many rows, a power of two from FEWEST to ROWS, take about a slice."""
    rows = FEWEST
    while rows < ROWS and _took(lambda: work(rows)) < SLICE / 2:  # noqa: B023
        rows *= 2
    return rows


def _each(count: int, work: Callable[[], object]) -> float:
    """Return the seconds of one of `count` operations: the best of as many trials as fit a slice."""
    best, left = _took(work), SLICE
    while left > best:
        took = _took(work)
        best, left = min(best, took), left - took
    return best / max(count, 1)


def _took(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def cores_here() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
