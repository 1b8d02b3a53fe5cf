"""Feed noise to everything that reads bytes of a peer: python scripts/fuzz.py [libFuzzer's options]

Needs `atheris`, which is no dependency.  Anything but a ValueError is a find; so is more than a
gigabyte (libFuzzer's -rss_limit_mb).  The first byte of an input says what reads the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["vfl.wire", "vfl.crypto.paillier", "vfl.arbitration", "psi"]):
    from parties.contract import agreement
    from psi import ecdh, several
    from vfl import arbitration
    from vfl.features import names, split, woe
    from vfl.linear import (
        allowance,
        coefficients,
        crossed,
        halves,
        inference,
        logistic,
        pairing,
        residuals,
        scoring,
    )
    from vfl.trees import boosting, opening
    from vfl.trees import scoring as tree_scoring
    from vfl.wire.codec import decode
    from vfl.wire.frames import Assembler, open_abort, open_ack, open_hello
    from vfl.wire.message import Message

PROTOCOLS = (
    agreement, ecdh, several, arbitration, names, split, woe, allowance, coefficients, halves,
    residuals, logistic, crossed, inference, pairing, scoring, boosting, opening, tree_scoring,
)  # fmt: skip
KINDS = [
    kind
    for protocol in PROTOCOLS
    for kind in vars(protocol).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind.__module__ == protocol.__name__
]
READERS: list[Callable[[bytes], object]] = [
    open_hello,
    lambda data: open_abort(data, "peer"),
    open_ack,
    lambda data: frames(data),
]


def frames(data: bytes) -> None:
    """Take the rest as frames of one stream, each as long as its first byte says."""
    assembler = Assembler()
    while data:
        assembler.add(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]


def read(data: bytes) -> None:
    """Let the reader that the first byte names read the rest."""
    if not data:
        return
    which = data[0] % (len(READERS) + len(KINDS))
    with suppress(ValueError):
        if which < len(READERS):
            READERS[which](data[1:])
        else:
            decode(KINDS[which - len(READERS)], data[1:])


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], "-rss_limit_mb=1024", "-max_len=4096", *sys.argv[1:]], read)
    atheris.Fuzz()
