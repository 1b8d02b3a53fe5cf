"""The key pair of a run, made by whoever decrypts: the arbiter, or a guest without one."""

from __future__ import annotations

from parties.programs.run import Run
from vfl.arbitration import share_key
from vfl.crypto.paillier import PrivateKey, PublicKey
from vfl.wire.flow import Peer


async def new_key(run: Run, parties: tuple[Peer, ...]) -> PrivateKey:
    """Return a key that was made for this run, once these parties have its public half."""

    async def shared() -> PrivateKey:
        private = PrivateKey.generate(run.job.encryption.bits, run.rng, run.arithmetic)
        await share_key(private, parties=parties)
        return private

    def kept(primes: list[str]) -> PrivateKey:
        p, q = (int(prime, 16) for prime in primes)
        return PrivateKey(PublicKey(p * q, run.arithmetic), p, q)

    return await run.step("key", shared, lambda private: [hex(private.p), hex(private.q)], kept)
