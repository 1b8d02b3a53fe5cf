"""Joint logistic regression of two parties without an arbiter: each decrypts what the other has masked.

    repeat, one gradient
        host -> guest: LogitRange
        guest -> host: Approximation
        repeat, in blocks of rows
            maybe, one block ahead
                host -> guest: LogitPowers
            maybe, once the block's powers have come
                guest -> host: SharedResiduals
        guest -> host: MaskedSums
        host -> guest: DecryptedSums
        host -> guest: MaskedSums
        guest -> host: DecryptedSums
        host -> guest: GradientProducts
        guest -> host: Step
        host -> guest: Content
        guest -> host: Verdict

The guest and the host have a key each, E_g and E_h.  The host sends E_h(T_j(tau_i)) and the guest forms
E_h(r_i) as with an arbiter (see `residuals`), but keeps it: who could decrypt it never sees it.

* The guest sums x_ij r_i over its own columns, adds a mask uniform in [0, N_h), and has the host decrypt.
* For the host it splits each r_i = s_i - m_i, m_i uniform in [0, 2^170): the host gets E_h(s_i), several
  in one ciphertext, and E_g(m_i).  It decrypts s_i, which tells of r_i no more than 2^-128 (|r_i| < 2^42
  in units of 2^-40), sums x_ij s_i in the clear and x_ij m_i under E_g, masks that sum with a number
  uniform in [0, N_g), and has the guest decrypt.  The difference is its gradient.

So no residual is met unmasked by anybody: the guest knows m_i and cannot open E_h, the host knows s_i and
cannot open E_g.  All that is computed from the ciphertexts of whoever decrypts it is multiplied by a fresh
r^N (`PublicKey.randomise_fully`): marks in the randomisers of what came do not survive in what goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Quota
from vfl.crypto.fixed_point import FRACTION, bits_for, encode
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PrivateKey, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.linear import residuals, sample
from vfl.linear.columns import MAX_RESIDUAL, Columns
from vfl.linear.logistic import Fit, Labels, Report, Rules, guest_descends, host_descends
from vfl.linear.residuals import ALONE, LogitPowers, blocks_of
from vfl.linear.sigmoid import Polynomial
from vfl.steps import FORGOTTEN, Steps
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]

HIDING = 128
"""Bits by which a mask is longer than what it hides."""

SHARE_BITS = bits_for(MAX_RESIDUAL, 2 * FRACTION) - 2 + HIDING
"""Bits of a residual's mask."""

SHARE_FRACTION = SHARE_BITS - 1
"""Fractional bits that a number of SHARE_BITS would have if it were of a residual's size."""


@dataclass(frozen=True, slots=True)
class SharedResiduals(Message):
    """E_h(s_i), packed, and E_g(m_i), r_i = s_i - m_i, for a block of rows.
    Reveals: nothing, s_i being uniform within 2^-128."""

    shares: Ciphertexts
    masks: Ciphertexts


async def guest(
    columns: Columns,
    y: Labels,
    rules: Rules,
    *,
    own: PrivateKey,
    key: PublicKey,
    quota: Quota,
    rng: Randomness,
    host: Peer,
    report: Report,
    steps: Steps = FORGOTTEN,
) -> Fit:
    """Fit the guest's coefficients; `columns` begin at the fit of the guest alone.

    `key`: the host's.  `quota`: what the host may have decrypted.
    """

    async def gradient(number: int, error: float, of: int) -> tuple[Vector, int]:
        logit = columns.logit[:of]
        polynomial = await residuals.agree(logit, error, rules.taylor, (host,))
        told = partial(report, number, polynomial.degree)
        parts: list[Unrandomised] = []
        for rows in blocks_of(of):
            a, labels = logit[rows], y[rows]
            powers = (await host.receive(LogitPowers)).values
            key.check(powers, len(labels) * polynomial.degree, host.name)
            parts.append(residuals.residuals_of(polynomial, a, labels, powers, 1, key))
            await host.send(_shared(parts[-1], own.public, key, rng))
            told(rows.stop / of)
        sums = await columns.sums(
            key.joined(parts),
            residuals.fraction(1),
            key=key,
            rng=rng,
            arbiter=host,
            source=host,
            hide=key.randomise_fully,
        )
        await quota.answer(own, party=host)
        return columns.met(sums, residuals.fraction(1), of), polynomial.degree

    _remember(quota, steps)
    noise = sample.noise(rules.sample, columns.x, y)
    return await guest_descends(columns, rules, gradient, noise, hosts=(host,), others=(), steps=steps)


async def host(
    columns: Columns,
    rules: Rules,
    *,
    own: PrivateKey,
    key: PublicKey,
    quota: Quota,
    rng: Randomness,
    guest: Peer,
    steps: Steps = FORGOTTEN,
) -> Fit:
    """Fit the host's coefficients; `columns` begin at zero.

    `key`: the guest's.  `quota`: what the guest may have decrypted.
    """

    async def gradient(of: int) -> tuple[Vector, int]:
        logit = columns.logit[:of]
        polynomial, _ = await residuals.accept(logit, guest, ALONE)
        shares, masks = await _shares(logit, polynomial, own, key, rng, guest)
        await quota.answer(own, party=guest)
        masked = await columns.sums(
            masks,
            SHARE_FRACTION,
            key=key,
            rng=rng,
            arbiter=guest,
            source=guest,
            hide=key.randomise_fully,
        )
        sums = [s - m for s, m in zip(columns.plain_sums(shares), masked, strict=True)]
        if max(map(abs, sums)).bit_length() > columns.masking(key, residuals.fraction(1)).bits - 2:
            raise guest.blame("sent shares that add up to no residuals")
        return columns.met(sums, residuals.fraction(1), of), polynomial.degree

    _remember(quota, steps)
    return await host_descends(columns, rules, gradient, guest=guest, others=(), steps=steps)


def _packing(count: int, key: PublicKey) -> Packing:
    return Packing(count, SHARE_BITS + 3, key.n)


def _shared(r: Unrandomised, own: PublicKey, key: PublicKey, rng: Randomness) -> SharedResiduals:
    """Split residuals under the host's key: E_h(r + m) and E_g(m)."""
    packing, size = _packing(len(r), key), -(-SHARE_BITS // 8)
    drawn, below = rng.bytes(len(r) * size), (1 << SHARE_BITS) - 1
    masks = [int.from_bytes(drawn[k : k + size], "little") & below for k in range(0, len(drawn), size)]
    shares = key.add(key.pack(r, packing), key.lift(packing.pack(masks)))
    return SharedResiduals(key.randomise_fully(shares, rng), own.randomise(own.lift(masks), rng))


async def _shares(
    b: Vector, polynomial: Polynomial, own: PrivateKey, key: PublicKey, rng: Randomness, guest: Peer
) -> tuple[list[int], Ciphertexts]:
    """Return s_i and E_g(m_i); the powers of each block are sent while the guest works on the one before."""
    shares, masks = list[int](), list[Ciphertexts]()
    blocks = blocks_of(len(b))
    for turn in range(len(blocks) + 1):
        if turn < len(blocks):
            powers = encode(polynomial.powers(b[blocks[turn]]))
            await guest.send(LogitPowers(own.public.encrypt(powers.reshape(-1), rng)))
        if turn:
            told, rows = await guest.receive(SharedResiduals), len(b[blocks[turn - 1]])
            packing = _packing(rows, own.public)
            own.public.check(told.shares, packing.plaintexts, guest.name)
            key.check(told.masks, rows, guest.name)
            try:
                shares += packing.unpack(own.decrypt(told.shares))
            except OverflowError as error:
                raise guest.blame(f"sent what holds no shares: {error}") from None
            masks.append(told.masks)
    return shares, Ciphertexts.joined(masks)


def _remember(quota: Quota, steps: Steps) -> None:
    """Go on with the quota as it was when the run was cut off."""
    if kept := steps.remember("quota", lambda: {"left": quota.left}):
        quota.left = kept["left"]
