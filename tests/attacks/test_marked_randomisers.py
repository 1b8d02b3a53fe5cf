"""A guest marks the randomisers of its ciphertexts, and finds the marks again in a host's sums.

Who: a guest that departs from the protocol.  Wants: in which bin of the host's a row is.
How: (1) it plants h_s = 1, after which nothing hides a plaintext; (2) without any key: it gives one row's
ciphertext the Jacobi symbol -1, which powers of h_s never have, so that the symbol of a sum tells whether
that row is in it; (3) where it made the key itself: with p - 1 and q - 1 smooth it takes discrete
logarithms of what is encrypted (Pohlig and Hellman 1978), puts one high bit of an exponent on each row,
and reads from a sum all rows in it, as a fresh randomiser of |N|/2 bits covers the low half alone.
What stops it: (1) each party derives h_s from N; (2) what is computed from a peer's ciphertexts is
multiplied by a coin's worth of an element of symbol -1; (3) without an arbiter hosts randomise with r^N,
r uniform in Z_N*.
Pass: not one hit; for a single bit, no more than chance.
"""

from __future__ import annotations

from collections.abc import Iterator

import gmpy2
import numpy as np
from attacked_runs import KEY, report
from hostile import integers
from numpy.typing import NDArray
from protocol_runs import CODES, woe_roles
from protocol_tables import ARBITER, GUEST, HOST, ROWS, Y
from seeded import Seeded
from test_ciphertexts import Unshuffled, labels_sent, opened

from vfl.arbitration import SharedKey, Vouched
from vfl.crypto.modular import from_pairs, to_pairs
from vfl.crypto.paillier import Ciphertexts, Encrypted, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.features.woe import BinnedLabels
from vfl.trees import boosting, opening
from vfl.trees.boosting import EncryptedHistograms
from vfl.trees.grow import Rules
from vfl.trees.histogram import Layout
from vfl.wire.memory import run_in_memory
from vfl.wire.message import field_types


def test_a_planted_h_s_would_open_every_ciphertext_and_there_is_none_to_plant() -> None:
    class Planted(PublicKey):
        h_s = 1  # type: ignore[assignment]

    planted = Planted.insecure_short_key_for_tests_only(KEY.n, KEY.modular)
    undefended, defended = (int((opened(labels_sent(key, Seeded(4))) == Y).sum()) for key in (planted, KEY))
    report("labels under a planted h_s = 1", f"{undefended} of {ROWS}", f"{defended}")
    assert (undefended, defended) == (ROWS, 0)
    assert set(field_types(SharedKey)) == {"modulus"}


# --- a mark that is seen without a key ---


class MarksOne(PublicKey):
    """The key of a guest that gives one row's ciphertext the Jacobi symbol -1."""

    row = 0

    def randomise(self, c: Encrypted, rng: Randomness) -> Ciphertexts:
        if len(c) != ROWS:
            return super().randomise(c, rng)
        factors = [1] * ROWS
        factors[self.row] = self.u_s
        return super().randomise(self.add(c, Ciphertexts(c.key, to_pairs(factors, self.n))), rng)


class OnlyPowersOfHs(PublicKey):
    """The key of a host that takes no coin."""

    def rerandomise(self, c: Encrypted, rng: Randomness) -> Ciphertexts:
        return self.randomise(c, rng)


def told_right(host_key: PublicKey) -> int:
    """Return of how many rows a guest that marks them one by one says rightly whether bin 0 holds them."""
    right = 0
    for row in range(ROWS):
        marking = MarksOne.insecure_short_key_for_tests_only(KEY.n, KEY.modular)
        object.__setattr__(marking, "row", row)
        rngs = Seeded(row), Unshuffled(1000 + row)
        run = run_in_memory(woe_roles(rngs=rngs, guest_key=marking, host_key=host_key))
        (binned,) = (s.message for s in run.views["guest"] if isinstance(s.message, BinnedLabels))
        (packed,) = integers(binned.packed)
        right += (gmpy2.jacobi(packed, KEY.n) == -1) == (CODES[0][row] == 0)
    return right


def test_a_mark_that_needs_no_key_is_lost_in_the_hosts_coins() -> None:
    careless = OnlyPowersOfHs.insecure_short_key_for_tests_only(KEY.n, KEY.modular)
    undefended, defended = told_right(careless), told_right(KEY)
    report("rows found in a bin by a Jacobi symbol", f"{undefended} of {ROWS}", f"{defended}, by chance")
    assert undefended == ROWS
    assert ROWS * 0.3 < defended < ROWS * 0.7


# --- a key that takes discrete logarithms ---

MARKED = 40
"""Rows, all of them marked."""
BINS: NDArray[np.int64] = np.random.default_rng(8).integers(0, 2, MARKED)


def smooth_prime(bits: int, factors: list[int], draw: np.random.Generator) -> tuple[int, list[int]]:
    """Return a prime p = 3 (mod 4) whose (p - 1) / 2 is a product of some of these primes, and those."""
    while True:
        chosen, p = [], gmpy2.mpz(2)
        for f in draw.permutation(factors).tolist():
            if p.bit_length() >= bits:
                break
            chosen.append(f)
            p *= f
        if p.bit_length() == bits and gmpy2.is_prime(p + 1):
            return int(p + 1), chosen


def smooth_key() -> tuple[PrivateKey, list[int]]:
    """Return a key of 512 bits that looks like any other, and the factors of the order of h_s."""
    small = [f for f in range(1 << 9, 1 << 12) if gmpy2.is_prime(f)]
    draw = np.random.default_rng(1)
    p, of_p = smooth_prime(256, small[::2], draw)
    q, of_q = smooth_prime(256, small[1::2], draw)
    public = PublicKey.insecure_short_key_for_tests_only(p * q)
    return PrivateKey(public, p, q), of_p + of_q


def exponent(c: int, key: PrivateKey, factors: list[int]) -> int:
    """Return e with h_s^e = the randomiser of c, modulo the product of the factors."""
    found = [(_logarithm(c, key, f), f) for f in factors]
    whole = int(np.prod([gmpy2.mpz(f) for _, f in found], dtype=object))
    return int(sum(r * (whole // f) * gmpy2.invert(whole // f, f) for r, f in found) % whole)


def _logarithm(c: int, key: PrivateKey, factor: int) -> int:
    """Return the exponent modulo one small factor of p - 1 or q - 1."""
    prime = key.p if (key.p - 1) % factor == 0 else key.q
    base, target = (gmpy2.powmod(v, (prime - 1) // factor, prime) for v in (key.public.h_s, c))
    power = gmpy2.mpz(1)
    for e in range(factor):
        if power == target:
            return e
        power = power * base % prime
    return 0  # outside of the powers of h_s: the attack has nothing to read


class MarksEach(PublicKey):
    """The key of a guest that puts one high bit on the exponent of each row."""

    def randomise(self, c: Encrypted, rng: Randomness) -> Ciphertexts:
        marks = [int(gmpy2.powmod(self.h_s, 1 << _place(i), self.n_squared)) for i in range(len(c))]
        return Ciphertexts(c.key, self.add(c, Ciphertexts(c.key, to_pairs(marks, self.n))).pairs)


def _place(row: int) -> int:
    return 256 + 8 + row


def members(guest_decrypts: bool) -> Iterator[bool]:
    """Yield of each row whether the guest reads rightly from the sum of bin 0 if the row is in it.

    `guest_decrypts`: the host knows that the guest holds the key, and defends itself.
    """
    private, factors = smooth_key()
    public = private.public
    marking = MarksEach.insecure_short_key_for_tests_only(public.n)
    y = (np.arange(MARKED) % 3 == 0).astype(np.int8)
    rules = Rules(n_estimators=1, max_depth=1, guest_grows_first=False)
    guest = boosting.guest(
        np.zeros((MARKED, 1), np.int64),
        Layout((1,)),
        y,
        np.ones(MARKED),
        np.zeros(MARKED),
        rules,
        key=marking,
        rng=Seeded(1),
        lots=Seeded(2),
        opener=opening.ByOwnKey(private),
        hosts=(HOST,),
        report=lambda _: None,
        afford=lambda _: None,
    )
    careless = OnlyPowersOfHs.insecure_short_key_for_tests_only(public.n)
    host = boosting.host(
        BINS[:, None],
        Layout((2,)),
        rules,
        key=public if guest_decrypts else careless,
        rng=Seeded(3),
        guest=GUEST,
        arbiter=None if guest_decrypts else ARBITER,
    )

    async def arbiter() -> None:
        """Hear of the sums, where the host believes that there is an arbiter."""
        if not guest_decrypts:
            await HOST.receive(Vouched)

    run = run_in_memory({"guest": guest, "host": host, "arbiter": arbiter()})
    (sent,) = (s.message for s in run.views["guest"] if isinstance(s.message, EncryptedHistograms))
    (packed,) = from_pairs(sent.packed.pairs, public.n)
    e = exponent(int(packed), private, factors)
    for row in range(MARKED):
        yield bool(e >> _place(row) & 1) == (BINS[row] == 0)


def test_a_guest_with_a_key_of_its_own_reads_no_marks_in_sums_that_are_randomised_fully() -> None:
    undefended, defended = sum(members(guest_decrypts=False)), sum(members(guest_decrypts=True))
    report(
        "rows read from one sum by marked exponents", f"{undefended} of {MARKED}", f"{defended}, by chance"
    )
    assert undefended == MARKED
    assert MARKED * 0.25 < defended < MARKED * 0.75
