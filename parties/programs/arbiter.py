"""The arbiter: a fresh key for each run, and decryptions of masked sums within the quota."""

from __future__ import annotations

import time
from pathlib import Path

from parties.config.job import Job
from parties.config.party import Party
from parties.programs.run import books, certificates, hello, identity, workers, write_json
from parties.progress import Progress
from vfl.arbitration import Quota, share_key
from vfl.crypto.modular import Gmp
from vfl.crypto.paillier import PrivateKey
from vfl.crypto.randomness import Randomness
from vfl.features import woe
from vfl.linear import logistic
from vfl.wire.flow import Peer
from vfl.wire.network import Listener, Session, dial


def serve(
    job: Job, party: Party, out: Path, progress: Progress, *, once: bool, port_file: Path | None
) -> None:
    """Take part in trainings until told to stop."""
    own, known = identity(job, party), certificates(job, party)
    assert party.listen is not None
    with Listener(party.listen, own, known) as listener:
        if port_file:
            port_file.write_text(str(listener.port))
        while True:
            progress.phase("waiting for the guest")
            first = listener.accept(job.guest, contract=job.contract_hash(), timeout=None)
            begun, run = time.monotonic(), first.hello.run
            (name,) = job.hosts
            peer = party.peers[name]
            second = (
                dial(
                    peer.dial,
                    own,
                    name,
                    known[name],
                    hello(job, party, run, "train"),
                    connect_timeout=party.timeouts.connect,
                )
                if peer.dial
                else listener.accept(
                    name, contract=job.contract_hash(), run=run, timeout=party.timeouts.connect
                )
            )
            session = Session({job.guest: first, name: second}, timeout=party.timeouts.message)
            progress.phase("decrypting masked sums")
            session.run(_train(job, party))
            session.close()
            write_json(out / "ledger.json", session.ledger.as_json())
            write_json(out / "run.json", books(job, run, "train", session, time.monotonic() - begun))
            if once:
                return


async def _train(job: Job, party: Party) -> None:
    guest, host = Peer(job.guest), Peer(job.hosts[0])
    private = PrivateKey.generate(job.encryption.bits, Randomness(), Gmp(workers(party)))
    await share_key(private, parties=(guest, host))
    quotas = Quota(job.encryption.decryptions), Quota(job.encryption.decryptions)
    if job.features.kind == "woe":
        await woe.arbiter(private, quotas[0], guest=guest)
    await logistic.arbiter(private, quotas, guest=guest, host=host)
