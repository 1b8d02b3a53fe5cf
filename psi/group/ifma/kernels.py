"""Kernels: elements of the group raised to one secret power, from their bytes or from uniform bytes.

A row is an element, four words of 64 bits, or 64 uniform bytes, eight words.  `half` is half the power
modulo the order, as `curve.digit_masks` has it.  good[i] is zero where row i is no element or gives the
identity.  Eight rows make a group, and the groups of a block share one inversion.
"""

from __future__ import annotations

from psi.group.ifma.curve import ENTRIES, POINT, raise_point
from psi.group.ifma.encoding import decode_two, denominator, encode, map_to_points, prepare
from psi.group.ifma.field import WORDS, inverse, one, read, times, write
from vfl.crypto.modular.ifma.arithmetic import Words, scratch
from vfl.crypto.modular.ifma.compiled import INTEGER, READ_ONLY, ROWS, device, entry
from vfl.crypto.modular.ifma.lanes import broadcast, load, store

BLOCK = 256
"""Rows that share an inversion."""


@device
def gather(words: Words, at: int, rows: Words, width: int, first: int, end: int) -> None:
    """words[at:] = rows first, ..., first + 7 of `width` words; the last one again from `end` on."""
    for j in range(8):
        row = min(first + j, end - 1) * width
        for k in range(width):
            words[at + 8 * k + j] = rows[row + k]


@device
def scatter(out: Words, good: Words, words: Words, sound: Words, at: int, first: int, end: int) -> None:
    """out and good = the encodings in `words` and the masks at sound[at:], of rows first to end."""
    for j in range(min(8, end - first)):
        good[first + j] = sound[at + j]
        for k in range(4):
            out[4 * (first + j) + k] = words[8 * k + j]


@device
def raise_block(
    out: Words, good: Words, points: Words, sound: Words, half: Words, first: int, end: int
) -> None:
    """Raise the points of rows first, ..., end - 1, encode them, and put them where they belong."""
    groups = (end - first + 7) >> 3
    table, chosen_entry, words = scratch(ENTRIES * POINT), scratch(POINT), scratch(32)
    before = scratch(groups * WORDS)
    total = one()
    for k in range(groups):
        raise_point(points, k * POINT, half, table, chosen_entry)
        prepare(points, k * POINT)
        write(before, k * WORDS, total)
        total = times(total, denominator(points, k * POINT)[2])
    total = inverse(total)
    for k in range(groups - 1, -1, -1):
        eg, fh, both, zero = denominator(points, k * POINT)
        encode(words, points, k * POINT, eg, fh, times(total, read(before, k * WORDS)), zero)
        total = times(total, both)
        store(sound, 8 * k, load(sound, 8 * k) & (zero ^ broadcast(2**64 - 1)))
        scatter(out, good, words, sound, 8 * k, first + 8 * k, end)


@entry(ROWS, ROWS, READ_ONLY, READ_ONLY, INTEGER, INTEGER)
def raise_elements(out: Words, good: Words, elements: Words, half: Words, first: int, end: int) -> None:
    """out = the elements of rows first, ..., end - 1 to the power."""
    points, sound, words = scratch(BLOCK // 8 * POINT), scratch(BLOCK), scratch(64)
    for start in range(first, end, BLOCK):
        stop = min(start + BLOCK, end)
        for row in range(start, stop, 16):
            gather(words, 0, elements, 4, row, stop)
            gather(words, 32, elements, 4, row + 8, stop)
            decode_two(points, (row - start) // 8 * POINT, words, sound, row - start)
        raise_block(out, good, points, sound, half, start, stop)


@entry(ROWS, ROWS, READ_ONLY, READ_ONLY, INTEGER, INTEGER)
def raise_uniform(out: Words, good: Words, uniform: Words, half: Words, first: int, end: int) -> None:
    """out = the elements that uniform bytes map to, to the power."""
    points, sound, words = scratch(BLOCK // 8 * POINT), scratch(BLOCK), scratch(64)
    for start in range(first, end, BLOCK):
        stop = min(start + BLOCK, end)
        for row in range(start, stop, 8):
            gather(words, 0, uniform, 8, row, stop)
            map_to_points(points, (row - start) // 8 * POINT, words)
            store(sound, row - start, broadcast(2**64 - 1))
        raise_block(out, good, points, sound, half, start, stop)
