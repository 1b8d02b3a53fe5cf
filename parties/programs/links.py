"""How a party reaches its peers: with its own certificate, knowing theirs, dialling or awaiting."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

from parties.config.job import Job
from parties.config.party import Party
from parties.inspection import pinned_certificates
from vfl.errors import LostError
from vfl.wire.certificates import Identity
from vfl.wire.flow import Peer
from vfl.wire.network import Hello, Link, Listener, answers, dial

LEAST_PATIENCE = 2.0
"""Seconds that each optional host has to answer, however long others were waited for."""


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
        absent: tuple[str, ...] = (),
    ) -> Link:
        """Return a link to a peer: dialled where its address is known, else awaited.

        `have`: how many of its messages were taken already; `timeout`: `timeouts.connect` if None;
        `absent`: the hosts without which the run is, as the guest has told us.  Raises ProtocolError, which
        names the guest, where it has told a peer that calls us otherwise.
        """
        contract, timeout = self.job.contract_hash(), timeout or self.party.timeouts.connect
        address = self.party.peers[name].dial
        if address is None:
            assert listener is not None  # a guest's file without an address is refused
            link = listener.accept(name, contract=contract, run=run, timeout=timeout, have=lambda _: have)
            if set(link.hello.absent) != set(absent):
                what = f"told {name} of other hosts that stay away than {self.party.party}"
                link.abort(f"{self.job.guest} {what}")
                raise Peer(self.job.guest).blame(what)
            return link
        hello = Hello(contract, run, task, self.party.party, have, absent)
        return dial(address, self.own, name, self.known[name], hello, connect_timeout=timeout)

    def absent(self) -> tuple[str, ...]:
        """Return the optional hosts that do not answer the guest within `timeouts.optional` seconds.

        A host that answers and then takes up no run is not absent.  Raises LostError where no host is
        left, SecurityError where another certificate than the pinned one is shown.
        """
        deadline = time.monotonic() + self.party.timeouts.optional
        absent = tuple(name for name in self.job.optional if not self._answers(name, deadline))
        if len(absent) == len(self.job.hosts):
            hint = "hosts are optional in this job, and one of them must be there"
            raise LostError(
                ", ".join(absent), f"no host answers within {self.party.timeouts.optional:g} s", hint
            )
        return absent

    def _answers(self, name: str, deadline: float) -> bool:
        address = self.party.peers[name].dial
        assert address is not None  # a guest's file without an address is refused
        patience = max(deadline - time.monotonic(), min(LEAST_PATIENCE, self.party.timeouts.optional))
        return answers(address, name, self.known[name], patience=patience)
