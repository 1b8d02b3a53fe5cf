"""The fast backend: exact at every edge and size, and never chosen where it cannot run."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gmpy2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeded import Seeded

from vfl.crypto.modular import Gmp, Modular, Pairs, best, from_pairs, to_ints, to_pairs, width_of
from vfl.crypto.modular.ifma import gate
from vfl.crypto.paillier import PrivateKey
from vfl.errors import ConfigError

LACKING = gate.missing()
fast = pytest.mark.skipif(LACKING is not None, reason=str(LACKING))

REFERENCE = Gmp()
KEY = PrivateKey.insecure_short_key_for_tests_only(2048, Seeded(1))
N = KEY.public.n


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def ifma(request: pytest.FixtureRequest) -> Modular:
    return best(request.param, "ifma")


def random_pairs(rows: int, n: int, seed: int = 1) -> Pairs:
    """Numbers modulo n^2 that are coprime to n."""
    rng = np.random.default_rng(seed)
    drawn = (int.from_bytes(rng.bytes(4 * width_of(n)), "little") % (n * n) for _ in range(2 * rows + 20))
    return to_pairs([v for v in drawn if math.gcd(v, n) == 1][:rows], n)


def edges(n: int) -> Pairs:
    """Every pair of numbers that are zero, one, all ones, or just below n."""
    full = ((1 << 52 * (n.bit_length() // 52)) - 1) % n
    numbers = [0, 1, 2, full, n // 2, n - 2, n - 1]
    return to_pairs([x0 + x1 * n for x0 in numbers for x1 in numbers], n)


def chosen(*, wanted: str | None = None, before: str = "", **environment: str) -> str:
    """Return what a new process chooses."""
    code = f"{before}\nfrom vfl.crypto.modular import best\nprint(best(2, {wanted!r}))"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, json\nsys.path[:] = json.loads(sys.argv[1])\n{code}", paths()],
        env={"HOME": str(Path.home()), **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip()


def paths() -> str:
    """Return where this process finds modules."""
    return json.dumps([str(Path(p).resolve()) for p in sys.path])


@fast
@pytest.mark.parametrize(
    "n",
    [N, (1 << 2048) - 1, (1 << 2047) + 1, (1 << 3072) - 1, 255, 257],
    ids=["key", "all ones", "sparse", "3072 ones", "255", "257"],
)
def test_products_of_edges_are_exact(ifma: Modular, n: int) -> None:
    c = edges(n)
    a, b = np.repeat(c, len(c), axis=0), np.tile(c, (len(c), 1))
    assert (ifma.multiply(a, b, n) == REFERENCE.multiply(a, b, n)).all()


@fast
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_products_modulo_any_odd_number_are_exact_for_any_bytes(data: st.DataObject) -> None:
    n = data.draw(st.integers(1 << 8, 1 << data.draw(st.integers(9, 700)))) | 1
    rows, width = data.draw(st.integers(1, 9)), 2 * width_of(n)
    raw = data.draw(st.binary(min_size=2 * rows * width, max_size=2 * rows * width))
    a, b = np.frombuffer(raw, np.uint8).reshape(2, rows, width)
    got = from_pairs(best(1, "ifma").multiply(a, b, n), n)
    wanted = zip(from_pairs(a, n), from_pairs(b, n), strict=True)
    assert got == [x * y % (n * n) for x, y in wanted]


@fast
@pytest.mark.parametrize("n", [N, (1 << 2048) - 1, (1 << 3072) - 1, 255], ids=["key", "ones", "3072", "255"])
def test_edges_are_packed_and_raised_exactly(ifma: Modular, n: int) -> None:
    c = edges(n)
    for slots, bits in ((3, 83), (24, 5)):
        assert (ifma.packed(c, slots, bits, n) == REFERENCE.packed(c, slots, bits, n)).all()
    assert (ifma.powers(c, n, n) == REFERENCE.powers(c, n, n)).all()


@fast
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes_in_any_groups_are_packed_exactly(data: st.DataObject) -> None:
    n = data.draw(st.integers(1 << 8, 1 << data.draw(st.integers(9, 700)))) | 1
    rows, width = data.draw(st.integers(1, 40)), 2 * width_of(n)
    slots, bits = data.draw(st.integers(1, 12)), data.draw(st.integers(0, 90))
    raw = data.draw(st.binary(min_size=rows * width, max_size=rows * width))
    c = np.frombuffer(raw, np.uint8).reshape(rows, width)
    values = from_pairs(c, n)
    want = [
        math.prod(pow(v, 1 << bits * j, n * n) for j, v in enumerate(values[i : i + slots])) % (n * n)
        for i in range(0, rows, slots)
    ]
    assert from_pairs(best(1, "ifma").packed(c, slots, bits, n), n) == want


@fast
def test_bytes_that_are_not_aligned_are_read_all_the_same(ifma: Modular) -> None:
    c = random_pairs(20, N)
    shifted = np.frombuffer(b"\0" + c.tobytes(), np.uint8)[1:].reshape(c.shape)
    assert (ifma.multiply(shifted, c[::-1], N) == REFERENCE.multiply(c, c[::-1], N)).all()


@fast
@pytest.mark.parametrize("size", [1, 2, 3, 40, 56, 128])
def test_exponents_of_any_length_are_taken(ifma: Modular, size: int) -> None:
    factors = random_pairs(21, N)
    e = np.random.default_rng(size).integers(0, 256, (21, size), dtype=np.uint8)
    e[0], e[1], e[2] = 0, 255, np.arange(size) == 0
    got = from_pairs(ifma.fixed_base_powers(N - 3, e, N, factors), N)
    wanted = zip(from_pairs(factors, N), to_ints(e), strict=True)
    assert got == [f * pow(N - 3, x, N * N) % (N * N) for f, x in wanted]


@fast
@pytest.mark.parametrize("q", [1, 2, 3, 5, 6, 11])
@pytest.mark.parametrize("bits", [0, 1, 20, 62])
def test_powers_of_rows_are_exact_at_the_ends_of_their_range(ifma: Modular, q: int, bits: int) -> None:
    c = random_pairs(19 * q, N).reshape(19, q, -1)
    k = np.random.default_rng(q).integers(-(1 << bits), 1 << bits, (19, q))
    k[0], k[1], k[2], k[3] = 0, -(1 << bits), (1 << bits) - 1, -1
    assert (ifma.row_powers(c, k, N) == REFERENCE.row_powers(c, k, N)).all()


@fast
@pytest.mark.parametrize("bits", [0, 1, 7, 24, 62])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_columns_of_powers_are_exact_at_the_ends_of_their_range(ifma: Modular, rows: int, bits: int) -> None:
    c = random_pairs(rows, N)
    k = np.random.default_rng(rows).integers(-(1 << bits), 1 << bits, (rows, 4))
    k[:, 0], k[:, 1], k[0, 2] = -(1 << bits), (1 << bits) - 1, 0
    assert (ifma.multi_exponentiation(c, k, N) == REFERENCE.multi_exponentiation(c, k, N)).all()


@fast
def test_the_least_and_the_greatest_exponent_of_64_bits_are_taken(ifma: Modular) -> None:
    c, ends = random_pairs(2, N), np.array([[-(1 << 63), (1 << 63) - 1]])
    x, y = from_pairs(c, N)
    want = [pow(x, -(1 << 63), N * N) * pow(y, (1 << 63) - 1, N * N) % (N * N)]
    assert from_pairs(ifma.row_powers(c[None], ends, N), N) == want
    assert from_pairs(ifma.multi_exponentiation(c, ends.T, N), N) == want


@fast
@pytest.mark.parametrize(
    ("rows", "bins"), [(1, [1]), (9, [1, 40]), (700, [3, 1, 300]), (700, [1]), (33_000, [2])], ids=str
)
def test_any_shape_of_bins_is_summed(ifma: Modular, rows: int, bins: list[int]) -> None:
    n = N if rows < 10_000 else 0xF0000000000000AB
    c = np.resize(random_pairs(min(rows, 700), n), (rows, 2 * width_of(n)))
    rng = np.random.default_rng(rows)
    codes = np.column_stack([np.minimum(rng.geometric(0.3, rows) - 1, b - 1) for b in bins])
    got, want = ifma.sum_by_bin(c, codes, bins, n), REFERENCE.sum_by_bin(c, codes, bins, n)
    assert all((g == w).all() for g, w in zip(got, want, strict=True))


@fast
@pytest.mark.parametrize(
    "n", [N, (1 << 2048) - 1, (1 << 1985) + 1, 257], ids=["key", "ones", "sparse", "257"]
)
def test_sums_of_any_bytes_are_exact_for_any_number_of_rows(ifma: Modular, n: int) -> None:
    c, bins = np.full((1300, 2 * width_of(n)), 255, np.uint8), [1, 2, 40]
    codes = np.column_stack([np.zeros(1300, np.int64), np.arange(1300) < 7, np.arange(1300) % 37])
    (x,) = from_pairs(c[:1], n)
    for column, sums, b in zip(codes.T, ifma.sum_by_bin(c, codes, bins, n), bins, strict=True):
        assert from_pairs(sums, n) == [pow(x, int(k), n * n) for k in np.bincount(column, minlength=b)]


@fast
@pytest.mark.parametrize("bits", [64, 200, 320, 512, 1536, 3072])
def test_keys_of_any_length_decrypt(ifma: Modular, bits: int) -> None:
    p, q = (int(gmpy2.next_prime((3 << (bits // 2 - 2)) + salt)) for salt in (0, 12345))
    n = p * q
    plain = [0, 1, n - 1, p, q, n // 2, *(v % n for v in from_pairs(random_pairs(30, n), n))]
    c = to_pairs([int((1 + m * n) * gmpy2.powmod(3 + i, n, n * n) % (n * n)) for i, m in enumerate(plain)], n)
    assert to_ints(ifma.crt_decrypt(c, p, q)) == plain


@fast
def test_many_random_rows_agree_with_the_reference(ifma: Modular) -> None:
    rng, rows = np.random.default_rng(9), 1200
    e = rng.integers(0, 256, (rows, 56), dtype=np.uint8)
    c = ifma.fixed_base_powers(5, e, N, random_pairs(rows, N))
    assert (c == REFERENCE.fixed_base_powers(5, e, N, random_pairs(rows, N))).all()
    k = rng.integers(-(2**24), 2**24, (rows, 10))
    assert (ifma.multi_exponentiation(c, k, N) == REFERENCE.multi_exponentiation(c, k, N)).all()
    cube, k5 = c.reshape(-1, 5, c.shape[1]), k[: rows // 5, :5]
    assert (ifma.row_powers(cube, k5, N) == REFERENCE.row_powers(cube, k5, N)).all()
    assert (ifma.crt_decrypt(c[:400], KEY.p, KEY.q) == REFERENCE.crt_decrypt(c[:400], KEY.p, KEY.q)).all()


@fast
def test_shapes_that_do_not_fit_are_refused_before_a_kernel_runs(ifma: Modular) -> None:
    c, narrow = random_pairs(8, N), random_pairs(8, 0xF0000000000000AB)
    codes = np.zeros((8, 1), np.int64)
    for call in (
        lambda: ifma.multiply(c, c[:7], N),
        lambda: ifma.multiply(narrow, narrow, N),
        lambda: ifma.sum_by_bin(c, codes + 2, [2], N),
        lambda: ifma.sum_by_bin(c, codes - 1, [2], N),
        lambda: ifma.sum_by_bin(c, codes[:7], [2], N),
        lambda: ifma.fixed_base_powers(5, np.zeros((9, 4), np.uint8), N, c),
        lambda: ifma.fixed_base_powers(5, np.zeros((8, 5000), np.uint8), N, c),
        lambda: ifma.row_powers(c.reshape(4, 2, -1), np.zeros((4, 3), np.int64), N),
        lambda: ifma.multi_exponentiation(c, codes[:7], N),
        lambda: ifma.packed(narrow, 3, 8, N),
        lambda: ifma.packed(c, 0, 8, N),
        lambda: ifma.packed(c, 3, -1, N),
        lambda: ifma.powers(narrow, 5, N),
        lambda: ifma.powers(c, 0, N),
        lambda: ifma.crt_decrypt(narrow, KEY.p, KEY.q),
        lambda: ifma.multiply(c, c, N - 1),
    ):
        with pytest.raises(AssertionError):
            call()


@fast
def test_where_the_cpu_can_the_fast_backend_is_chosen() -> None:
    assert repr(best(2)) == "Ifma(workers=2)"
    assert repr(best(2, "gmp")) == "Gmp(workers=2)"


@pytest.mark.parametrize(
    ("host", "asked", "found"),
    [
        ({"avx512f": True, "avx512ifma": True}, None, None),
        ({"avx512f": True, "avx512ifma": True}, "+avx512f,+avx512ifma", None),
        ({"avx512f": True, "avx512ifma": False}, None, "the CPU has no avx512ifma"),
        ({}, None, "the CPU has no avx512f"),
        ({"avx512f": True, "avx512ifma": True}, "+avx512f", "numba is told to do without avx512ifma"),
    ],
)
def test_the_gate_names_what_is_lacking(host: dict[str, bool], asked: Any, found: str | None) -> None:
    assert gate.lacking(host, asked) == found


@pytest.mark.parametrize(
    "environment",
    [{"NUMBA_CPU_NAME": "generic"}, {"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_CPU_FEATURES": "+avx2"}],
)
def test_a_cpu_that_lacks_the_instructions_gets_the_reference(environment: dict[str, str]) -> None:
    assert chosen(**environment) == "Gmp(workers=2)"


def test_without_numba_the_reference_is_chosen() -> None:
    assert chosen(before="sys.modules['numba'] = None") == "Gmp(workers=2)"


def test_a_backend_that_cannot_run_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "missing", lambda: "the CPU has no avx512ifma")
    assert repr(best()) == "Gmp(workers=1)"
    with pytest.raises(ConfigError, match="arithmetic: the CPU has no avx512ifma"):
        best(1, "ifma")
    with pytest.raises(ConfigError, match="arithmetic: fpga is unknown"):
        best(1, "fpga")


@fast
def test_where_nothing_can_be_kept_the_reference_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert repr(best(1, cache=tmp_path / "file")) == "Gmp(workers=1)"
    with pytest.raises(ConfigError, match="could not be compiled and kept"):
        best(1, "ifma", tmp_path / "file")


@fast
def test_a_compiler_that_fails_leaves_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vfl.crypto.modular.ifma import compiled

    monkeypatch.setattr(compiled, "_CHILD", "raise SystemExit(1)")
    assert repr(best(1, cache=tmp_path)) == "Gmp(workers=1)"


@fast
def test_kernels_that_nobody_used_for_a_month_are_removed(tmp_path: Path) -> None:
    from vfl.crypto.modular.ifma.compiled import DAY, KEPT, remove_unused_beside

    for name, days in (("ifma-new", 0), ("ifma-used", KEPT - 1), ("ifma-unused", KEPT + 1), ("other", 99)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "complete").touch()
        os.utime(tmp_path / name / "complete", times=(time.time() - days * DAY,) * 2)
    (tmp_path / "ifma-never-completed").mkdir()
    os.utime(tmp_path / "ifma-never-completed", times=(time.time() - (KEPT + 1) * DAY,) * 2)
    remove_unused_beside(tmp_path / "ifma-new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ifma-new", "ifma-used", "other"]


@fast
def test_kernels_are_compiled_once_in_a_child_and_then_loaded(tmp_path: Path) -> None:
    code = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from pathlib import Path\n"
        "from vfl.crypto.modular.ifma import compiled\n"
        "compiled.ready(Path(sys.argv[2]), compiled.KERNELS[-1:])\n"  # all of them take half a minute
        "print([sum(k.stats.cache_misses.values()) for k, _ in compiled._entries])"
    )
    kept = []
    for _ in range(2):
        run = [sys.executable, "-c", code, paths(), str(tmp_path)]
        misses = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
        assert misses and not any(misses)  # the process itself compiles nothing, the first time either
        kept.append({p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nb*")})
    assert kept[0] == kept[1] and len(kept[0]) > 4
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
