"""Parties that depart from their protocol in one place, and ciphertexts that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from seeded import Seeded

from vfl.crypto.modular import best, from_ints, from_pairs, to_pairs
from vfl.crypto.paillier import Ciphertexts, PrivateKey
from vfl.errors import ContractError, VflError
from vfl.wire.flow import Receive, Role, Send
from vfl.wire.message import Message

PRIVATE = PrivateKey.insecure_short_key_for_tests_only(512, Seeded(1), best())
KEY = PRIVATE.public
OTHER = PrivateKey.insecure_short_key_for_tests_only(512, Seeded(99), best()).public

Change = Callable[[Any], Message]


async def tampered(role: Role[Any], kind: type[Message], change: Change, *, nth: int = 1) -> Any:
    """The role, but its n-th message of a kind is changed; it complains of nothing itself."""
    value: Any = None
    seen = 0
    while True:
        try:
            step = role.send(value)
        except StopIteration as stop:
            return stop.value
        except VflError:
            return None
        if isinstance(step, Receive):
            value = await step
            continue
        value, message = None, step.message
        if type(message) is kind:
            seen += 1
            message = change(message) if seen == nth else message
        await Send(step.to, message)


def forged(message: Message, **fields: Any) -> Message:
    """Return the message with other fields, even those its constructor would refuse."""
    made: Message = object.__new__(type(message))
    for name in type(message).__dataclass_fields__:  # type: ignore[attr-defined]
        object.__setattr__(made, name, fields.get(name, getattr(message, name)))
    return made


def integers(c: Ciphertexts) -> list[int]:
    """Return ciphertexts under `KEY` as plain numbers modulo N^2."""
    return [int(v) for v in from_pairs(c.pairs, KEY.n)]


def ciphertexts(values: list[int]) -> Ciphertexts:
    """Return plain numbers modulo N^2 as ciphertexts under `KEY`."""
    return Ciphertexts(KEY.fingerprint, to_pairs(values, KEY.n))


def _first(value: int, c: Ciphertexts) -> Ciphertexts:
    return ciphertexts([value, *integers(c)[1:]])


def _beyond(c: Ciphertexts) -> Ciphertexts:
    pairs = c.pairs.copy()
    pairs[0] = from_ints([5, KEY.n], KEY.width // 2).reshape(-1)
    return Ciphertexts(c.key, pairs)


def _another_key(c: Ciphertexts) -> Ciphertexts:
    return OTHER.encrypt(np.zeros(len(c), np.int64), Seeded(5))


def _twice(c: Ciphertexts) -> Ciphertexts:
    return ciphertexts(integers(c) * 2)


SHORT: dict[str, tuple[Callable[[Ciphertexts], Ciphertexts], str]] = {
    "one too few": (lambda c: c[1:], r"\d+ ciphertexts, \d+ were expected"),
    "none": (lambda c: c[:0], "0 ciphertexts, "),
    "twice as many": (_twice, r"\d+ ciphertexts, \d+ were expected"),
}

INVALID: dict[str, tuple[Callable[[Ciphertexts], Ciphertexts], str]] = {
    "nought": (partial(_first, 0), "shares a factor with the modulus"),
    "a multiple of p": (partial(_first, PRIVATE.p), "shares a factor with the modulus"),
    "N": (partial(_first, KEY.n), "shares a factor with the modulus"),
    "beyond N^2": (_beyond, "outside of the group"),
    "another key's": (_another_key, "under another key"),
}


def with_ciphertexts(field: str, change: Callable[[Ciphertexts], Ciphertexts]) -> Change:
    """Return the change of a message whose ciphertexts are changed."""
    return lambda message: replace(message, **{field: change(getattr(message, field))})


async def until_refused(role: Role[Any]) -> Any:
    """Return what a role ends with, a refusal as well."""
    try:
        return await role
    except ContractError as error:
        return error
