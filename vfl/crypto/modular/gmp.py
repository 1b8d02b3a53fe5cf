"""The reference backend: GMP through gmpy2, spread over processes by joblib.

gmpy2 holds the GIL in loops of products, so those run in worker processes; decryption lists
release it and run in threads.  Workers are pure functions of their arguments: randomness is drawn
in the calling process and handed to them through pipes, never through files.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from vfl.crypto.modular import kernels
from vfl.crypto.modular.pairs import Pair, Pairs, divide, load, store, times
from vfl.crypto.modular.residues import Residues
from vfl.crypto.modular.workers import end_with_parent

T = TypeVar("T")

SMALL = 256
"""Batches of fewer rows than this are not worth a trip to a worker."""

FEW_GROUPS = 16
"""Packing fewer groups than this is not worth it either: 0.1 s at 2048 bits."""

CHUNKS = 2
"""Chunks for each worker: enough to even out their ends."""


class Gmp:
    """Modular arithmetic on GMP in `workers` processes."""

    def __init__(self, workers: int = 1) -> None:
        assert workers >= 1
        self.workers = workers

    def __repr__(self) -> str:
        return f"Gmp(workers={self.workers})"

    def multiply(self, a: Pairs, b: Pairs, n: int) -> Pairs:
        """Return a_i b_i."""
        return store(_multiply(load(a), load(b), n), a.shape[1])

    def product(self, c: Pairs, n: int) -> Pairs:
        """Return prod_i c_i."""
        return self.sum_by_bin(c, np.zeros((len(c), 1), dtype=np.int64), [1], n)[0]

    def sum_by_bin(self, c: Pairs, codes: NDArray[np.int64], bins: Sequence[int], n: int) -> list[Pairs]:
        """Return the products by bin: rows are split between workers, their products joined."""
        assert codes.shape == (len(c), len(bins))
        assert all(
            col.min(initial=0) >= 0 and col.max(initial=0) < b for col, b in zip(codes.T, bins, strict=True)
        )
        parts = self._map(kernels.sum_by_bin, len(c), lambda s: (c[s], codes[s], list(bins), n))
        total = parts[0]
        for part in parts[1:]:
            total = [_multiply(a, b, n) for a, b in zip(total, part, strict=True)]
        return [store(column, c.shape[1]) for column in total]

    def fixed_base_powers(self, base: int, exponents: Residues, n: int, factors: Pairs) -> Pairs:
        """Return factor_i base^(e_i)."""
        kernel, count = kernels.fixed_base_powers, len(factors)
        return np.concatenate(self._map(kernel, count, lambda s: (base, exponents[s], n, factors[s])))

    def row_powers(self, c: NDArray[np.uint8], k: NDArray[np.int64], n: int) -> Pairs:
        """Return prod_j c_ij^(k_ij), signed, with one inversion for all rows."""
        assert c.shape[:2] == k.shape
        parts = self._map(kernels.row_powers, len(c), lambda s: (c[s], k[s], n))
        tops = [x for part in parts for x in part[0]]
        bottoms = [x for part in parts for x in part[1]]
        return store(divide(tops, bottoms, mpz(n)), c.shape[2])

    def multi_exponentiation(self, c: Pairs, k: NDArray[np.int64], n: int) -> Pairs:
        """Return prod_i c_i^(k_ij) for each column j, columns shared between workers."""
        assert len(c) == len(k)
        columns = np.array_split(np.arange(k.shape[1]), min(self.workers, k.shape[1]))
        jobs = [(c, k[:, part], n) for part in columns]
        parts = self._run(_pippenger_columns, jobs, small=k.size < 4 * SMALL)
        tops, bottoms = zip(*(x for part in parts for x in part), strict=True)
        return store(divide(tops, bottoms, mpz(n)), c.shape[1])

    def packed(self, c: Pairs, slots: int, bits: int, n: int) -> Pairs:
        """Return prod_j c_j^(2^(bits j)) for each group of `slots` rows, groups shared between workers."""
        assert slots > 0 and bits >= 0
        groups, kernel = -(-len(c) // slots), kernels.packed

        def part(s: slice) -> tuple[Any, ...]:
            return c[s.start * slots : s.stop * slots], slots, bits, n

        return np.concatenate(self._map(kernel, groups, part, least=FEW_GROUPS))

    def powers(self, c: Pairs, exponent: int, n: int) -> Pairs:
        """Return c_i^exponent; threads, since lists of powers release the GIL."""
        assert exponent > 0
        return self._threads(lambda chunk: kernels.powers(chunk, exponent, n), c)

    def shares_a_factor(self, c: Pairs, n: int) -> bool:
        """Return whether any c_i has a factor in common with n."""
        return any(self._map(kernels.shares_a_factor, len(c), lambda s: (c[s], n)))

    def crt_decrypt(self, c: Pairs, p: int, q: int) -> Residues:
        """Return the plaintexts; threads, since decryption lists release the GIL."""
        return self._threads(lambda chunk: kernels.crt_decrypt(chunk, p, q), c)

    def _threads(self, kernel: Callable[[Pairs], NDArray[np.uint8]], c: Pairs) -> NDArray[np.uint8]:
        from joblib import Parallel, delayed

        chunks = np.array_split(c, min(self.workers, max(1, len(c))))
        parts = Parallel(n_jobs=self.workers, backend="threading")(delayed(kernel)(chunk) for chunk in chunks)
        return np.concatenate(list(parts))

    def _map(
        self,
        kernel: Callable[..., T],
        count: int,
        part: Callable[[slice], tuple[Any, ...]],
        least: int = SMALL,
    ) -> list[T]:
        pieces = 1 if count < least or self.workers == 1 else CHUNKS * self.workers
        cuts = [count * i // pieces for i in range(pieces + 1)]
        jobs = [part(slice(a, b)) for a, b in itertools.pairwise(cuts)]
        return self._run(kernel, jobs, small=pieces == 1)

    def _run(self, kernel: Callable[..., T], jobs: list[tuple[Any, ...]], *, small: bool) -> list[T]:
        if small or self.workers == 1:
            return [kernel(*job) for job in jobs]
        from joblib import Parallel, delayed  # a tenth of a second, of no use to the other backend

        # max_nbytes=None: arguments hold secret exponents and must not be spilled to files
        pool = Parallel(
            n_jobs=self.workers,
            backend="loky",
            max_nbytes=None,
            batch_size=1,
            pre_dispatch="all",
            initializer=end_with_parent,
        )
        return list(pool(delayed(kernel)(*job) for job in jobs))


def _multiply(a: list[Pair], b: list[Pair], n: int) -> list[Pair]:
    mod = mpz(n)
    return [times(x, y, mod) for x, y in zip(a, b, strict=True)]


def _pippenger_columns(c: Pairs, k: NDArray[np.int64], n: int) -> list[tuple[Pair, Pair]]:
    values = load(c)
    return [kernels.pippenger(values, column, n) for column in np.ascontiguousarray(k.T)]
