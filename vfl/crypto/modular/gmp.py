"""The reference backend: GMP through gmpy2, spread over processes by joblib.

gmpy2 holds the GIL in loops of products, so those run in worker processes; decryption lists
release it and run in threads.  Workers are pure functions of their arguments: randomness is drawn
in the calling process and handed to them through pipes, never through files.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gmpy2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from vfl.crypto.modular import kernels
from vfl.crypto.modular.residues import Residues, from_mpz, to_mpz

T = TypeVar("T")

SMALL = 256
"""Batches of fewer rows than this are not worth a trip to a worker."""

CHUNKS = 2
"""Chunks for each worker: enough to even out their ends."""


class Gmp:
    """Modular arithmetic on GMP in `workers` processes."""

    def __init__(self, workers: int = 1) -> None:
        assert workers >= 1
        self.workers = workers

    def __repr__(self) -> str:
        return f"Gmp(workers={self.workers})"

    def multiply(self, a: Residues, b: Residues, m: int) -> Residues:
        """Return a_i b_i."""
        mod = gmpy2.mpz(m)
        return from_mpz((x * y % mod for x, y in zip(to_mpz(a), to_mpz(b), strict=True)), a.shape[1])

    def product(self, c: Residues, m: int) -> Residues:
        """Return prod_i c_i."""
        return self.sum_by_bin(c, np.zeros((len(c), 1), dtype=np.int64), [1], m)[0]

    def sum_by_bin(
        self, c: Residues, codes: NDArray[np.int64], bins: Sequence[int], m: int
    ) -> list[Residues]:
        """Return the products by bin: rows are split between workers, their products joined."""
        assert codes.shape == (len(c), len(bins))
        assert all(
            col.min(initial=0) >= 0 and col.max(initial=0) < b for col, b in zip(codes.T, bins, strict=True)
        )
        mod = gmpy2.mpz(m)
        parts = self._map(kernels.sum_by_bin, len(c), lambda s: (c[s], codes[s], list(bins), m))
        total = parts[0]
        for part in parts[1:]:
            total = [
                [x * y % mod for x, y in zip(a, b, strict=True)] for a, b in zip(total, part, strict=True)
            ]
        return [from_mpz(column, c.shape[1]) for column in total]

    def fixed_base_powers(self, base: int, exponents: Residues, m: int, times: Residues) -> Residues:
        """Return times_i base^(e_i)."""
        parts = self._map(kernels.fixed_base_powers, len(times), lambda s: (base, exponents[s], m, times[s]))
        return np.concatenate(parts)

    def row_powers(self, c: NDArray[np.uint8], k: NDArray[np.int64], m: int) -> Residues:
        """Return prod_j c_ij^(k_ij), signed, with one inversion for all rows."""
        assert c.shape[:2] == k.shape
        mod = gmpy2.mpz(m)
        parts = self._map(kernels.row_powers, len(c), lambda s: (c[s], k[s], m))
        tops = [x for part in parts for x in part[0]]
        bottoms = kernels.inverses([x for part in parts for x in part[1]], m)
        return from_mpz((x * y % mod for x, y in zip(tops, bottoms, strict=True)), c.shape[2])

    def multi_exponentiation(self, c: Residues, k: NDArray[np.int64], m: int) -> Residues:
        """Return prod_i c_i^(k_ij) for each column j, columns shared between workers."""
        assert len(c) == len(k)
        columns = np.array_split(np.arange(k.shape[1]), min(self.workers, k.shape[1]))
        jobs = [(c, k[:, part], m) for part in columns]
        parts = self._run(_pippenger_columns, jobs, small=k.size < 4 * SMALL)
        return from_mpz((x for part in parts for x in part), c.shape[1])

    def crt_decrypt(self, c: Residues, p: int, q: int) -> Residues:
        """Return the plaintexts; threads, since decryption lists release the GIL."""
        chunks = np.array_split(c, min(self.workers, max(1, len(c))))
        parts = Parallel(n_jobs=self.workers, backend="threading")(
            delayed(kernels.crt_decrypt)(chunk, p, q) for chunk in chunks
        )
        return np.concatenate(list(parts))

    def _map(self, kernel: Callable[..., T], n: int, part: Callable[[slice], tuple[Any, ...]]) -> list[T]:
        pieces = 1 if n < SMALL or self.workers == 1 else CHUNKS * self.workers
        cuts = [n * i // pieces for i in range(pieces + 1)]
        jobs = [part(slice(a, b)) for a, b in itertools.pairwise(cuts)]
        return self._run(kernel, jobs, small=pieces == 1)

    def _run(self, kernel: Callable[..., T], jobs: list[tuple[Any, ...]], *, small: bool) -> list[T]:
        if small or self.workers == 1:
            return [kernel(*job) for job in jobs]
        # max_nbytes=None: arguments hold secret exponents and must not be spilled to files
        pool = Parallel(
            n_jobs=self.workers, backend="loky", max_nbytes=None, batch_size=1, pre_dispatch="all"
        )
        return list(pool(delayed(kernel)(*job) for job in jobs))


def _pippenger_columns(c: Residues, k: NDArray[np.int64], m: int) -> list[gmpy2.mpz]:
    values = to_mpz(c)
    return [kernels.pippenger(values, column, m) for column in np.ascontiguousarray(k.T)]
