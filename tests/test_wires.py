"""What is encrypted on any wire: never in a form that opens itself, never the same twice."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hostile import KEY, PRIVATE, ciphertexts, integers
from protocol_runs import logistic_roles, woe_roles
from protocol_tables import GUEST, HOST, ROWS, Y
from seeded import Seeded

from vfl.crypto.paillier import Ciphertexts
from vfl.crypto.randomness import Randomness
from vfl.features import woe
from vfl.features.woe import EncryptedLabels
from vfl.linear import residuals
from vfl.wire.memory import Transcript, run_in_memory

Rngs = tuple[Randomness, Randomness]


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small tables travel in several blocks."""
    monkeypatch.setattr(woe, "BLOCK", 40)
    monkeypatch.setattr(residuals, "BLOCK", 40)


def training(rngs: Rngs) -> list[Transcript]:
    """Bin and fit, each party with one source of randomness for all of it."""
    return [run_in_memory(woe_roles(rngs=rngs)), run_in_memory(logistic_roles(rngs=rngs))]


def on_the_wires(runs: list[Transcript], sender: str | None = None) -> list[int]:
    """Return every ciphertext that a party, or all, have sent, as numbers modulo N^2."""
    views = [(name, view) for run in runs for name, view in run.views.items()]
    sent = [s.message for name, view in views for s in view if s.sender == name and sender in (name, None)]
    held = (getattr(message, f.name) for message in sent for f in fields(message))  # type: ignore[arg-type]
    return [c for values in held if isinstance(values, Ciphertexts) for c in integers(values)]


def opens_itself(c: int) -> bool:
    """Tell whether a ciphertext is 1 + mN, from which anyone reads m."""
    return (c - 1) % KEY.n == 0


# --- the promise ---


def test_no_ciphertext_opens_itself_and_none_is_ever_met_again() -> None:
    seen = on_the_wires([*training((Randomness(), Randomness())), *training((Randomness(), Randomness()))])
    assert len(seen) > 2000
    assert not any(map(opens_itself, seen))
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("party", ["guest", "host"])
def test_whatever_a_party_sends_carries_fresh_randomness_of_its_own(party: str) -> None:
    def rngs(seed: int) -> Rngs:
        seeds = {"guest": 1, "host": 2} | {party: seed}
        return Seeded(seeds["guest"]), Seeded(seeds["host"])

    first, again, other = (on_the_wires(training(rngs(seed)), party) for seed in (10, 10, 11))
    assert first == again
    assert len(first) == len(other)
    assert not set(first) & set(other)


def test_what_travels_decrypts_with_python_paillier() -> None:
    run = run_in_memory(woe_roles())
    sent = [s.message for s in run.views["host"] if isinstance(s.message, EncryptedLabels)]
    theirs = PRIVATE.as_phe()
    assert [theirs.raw_decrypt(c) for m in sent for c in integers(m.values)] == Y.tolist()


# --- the promise broken, and noticed ---


async def takes(messages: int) -> None:
    """A host that takes so many messages."""
    for _ in range(messages):
        await GUEST.receive(EncryptedLabels)


def test_what_is_not_randomised_cannot_be_sent() -> None:
    async def guest() -> None:
        await HOST.send(EncryptedLabels(KEY.lift(Y.tolist())))  # type: ignore[arg-type]

    with pytest.raises(AssertionError, match=r"EncryptedLabels\.values must be Ciphertexts"):
        run_in_memory({"guest": guest()})


def test_labels_disguised_as_ciphertexts_would_be_noticed() -> None:
    async def guest() -> None:
        await HOST.send(EncryptedLabels(ciphertexts([1 + int(v) * KEY.n for v in Y])))

    seen = on_the_wires([run_in_memory({"guest": guest(), "host": takes(1)})])
    assert len(seen) == ROWS
    assert all(map(opens_itself, seen))


class Stuck(Seeded):
    """Bytes that never change."""

    def bytes(self, size: int) -> bytes:
        return b"\x55" * size


def test_a_randomness_that_repeats_itself_would_be_noticed() -> None:
    async def guest() -> None:
        await HOST.send(EncryptedLabels(KEY.encrypt(np.array([0, 1, 0]), Stuck(1))))

    seen = on_the_wires([run_in_memory({"guest": guest(), "host": takes(1)})])
    assert len(set(seen)) < len(seen)


def test_a_ciphertext_passed_on_as_it_came_would_be_noticed() -> None:
    async def passes_on() -> None:
        labels = KEY.encrypt(np.array([0, 1]), Seeded(1))
        await HOST.send(EncryptedLabels(labels))
        await HOST.send(EncryptedLabels(labels[1:]))

    seen = on_the_wires([run_in_memory({"guest": passes_on(), "host": takes(2)})])
    assert len(set(seen)) == len(seen) - 1
