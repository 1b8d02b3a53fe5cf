"""A party recognises what a ciphertext was made from.

Who: a party that follows the protocol and sent, or may guess, what a ciphertext was computed from.
Wants: the other's labels or bins.
How, where randomisation is missing: 1 + mN opens itself; equal plaintexts under one randomiser show as
equal; and arithmetic on ciphertexts is deterministic, so that whoever knows the inputs recomputes the
result for each plaintext that is possible and compares.
What stops it: what is not randomised has a type that no message takes; arithmetic is randomised anew.
Pass: not one label, not one bin.
(That no ciphertext of any run opens itself or occurs twice is a test of every protocol's wires.)
"""

from __future__ import annotations

from itertools import product

import numpy as np
from attacked_runs import KEY, Portfolio, fit, portfolio, report
from numpy.typing import NDArray
from protocol_runs import CODES, SLOTS, woe_roles
from protocol_tables import ROWS, Y
from seeded import Seeded
from test_wires import Stuck

from vfl.crypto.fixed_point import FRACTION, encode
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, Encrypted, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.features.woe import BinnedLabels, EncryptedLabels, _packing
from vfl.linear.logistic import Rules
from vfl.linear.residuals import Approximation, EncryptedResiduals, LogitPowers, LogitRange
from vfl.linear.sigmoid import Interval, Polynomial
from vfl.wire.memory import Transcript, run_in_memory

ONE = Rules(tolerance=1e-9, max_iter=1)


class Bare(PublicKey):
    """The key of a party that forgets to randomise."""

    def randomise(self, c: Encrypted, rng: Randomness) -> Ciphertexts:
        return Ciphertexts(c.key, c.pairs)

    rerandomise = randomise


BARE = Bare.insecure_short_key_for_tests_only(KEY.n, KEY.modular)


# --- ciphertexts that open themselves, or repeat ---


def opened(c: Ciphertexts) -> NDArray[np.int8]:
    """Return the labels of ciphertexts 1 + mN, -1 where one is not of that form."""
    half = KEY.width // 2
    known = (c.pairs[:, 0] == 1) & (c.pairs[:, 1:half] == 0).all(axis=1)
    return np.where(known, c.pairs[:, half].astype(np.int8), -1)


def grouped(c: Ciphertexts) -> NDArray[np.int8]:
    """Return labels as told by which ciphertexts are equal: the rarer of two kinds is 1; -1 for no group."""
    _, kind, size = np.unique(c.pairs, axis=0, return_inverse=True, return_counts=True)
    if len(size) != 2:
        return np.full(len(c), -1, np.int8)
    return (kind.ravel() == size.argmin()).astype(np.int8)


def labels_sent(key: PublicKey, rng: Randomness) -> Ciphertexts:
    """Return the encrypted labels as the host sees them in a run with this key and randomness."""
    roles = woe_roles(rngs=(rng, Seeded(5)), guest_key=key)
    run = run_in_memory(roles)
    (message,) = (s.message for s in run.views["host"] if isinstance(s.message, EncryptedLabels))
    return message.values


def test_labels_that_are_not_randomised_are_read_by_the_host() -> None:
    undefended, defended = (int((opened(labels_sent(key, Seeded(4))) == Y).sum()) for key in (BARE, KEY))
    report("labels in ciphertexts that open themselves", f"{undefended} of {ROWS}", f"{defended}")
    assert (undefended, defended) == (ROWS, 0)


def test_labels_under_one_randomiser_are_told_apart_by_the_host() -> None:
    rarer = Y if Y.sum() < ROWS / 2 else 1 - Y
    undefended, defended = (
        int((grouped(labels_sent(KEY, rng)) == rarer).sum()) for rng in (Stuck(4), Seeded(4))
    )
    report("labels in ciphertexts that repeat", f"{undefended} of {ROWS}", f"{defended}")
    assert (undefended, defended) == (ROWS, 0)


# --- results that are not randomised anew ---


def residual_labels(run: Transcript, b: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the labels that explain E(r) as computed from the host's own powers; -1 where none does.

    All begin at nought: the host knows the guest's logits, and only y is left to try.
    """
    said = {type(s.message): s.message for s in run.views["host"]}
    declared, how = said[LogitRange], said[Approximation]
    powers, r = said[LogitPowers].values, said[EncryptedResiduals].values
    interval = Interval(declared.lo, declared.hi, how.centre, how.spread)
    c = Polynomial(interval, how.degree).coefficients(np.zeros(len(b)))
    found = np.full(len(b), -1, np.int8)
    for y in (0, 1):
        known = encode(c[:, 0] - np.full(len(b), y, np.int8), 2 * FRACTION)
        guess = KEY.add(KEY.row_products(powers, encode(c[:, 1:])), KEY.lift(known))
        found[(guess.pairs == r.pairs).all(axis=1)] = y
    return found


def test_a_host_that_knows_the_guests_start_reads_residuals_that_are_not_randomised_anew() -> None:
    people: Portfolio = portfolio(60, own=2, theirs=3)
    undefended, defended = (
        int(
            (
                residual_labels(fit(people, ONE, start=people.cold, guest_key=key).run, people.y) == people.y
            ).sum()
        )
        for key in (BARE, KEY)
    )
    report("labels in E(r) that is not randomised anew", f"{undefended} of 60", f"{defended}")
    assert (undefended, defended) == (60, 0)


UNKNOWN = 5
"""Rows whose bins the guest does not know yet."""


def bins_of_last_rows(run: Transcript) -> list[tuple[int, ...]]:
    """Return the bins of the host's first column in its last rows that explain its sums.

    The guest has guessed everything else, also the order of the bins.
    """
    sent = [s.message for s in run.views["guest"]]
    labels = Ciphertexts.joined([m.values for m in sent if isinstance(m, EncryptedLabels)])
    (binned,) = (m for m in sent if isinstance(m, BinnedLabels))
    codes = np.column_stack(CODES)
    found = []
    for guess in product(range(3), repeat=UNKNOWN):
        codes[-UNKNOWN:, 0] = guess
        sums = KEY.sum_by_bin(labels, codes, SLOTS)
        parts = [
            s.take(np.flatnonzero(np.bincount(c, minlength=len(s))))
            for s, c in zip(sums, codes.T, strict=True)
        ]
        packing: Packing = _packing(len(binned.rows), ROWS, KEY)
        if np.array_equal(KEY.pack(KEY.joined(parts), packing).pairs, binned.packed.pairs):
            found.append(guess)
    return found


class Unshuffled(Seeded):
    """Randomness whose permutations leave everything in its place."""

    def permutation(self, n: int) -> NDArray[np.int64]:
        return np.arange(n)


def test_a_guest_confirms_its_guess_at_the_hosts_bins_in_sums_that_are_not_randomised_anew() -> None:
    truth = tuple(CODES[0][-UNKNOWN:].tolist())
    undefended, defended = (
        bins_of_last_rows(run_in_memory(woe_roles(rngs=(Seeded(4), Unshuffled(5)), host_key=key)))
        for key in (BARE, KEY)
    )
    report(
        f"bins of {UNKNOWN} rows in sums that are not randomised anew",
        f"{len(undefended)} of {3**UNKNOWN} guesses left",
        f"{len(defended)} confirmed",
    )
    assert undefended == [truth]
    assert defended == []
