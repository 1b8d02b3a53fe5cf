"""How a party reaches its peers: with its own certificate, knowing theirs, dialling or awaiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from parties.config.job import Job
from parties.config.party import Party
from parties.inspection import pinned_certificates
from vfl.wire.certificates import Identity
from vfl.wire.network import Hello, Link, Listener, dial


@dataclass(frozen=True, slots=True)
class Contacts:
    """A party's identity and its peers' certificates, each the one that the job pins."""

    job: Job
    party: Party
    own: Identity
    known: dict[str, bytes]

    @classmethod
    def load(cls, job: Job, party: Party) -> Self:
        """Read all certificates; one that is not the pinned one is a SecurityError."""
        _ = job.pins  # a ContractError where one is missing
        return cls(job, party, *pinned_certificates(job, party))

    def listen(self) -> Listener:
        """Listen where the party's file says."""
        assert self.party.listen is not None  # a party's file without it is refused for a server
        return Listener(self.party.listen, self.own, self.known)

    def meet(
        self,
        name: str,
        run: str,
        task: str,
        listener: Listener | None = None,
        *,
        have: int = 0,
        timeout: float | None = None,
    ) -> Link:
        """Return a link to a peer: dialled where its address is known, else awaited.

        `have`: how many of its messages were taken already; `timeout`: `timeouts.connect` if None.
        """
        contract, timeout = self.job.contract_hash(), timeout or self.party.timeouts.connect
        address = self.party.peers[name].dial
        if address is None:
            assert listener is not None  # a guest's file without an address is refused
            return listener.accept(name, contract=contract, run=run, timeout=timeout, have=lambda _: have)
        hello = Hello(contract, run, task, self.party.party, have)
        return dial(address, self.own, name, self.known[name], hello, connect_timeout=timeout)
