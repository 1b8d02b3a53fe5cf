"""SHA-512 (FIPS 180-4) of eight messages at a time, for expand_message_xmd of 64 bytes (RFC 9380, 5.3.1).

    b_0 = SHA-512(128 zeros | message | tail)
    b_1 = SHA-512(b_0 | last)

Messages may differ in length: who has fewer blocks than its neighbours waits.  Word t of lane j stands at
[8 t + j], as a number, so that its first byte is its highest.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.modular.ifma.arithmetic import Words, clear, copy, scratch
from vfl.crypto.modular.ifma.compiled import BYTES, INTEGER, READ_ONLY, ROWS, SIGNED, device, entry
from vfl.crypto.modular.ifma.lanes import always_inlined, broadcast, load, never_inlined, store

ROUNDS = 80
BLOCK = 16
"""Words of a block, 128 bytes."""

LENGTH = 17
"""Bytes that end the last block: a one bit, zeros, and the length in bits."""

Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]


def _cube_root(n: int) -> int:
    root = 1 << -(-n.bit_length() // 3)
    while (better := (2 * root + n // root**2) // 3) < root:
        root = better
    return root


_PRIMES = [n for n in range(2, 410) if all(n % d for d in range(2, isqrt(n) + 1))]
_START = np.array([isqrt(p << 128) % 2**64 for p in _PRIMES[:8]], np.uint64)
_CONSTANTS = np.array([_cube_root(p << 192) % 2**64 for p in _PRIMES], np.uint64)


def closing(data: bytes, before: int) -> Words:
    """Return `data`, padded as the end of a message of so many bytes before it, as words."""
    zeros = -(before + len(data) + LENGTH) % (8 * BLOCK)
    padded = data + b"\x80" + bytes(zeros) + (8 * (before + len(data))).to_bytes(16, "big")
    return np.frombuffer(padded, ">u8").astype(np.uint64)


@device
def _rotated(x: Any, bits: int) -> Any:
    always_inlined()
    return x >> bits | x << (64 - bits)


@device
def _schedule(words: Words) -> None:
    """Continue the sixteen words of a block to one for each round."""
    for t in range(8 * BLOCK, 8 * ROUNDS, 8):
        x, y = load(words, t - 120), load(words, t - 16)
        s0 = _rotated(x, 1) ^ _rotated(x, 8) ^ x >> 7
        s1 = _rotated(y, 19) ^ _rotated(y, 61) ^ y >> 6
        store(words, t, load(words, t - 128) + s0 + load(words, t - 56) + s1)


@device
def _compress(state: Words, words: Words, block: Words, at: int, active: Any) -> None:
    """Take block[at:] into the states of the lanes in the mask; words: scratch for the schedule."""
    never_inlined()
    for k in range(0, 8 * BLOCK, 8):
        store(words, k, load(block, at + k))
    _schedule(words)
    a, b, c, d = load(state, 0), load(state, 8), load(state, 16), load(state, 24)
    e, f, g, h = load(state, 32), load(state, 40), load(state, 48), load(state, 56)
    for t in range(ROUNDS):
        s1 = _rotated(e, 14) ^ _rotated(e, 18) ^ _rotated(e, 41)
        x = h + s1 + (g ^ (e & (f ^ g))) + (load(words, 8 * t) + broadcast(_CONSTANTS[t]))
        s0 = _rotated(a, 28) ^ _rotated(a, 34) ^ _rotated(a, 39)
        h, g, f, e, d, c, b, a = g, f, e, d + x, c, b, a, x + s0 + ((a & b) | (c & (a | b)))
    store(state, 0, load(state, 0) + (a & active))
    store(state, 8, load(state, 8) + (b & active))
    store(state, 16, load(state, 16) + (c & active))
    store(state, 24, load(state, 24) + (d & active))
    store(state, 32, load(state, 32) + (e & active))
    store(state, 40, load(state, 40) + (f & active))
    store(state, 48, load(state, 48) + (g & active))
    store(state, 56, load(state, 56) + (h & active))


@device
def _put(blocks: Bytes, lane: int, first: int, data: Bytes, start: int, end: int) -> None:
    """Write data[start:end] as bytes first, first + 1, ... of a lane."""
    for k in range(end - start):
        at = first + k
        blocks[8 * (8 * (at >> 3) + lane) + 7 - (at & 7)] = data[start + k]


@device
def _block_count(length: int) -> int:
    return (length + LENGTH + 127) >> 7


@device
def _padded(
    blocks: Words, active: Words, text: Bytes, ends: Indices, tail: Bytes, first: int, end: int
) -> None:
    """Lay out the messages of rows first, ..., first + 7, and which lanes are active in each block.

    From `end` on, the last one again.
    """
    clear(blocks, blocks.size)
    clear(active, active.size)
    view = blocks.view(np.uint8)
    for lane in range(8):
        row = min(first + lane, end - 1)
        start, stop = ends[row], ends[row + 1]
        length = stop - start + tail.size
        _put(view, lane, 0, text, start, stop)
        _put(view, lane, stop - start, tail, 0, tail.size)
        count = _block_count(length)
        view[8 * (8 * (length >> 3) + lane) + 7 - (length & 7)] = 128
        blocks[8 * (BLOCK * count - 1) + lane] = 8 * (8 * BLOCK + length)
        for k in range(count):
            active[8 * k + lane] = np.uint64(2**64 - 1)


@device
def _most_blocks(ends: Indices, tail: int, first: int, end: int) -> int:
    longest = 0
    for row in range(first, end):
        longest = max(longest, ends[row + 1] - ends[row])
    return _block_count(longest + tail)


@device
def _swapped(x: Any) -> Any:
    """Return the numbers with their bytes in the opposite order."""
    always_inlined()
    odd, pairs = broadcast(0x00FF00FF00FF00FF), broadcast(0x0000FFFF0000FFFF)
    x = (x & odd) << 8 | (x >> 8 & odd)
    x = (x & pairs) << 16 | (x >> 16 & pairs)
    return x << 32 | x >> 32


@entry(ROWS, BYTES, SIGNED, BYTES, READ_ONLY, INTEGER, INTEGER)
def expand(out: Words, text: Bytes, ends: Indices, tail: Bytes, last: Words, first: int, end: int) -> None:
    """out = b_1 of the messages text[ends[i] : ends[i + 1]], eight words each, i = first, ..., end - 1.

    `last` holds what follows b_0, as `closing` pads it.
    """
    most = _most_blocks(ends, tail.size, first, end)
    words, blocks, active = scratch(8 * ROUNDS), scratch(8 * BLOCK * most), scratch(8 * most)
    start, state, second = scratch(64), scratch(64), scratch(64 + 8 * last.size)
    every = broadcast(2**64 - 1)
    clear(blocks, blocks.size)
    for k in range(8):
        store(start, 8 * k, broadcast(_START[k]))
    _compress(start, words, blocks, 0, every)
    for k in range(last.size):
        store(second, 64 + 8 * k, broadcast(last[k]))
    for group in range(first, end, 8):
        _padded(blocks, active, text, ends, tail, group, end)
        copy(state, 0, start, 0, start.size)
        for k in range(_most_blocks(ends, tail.size, group, min(group + 8, end))):
            _compress(state, words, blocks, 8 * BLOCK * k, load(active, 8 * k))
        for k in range(8):
            store(second, 8 * k, load(state, 8 * k))
            store(state, 8 * k, broadcast(_START[k]))
        for k in range(0, second.size, 8 * BLOCK):
            _compress(state, words, second, k, every)
        for k in range(8):
            store(state, 8 * k, _swapped(load(state, 8 * k)))
            for j in range(min(8, end - group)):
                out[8 * (group + j) + k] = state[8 * k + j]
