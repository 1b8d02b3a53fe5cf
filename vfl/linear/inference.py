"""Standard errors: each party learns the covariance matrix of its own coefficients, and no other's.

    H = X^T W X + penalty,   W = diag(p_i (1 - p_i)),    by party  H = [[G, C], [C^T, K]]
    covariance of the guest's coefficients   (G - C K^-1 C^T)^-1
    covariance of the host's coefficients    (K - C^T G^-1 C)^-1

    host -> guest: LogitRange
    guest -> host: Approximation
    repeat, in blocks of rows
        host -> guest: LogitPowers
        guest -> host: WeightedColumns
    host -> arbiter: MaskedSums
    arbiter -> host: DecryptedSums
    host -> guest: RotatedCross
    guest -> arbiter: MaskedSums
    arbiter -> guest: DecryptedSums
    guest -> host: Explained

w_i = p_i (1 - p_i) is the sigmoid's derivative at a_i + b_i, so row by row a polynomial in the host's
powers like the residual (see `sigmoid`).  From E(w_i) each party sums its own block, and the host from
E(w_i x_ij) the cross block C, under encryption.  Nobody learns C.  With K = L L^T and an orthogonal Q that
it draws, the host turns E(C) into E(V), V = C L^-T Q.  The guest learns V, and from it no more than

    V V^T = C K^-1 C^T

for without L and Q every V of this product is as likely.  With G = M M^T and U = M^-1 V it tells the host
U^T U, from which the host has its own covariance, L^-T Q (1 - U^T U)^-1 Q^T L^-1, and no more than that.

The penalty is in H, so a strong one makes errors smaller than those of maximum likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import Quota, Shape, learn, misled
from vfl.crypto.fixed_point import FRACTION, bits_for, decode, encode
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PrivateKey, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.linear.residuals import ALONE, Approximation, LogitPowers, accept, declared
from vfl.linear.sigmoid import Interval, approximation_for, curvature, separable_coefficients
from vfl.wire.blocks import blocks
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Report = Callable[[float], None]
"""Told the part of the rows done."""

BLOCK = 1024
"""Rows of a block: each is a ciphertext for every column of the guest's."""

ERROR = 1e-4
"""Error of a weight w_i, of the mean weight."""

TURNED = 40
"""Fractional bits of L^-T Q, whose entries are small: about 1 / sqrt(n)."""

OF_PAIRS = 3 * FRACTION
"""Fractional bits of a party's own block: two factors make w_i, one is the product of two columns."""

OF_CROSS = 4 * FRACTION + TURNED
"""Fractional bits of V."""

EXTRA_BITS = 80
"""By how much these sums are longer than those of a gradient, at most."""


@dataclass(frozen=True, slots=True)
class WeightedColumns(Message):
    """E(w_i x_ij) of a block of rows, column by column; the first column is ones.  Reveals: nothing."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class RotatedCross(Message):
    """E(V), row by row.  Reveals: nothing; decrypted, to the guest, the covariance of its coefficients."""

    values: Ciphertexts


@dataclass(frozen=True, slots=True)
class Explained(Message):
    """U^T U: what the guest's columns explain of the host's.

    Reveals: the covariance of the host's coefficients.
    """

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Design:
    """A party's columns x (n, d), their penalties (d,), and its part of each row's logit (n,)."""

    x: Matrix
    penalty: Vector
    logit: Vector

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.x.shape[1])

    @property
    def pairs(self) -> int:
        """The number of different products of two columns."""
        return self.width * (self.width + 1) // 2

    def bits(self, fraction: int) -> int:
        """Return the bits of a slot for a sum over all rows of products of two columns."""
        return bits_for(len(self.x) * max(1.0, float(np.abs(self.x).max())) ** 2, fraction)

    def block(self, sums: list[int]) -> Matrix:
        """Return the own block of H from the sums of its upper triangle."""
        upper = np.triu_indices(self.width)
        block = np.zeros((self.width, self.width))
        block[upper] = [decode(v, OF_PAIRS) for v in sums]
        return np.triu(block) + np.triu(block, 1).T + np.diag(self.penalty)


async def guest(
    own: Design,
    theirs: int,
    *,
    key: PublicKey,
    rng: Randomness,
    host: Peer,
    arbiter: Peer,
    report: Report,
) -> Matrix:
    """Return the covariance of the guest's coefficients, whose first column is ones.

    `theirs`: the number of the host's columns.
    """
    pairs = await _weighted(own, key, rng, host, report)
    cross = (await host.receive(RotatedCross)).values
    key.check(cross, own.width * theirs, host.name)
    packing = Packing(own.pairs + len(cross), own.bits(OF_CROSS), key.n)
    packed = key.pack(key.joined([pairs, cross]), packing)
    sums = await learn(packed, packing, key=key, rng=rng, arbiter=arbiter, source=host)
    v = np.array([decode(s, OF_CROSS) for s in sums[own.pairs :]]).reshape(own.width, theirs)
    v[0] *= 2.0**FRACTION  # the ones were never encoded
    block = own.block(sums[: own.pairs])
    try:
        u = np.linalg.solve(np.linalg.cholesky(block), v)
        np.linalg.cholesky(np.eye(theirs) - u.T @ u)
    except np.linalg.LinAlgError:
        raise misled(host, arbiter, "sent sums that no information matrix has") from None
    await host.send(Explained(u.T @ u))
    return np.asarray(np.linalg.inv(block - v @ v.T), np.float64)


async def host(
    own: Design, theirs: int, *, key: PublicKey, rng: Randomness, guest: Peer, arbiter: Peer
) -> Matrix:
    """Return the covariance of the host's coefficients; `theirs`: the number of the guest's columns."""
    pairs, cross = await _crossed(own, theirs, key, rng, guest)
    packing = Packing(own.pairs, own.bits(OF_PAIRS), key.n)
    packed = key.pack(pairs, packing)
    sums = await learn(packed, packing, key=key, rng=rng, arbiter=arbiter, source=guest)
    try:
        lower = np.linalg.cholesky(own.block(sums))
    except np.linalg.LinAlgError:
        raise misled(guest, arbiter, "sent weights that no information matrix has") from None
    turned = np.asarray(np.linalg.solve(lower.T, _rotation(own.width, rng)), np.float64)
    weights = encode(turned, TURNED)
    rows = np.arange(len(cross)).reshape(theirs, own.width)
    rotated = key.joined([key.weighted_sums(cross.take(row), weights) for row in rows])
    await guest.send(RotatedCross(key.rerandomise(rotated, rng)))
    explained = (await guest.receive(Explained)).values
    if explained.shape != (own.width, own.width) or not np.isfinite(explained).all():
        raise guest.blame("explained other columns than there are")
    left = np.eye(own.width) - explained
    if not np.allclose(left, left.T) or np.linalg.eigvalsh(left).min() <= 0:
        raise guest.blame("explained more of the columns than there is")
    return turned @ np.asarray(np.linalg.inv(left), np.float64) @ turned.T


async def arbiter(private: PrivateKey, quotas: tuple[Quota, Quota], *, guest: Peer, host: Peer) -> None:
    """Decrypt the host's masked sums, then the guest's; quotas: guest, host."""
    await quotas[1].answer(private, party=host)
    await quotas[0].answer(private, party=guest)


def shapes(guest: Shape, host: Shape) -> tuple[Shape, Shape]:
    """Return what guest and host may have decrypted here, given what they may of a gradient."""
    pairs = [shape.sums * (shape.sums + 1) // 2 for shape in (guest, host)]
    own = Shape(pairs[0] + guest.sums * host.sums, guest.bits + EXTRA_BITS)
    return own, Shape(pairs[1], host.bits + EXTRA_BITS)


async def _weighted(own: Design, key: PublicKey, rng: Randomness, host: Peer, report: Report) -> Unrandomised:
    """Give the host E(w_i x_ij); return the sums of the guest's own block."""
    said = await declared(host)
    error = ERROR * float(curvature(own.logit + 0.5 * (said.lo + said.hi)).mean())
    interval, degree = approximation_for(own.logit, said.lo, said.hi, error, of=curvature)
    await host.send(Approximation(degree, interval.centre, interval.spread, 0.0))
    total = key.lift(np.zeros(own.pairs, np.int64))
    for rows in blocks(len(own.x), BLOCK):
        x = own.x[rows]
        powers = (await host.receive(LogitPowers)).values
        key.check(powers, len(x) * degree, host.name)
        w = _weights(own.logit[rows], interval, degree, powers, key)
        columns = [key.row_products(w, encode(column[:, None])) for column in x.T[1:]]
        weighted = key.rerandomise(key.joined([w, *columns]), rng)
        await host.send(WeightedColumns(weighted))
        total = key.add(total, key.weighted_sums(weighted[: len(x)], _products(x)))
        report(rows.stop / len(own.x))
    return total


async def _crossed(
    own: Design, theirs: int, key: PublicKey, rng: Randomness, guest: Peer
) -> tuple[Unrandomised, Unrandomised]:
    """Return the sums of the host's own block, and E(C), a row for each of the guest's columns."""
    polynomial, _ = await accept(own.logit, guest, ALONE)
    pairs = key.lift(np.zeros(own.pairs, np.int64))
    cross = key.lift(np.zeros(theirs * own.width, np.int64))
    for rows in blocks(len(own.x), BLOCK):
        x = own.x[rows]
        powers = encode(polynomial.powers(own.logit[rows])).reshape(-1)
        await guest.send(LogitPowers(key.encrypt(powers, rng)))
        weighted = (await guest.receive(WeightedColumns)).values
        key.check(weighted, theirs * len(x), guest.name)
        pairs = key.add(pairs, key.weighted_sums(weighted[: len(x)], _products(x)))
        columns = [weighted[k * len(x) : (k + 1) * len(x)] for k in range(theirs)]
        sums = [key.weighted_sums(column, encode(x)) for column in columns]
        cross = key.add(cross, key.joined(sums))
    return pairs, cross


def _weights(a: Vector, interval: Interval, degree: int, powers: Ciphertexts, key: PublicKey) -> Unrandomised:
    c = separable_coefficients(a, interval, degree, curvature)
    known = key.lift(encode(c[:, 0], 2 * FRACTION))
    return key.add(key.row_products(powers, encode(c[:, 1:])), known)


def _products(x: Matrix) -> NDArray[np.int64]:
    """Return x_ij x_ik in fixed point for each pair j <= k: shape (n, pairs)."""
    first, second = np.triu_indices(x.shape[1])
    return encode(x[:, first] * x[:, second])


def _rotation(d: int, rng: Randomness) -> Matrix:
    """Return a uniform orthogonal matrix: QR of normal numbers (Stewart 1980), these by Box and Muller."""
    uniform = (np.frombuffer(rng.bytes(16 * d * d), "<u8").astype(np.float64) + 0.5) / 2.0**64
    radius, angle = uniform.reshape(2, d, d)
    q, r = np.linalg.qr(np.sqrt(-2.0 * np.log(radius)) * np.cos(2.0 * np.pi * angle))
    return np.asarray(q * np.sign(r.diagonal()), np.float64)
