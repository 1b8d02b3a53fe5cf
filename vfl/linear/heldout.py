"""How a joint model does on rows that its fit has not seen: one sum over them, and no row's logit.

    repeat, for each fold and penalty
        repeat, host by host
            host -> guest: LogitRange
        repeat, host by host
            guest -> host: Approximation
        repeat, in blocks of rows, each host a block behind the host before it
            maybe, for all hosts but the first
                guest -> host: PartialPowers
            maybe, until every block is on its way
                host -> guest: LogitPowers
        guest -> arbiter: MaskedSums
        arbiter -> guest: DecryptedSums
    repeat, host by host
        guest -> host: Chosen

The log-loss of a row, log(1 + e^-u) of a bad one and log(1 + e^u) of a good one with u = a + b, is a
polynomial in the hosts' powers whose coefficients the guest knows, as the sigmoid is (see `sigmoid` and
`residuals`).  The two differ by u itself, which a linear map makes no error in.  So the guest sums

    sum_i loss(a_i + b_i)  =  sum_i sum_j c_j(a_i, y_i) T_j(tau_i)  +  O(n rho^-q)

under encryption, and learns that number through the arbiter.  By all of them it chooses a penalty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfl.arbitration import learn
from vfl.crypto.fixed_point import FRACTION, bits_for, decode, encode
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, PublicKey, Unrandomised
from vfl.crypto.randomness import Randomness
from vfl.linear import residuals
from vfl.linear.residuals import MAX_LOGIT, Place, any_of
from vfl.linear.sigmoid import separable_coefficients
from vfl.wire.blocks import rows_of
from vfl.wire.flow import Peer
from vfl.wire.message import Message

Vector = NDArray[np.float64]
Labels = NDArray[np.int8]

ERROR = 3e-7
"""Error of a row's loss, at most."""


@dataclass(frozen=True, slots=True)
class Chosen(Message):
    """The number of the penalty that the guest has chosen, from 0.  Reveals: the penalty."""

    penalty: int


def softplus(u: Vector) -> Vector:
    """Return log(1 + e^u) without overflow."""
    return np.asarray(np.logaddexp(0.0, u), dtype=np.float64)


async def guest(
    a: Vector, y: Labels, *, key: PublicKey, rng: Randomness, hosts: tuple[Peer, ...], arbiter: Peer
) -> float:
    """Return the mean log-loss of rows with the guest's logits a and labels y."""
    n, count = len(y), len(hosts)
    polynomial = await residuals.agree(a, ERROR, False, hosts, of=softplus)
    sums: list[Unrandomised] = []
    known = 0

    async def take(rows: slice, powers: Ciphertexts) -> None:
        nonlocal known
        sign = np.where(y[rows] == 1, -1.0, 1.0)[:, None]
        c = separable_coefficients(
            a[rows], polynomial.interval, polynomial.degree, lambda u: softplus(sign * u)
        )
        sums.append(key.weighted_sums(powers, encode(c[:, 1:]).reshape(-1, 1)))
        known += sum(encode(c[:, 0], 2 * FRACTION).tolist())

    await residuals.collected(n, polynomial.degree, take, key=key, hosts=hosts)
    total = key.lift([known << (FRACTION * (count - 1))])
    for part in sums:
        total = key.add(total, part)
    packing = Packing(1, bits_for(2 * n * MAX_LOGIT, residuals.fraction(count)), key.n)
    packed = key.pack(total, packing)
    (told,) = await learn(packed, packing, key=key, rng=rng, arbiter=arbiter, source=any_of(hosts))
    return decode(told, residuals.fraction(count)) / n


async def host(b: Vector, *, key: PublicKey, rng: Randomness, guest: Peer, place: Place) -> None:
    """Let our logits b of the same rows into the sum under encryption."""
    first, with_own, degree = await residuals.offered(b, key=key, guest=guest, place=place)
    for rows in residuals.blocks_of(len(b)):
        size = rows_of(rows) * degree
        await residuals.contribute(rows, size, first, with_own, key=key, rng=rng, guest=guest, place=place)


async def choose(penalty: int, *, hosts: tuple[Peer, ...]) -> int:
    """Tell all hosts which penalty it is; return its number."""
    for host in hosts:
        await host.send(Chosen(penalty))
    return penalty


async def chosen(count: int, *, guest: Peer) -> int:
    """Return the number of the penalty that the guest has chosen of so many."""
    penalty = (await guest.receive(Chosen)).penalty
    if not 0 <= penalty < count:
        raise guest.blame(f"chose none of the {count} penalties that were agreed")
    return penalty
