"""Kernels: products over lists of stored rows: sums by bin, and the buckets of a multi-exponentiation.

A list names rows in segments; segment s ends before position ends[s] and its product is wanted.  The
list is cut into equal parts, one for each lane, wherever segments end: all lanes stay busy for any
number of columns and any sizes of bins.  A segment that was cut is joined from its parts at the end.
"""

from __future__ import annotations

import numpy as np

from vfl.crypto.modular.ifma.arithmetic import (
    Words,
    accumulators,
    copy,
    limbs_of,
    scratch,
    square,
    times,
    times_ahead,
)
from vfl.crypto.modular.ifma.compiled import INTEGER, NUMBERS, ROWS, SIGNED, device, entry
from vfl.crypto.modular.ifma.rows import Integers, gather, point, scatter


@entry(NUMBERS, NUMBERS, SIGNED, SIGNED)
def sort_by_code(order: Integers, ends: Integers, codes: Integers, sizes: Integers) -> None:
    """List the rows of each column in the order of their codes, and where the list of each code ends.

    `codes` holds rows of a code for each column; column j has the codes 0, ..., sizes[j] - 1, and others
    are left out.  ends[-1] is the length of the list.
    """
    columns = sizes.size
    rows, before, place = codes.size // columns, np.zeros(columns, np.int64), np.zeros(ends.size, np.int64)
    for j in range(1, columns):
        before[j] = before[j - 1] + sizes[j - 1]
    for i in range(rows):
        for j in range(columns):
            code = codes[i * columns + j]
            if 0 <= code < sizes[j]:
                place[before[j] + code] += 1
    p = 0
    for s in range(ends.size):
        p, place[s] = p + place[s], p
        ends[s] = p
    for i in range(rows):
        for j in range(columns):
            code = codes[i * columns + j]
            if 0 <= code < sizes[j]:
                order[place[before[j] + code]] = i
                place[before[j] + code] += 1


@entry(NUMBERS, SIGNED, INTEGER, INTEGER, INTEGER, INTEGER)
def signed_digits(codes: Integers, k: Integers, windows: int, w: int, first: int, end: int) -> None:
    """Codes of the digits d of k[first:end] in base 2^w, -2^(w-1) <= d < 2^(w-1), `windows` for each.

    A positive digit has code d - 1, a negative one 2^(w-1) - 1 - d, and zero -1.
    """
    half = 1 << (w - 1)
    for i in range(first, end):
        rest = k[i]
        for t in range(windows):
            d = rest & ((1 << w) - 1)
            rest >>= w
            if d >= half:
                d -= 1 << w
                rest += 1
            code = d - 1
            if d < 0:
                code = half - 1 - d
            codes[i * windows + t] = code


@device
def segment_at(ends: Integers, position: int) -> int:
    """Return the first segment that ends after a position."""
    a, b = 0, ends.size
    while a < b:
        middle = (a + b) >> 1
        if ends[middle] > position:
            b = middle
        else:
            a = middle + 1
    return a


@device
def flush(parts: Words, slot: int, X: Words, k: int, one: Words, row: int) -> None:
    """parts[slot] = the pair in lane k of X, which becomes one."""
    for j in range(row):
        parts[slot * row + j] = X[8 * j + k]
        X[8 * j + k] = one[8 * j]


@entry(ROWS, ROWS, INTEGER, SIGNED, SIGNED, INTEGER, INTEGER, INTEGER, ROWS, ROWS)
def multiply_segments(
    parts: Words,
    rows: Words,
    unit: int,
    order: Integers,
    ends: Integers,
    lanes: int,
    first: int,
    end: int,
    one: Words,
    K: Words,
) -> None:
    """The products of the segments in parts first, ..., end - 1 (in eights) of `lanes`.

    What part k holds of segment s goes to parts[s + k]; no two have one place.  rows[unit] is one.
    """
    row = 2 * limbs_of(K)
    length = ends[-1]
    chunk = -(-length // lanes)
    X, B, T = scratch(8 * row), scratch(8 * row), accumulators(K)
    at, segment, position, stop = (
        np.empty(8, np.int64),
        np.empty(8, np.int64),
        np.empty(8, np.int64),
        np.empty(8, np.int64),
    )
    for g in range(first, end, 8):
        copy(X, 0, one, 0, X.size)
        for k in range(8):
            position[k] = min((g + k) * chunk, length)
            stop[k] = min(position[k] + chunk, length)
            segment[k] = segment_at(ends, position[k])
        for _ in range(chunk):
            for k in range(8):
                p = position[k]
                at[k] = (order[p] if p < stop[k] else unit) * row
            gather(B, 0, rows, at, row)
            for k in range(8):
                p = position[k] + 1
                at[k] = (order[p] if p < stop[k] else unit) * row
            times_ahead(X, X, B, K, T, rows, at)
            for k in range(8):
                if position[k] < stop[k]:
                    position[k] += 1
                    if position[k] == ends[segment[k]] or position[k] == stop[k]:
                        flush(parts, segment[k] + g + k, X, k, one, row)
                        while segment[k] < ends.size and ends[segment[k]] <= position[k]:
                            segment[k] += 1


@entry(ROWS, ROWS, SIGNED, INTEGER, INTEGER, INTEGER, ROWS, ROWS)
def join_segments(
    out: Words, parts: Words, ends: Integers, lanes: int, first: int, end: int, one: Words, K: Words
) -> None:
    """out[s] = the product of segment s, first <= s < end; one where it is empty."""
    row = 2 * limbs_of(K)
    chunk = max(1, -(-ends[-1] // lanes))
    X, B, T = scratch(8 * row), scratch(8 * row), accumulators(K)
    at = np.empty(8, np.int64)
    start = ends[first - 1] if first > 0 else 0
    for s in range(first, end):
        a, b = s + start // chunk, s + (ends[s] - 1) // chunk  # its first part and its last
        if ends[s] == start:
            for j in range(row):
                out[s * row + j] = one[8 * j]
        elif a == b:
            copy(out, s * row, parts, a * row, row)
        else:
            point(at, a, a + 1, row)
            gather(X, 0, parts, at, row)
            for k in range(a + 1, b + 1):
                point(at, k, k + 1, row)
                gather(B, 0, parts, at, row)
                times(X, X, B, K, T)
            point(at, s, s + 1, row)
            scatter(out, at, X, row)
        start = ends[s]


@entry(ROWS, ROWS, INTEGER, INTEGER, ROWS)
def multiply_rows(out: Words, rows: Words, first: int, end: int, K: Words) -> None:
    """out = out rows / R, row by row."""
    row = 2 * limbs_of(K)
    X, B, T = scratch(8 * row), scratch(8 * row), accumulators(K)
    at = np.empty(8, np.int64)
    for i in range(first, end, 8):
        point(at, i, end, row)
        gather(X, 0, out, at, row)
        gather(B, 0, rows, at, row)
        times(X, X, B, K, T)
        scatter(out, at, X, row)


@entry(ROWS, ROWS, INTEGER, INTEGER, INTEGER, ROWS, ROWS)
def collapse(out: Words, buckets: Words, size: int, first: int, end: int, one: Words, K: Words) -> None:
    """out[i] = prod_d bucket[i, d]^(d + 1), d < size, by running products from the highest bucket down."""
    row = 2 * limbs_of(K)
    S, P, B, T = scratch(8 * row), scratch(8 * row), scratch(8 * row), accumulators(K)
    at, bucket = np.empty(8, np.int64), np.empty(8, np.int64)
    for i in range(first, end, 8):
        copy(S, 0, one, 0, S.size)
        copy(P, 0, one, 0, P.size)
        point(at, i, end, size * row)
        for d in range(size - 1, -1, -1):
            for k in range(8):
                bucket[k] = at[k] + d * row
            gather(B, 0, buckets, bucket, row)
            times(P, P, B, K, T)
            times(S, S, P, K, T)
        point(at, i, end, row)
        scatter(out, at, S, row)


@entry(ROWS, ROWS, INTEGER, INTEGER, INTEGER, INTEGER, ROWS)
def join_windows(out: Words, rows: Words, windows: int, w: int, first: int, end: int, K: Words) -> None:
    """out[j, sign] = prod_t rows[j, t, sign]^(2^(w t)), by Horner's rule; rows of `out` are counted flat."""
    row = 2 * limbs_of(K)
    X, B, T, D = scratch(8 * row), scratch(8 * row), accumulators(K), scratch(8 * row)
    at = np.empty(8, np.int64)
    for i in range(first, end, 8):
        for t in range(windows - 1, -1, -1):
            for k in range(8):
                c = min(i + k, end - 1)
                at[k] = (((c >> 1) * windows + t) * 2 + (c & 1)) * row
            gather(B, 0, rows, at, row)
            if t == windows - 1:
                copy(X, 0, B, 0, X.size)
            else:
                for _ in range(w):
                    square(X, X, K, T, D)
                times(X, X, B, K, T)
        point(at, i, end, row)
        scatter(out, at, X, row)
