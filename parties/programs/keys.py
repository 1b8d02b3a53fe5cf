"""The key pair of a run, and how much its holder decrypts: the arbiter, or parties without one."""

from __future__ import annotations

from parties.programs.run import Run
from vfl.arbitration import Quota, Shape, share_key
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.errors import ContractError
from vfl.wire.flow import Peer


async def new_key(run: Run, parties: tuple[Peer, ...], name: str = "key") -> PrivateKey:
    """Return a key that was made for this run, once these parties have its public half.

    `name`: the step's.
    """

    async def shared() -> PrivateKey:
        private = PrivateKey.generate(run.job.encryption.bits, run.rng, run.arithmetic)
        await share_key(private, parties=parties)
        return private

    def kept(primes: list[str]) -> PrivateKey:
        p, q = (int(prime, 16) for prime in primes)
        return PrivateKey(PublicKey(p * q, run.arithmetic), p, q)

    return await run.step(name, shared, lambda private: [hex(private.p), hex(private.q)], kept)


def quota_of(run: Run, shape: Shape, n: int) -> Quota:
    """Return what the agreed iterations take of one party's gradient, within the contract's ceiling."""
    try:
        quota = Quota.of_requests(run.job.gradients, shape, n, told=run.gradient_bits)
    except OverflowError as error:
        raise ContractError(
            "gradient", str(error), "drop disclosure.gradient_bits, or take a longer key"
        ) from None
    quota.left = min(quota.left, run.job.encryption.decryptions)
    return quota
