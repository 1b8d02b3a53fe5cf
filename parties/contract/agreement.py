"""All parties' approvals of one contract, checked by each of them before anything else is said

    repeat, for each of the others
        party -> guest: OwnApproval
    repeat, for each of the others
        guest -> party: Approvals
    repeat, for each of the others
        party -> guest: Consent
    repeat, for each of the others
        guest -> party: Start

Approvals travel with the run, so that no operator has to collect files and nobody has to trust
the guest: each party sends its own as it stands today, and verifies all of them itself.  Nobody
goes on before everybody has consented: a party that refuses says why, the guest tells the
others, and all end alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from vfl.errors import ContractError
from vfl.wire.flow import Peer
from vfl.wire.frames import printable
from vfl.wire.message import Message

LONGEST = 300
"""Letters of a refusal that are shown."""

LONGEST_DOCUMENT = 1 << 14
"""Letters of an approval that are passed on: those of all parties fit in one message."""


@dataclass(frozen=True, slots=True)
class OwnApproval(Message):
    """The sender's signed approval, or why it refuses.  Reveals: until when, and for how many runs."""

    document: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Approvals(Message):
    """The signed approvals of all that take part, by the name's order.

    Reveals: until when each party has signed, and for how many runs.
    """

    documents: tuple[str, ...]
    refusal: str


@dataclass(frozen=True, slots=True)
class Consent(Message):
    """Nothing, or why the sender refuses.  Reveals: whether the sender takes part, and why not."""

    refusal: str


@dataclass(frozen=True, slots=True)
class Start(Message):
    """Nothing, or who refuses and why.  Reveals: whether the run begins, and who refuses and why."""

    refusal: str


class Authority(Protocol):
    """What a party may do under the contract (`mandate.Mandate`); refusals are ContractErrors."""

    def own_document(self) -> str: ...
    def held_documents(self) -> dict[str, str]: ...
    def check(self, documents: Mapping[str, str]) -> None: ...
    def begin(self, documents: Mapping[str, str]) -> None: ...


async def guest(mandate: Authority, *, parties: tuple[Peer, ...]) -> ContractError | None:
    """Gather the approvals; return why the run must not begin, None if it may."""
    documents = mandate.held_documents()
    refusal = _refusal(mandate.own_document)
    for peer in parties:
        own = await peer.receive(OwnApproval)
        if len(own.document) > LONGEST_DOCUMENT:
            raise peer.blame(f"sent an approval of {len(own.document)} letters")
        documents[peer.name] = own.document
        refusal = refusal or _refused(peer, own.refusal)
    refusal = refusal or _refusal(lambda: mandate.check(documents))
    for peer in parties:
        await peer.send(Approvals(tuple(documents[name] for name in sorted(documents)), _said(refusal)))
    for peer in parties:
        consent = await peer.receive(Consent)
        refusal = refusal or _refused(peer, consent.refusal)
    refusal = refusal or _refusal(lambda: mandate.begin(documents))
    for peer in parties:
        await peer.send(Start(_said(refusal)))
    return refusal


async def party(mandate: Authority, names: tuple[str, ...], *, guest: Peer) -> ContractError | None:
    """Show the own approval and check all `names`'; return why the run must not begin, None if it may."""
    own = ""
    try:
        own, refusal = mandate.own_document(), None
    except ContractError as error:
        refusal = error
    await guest.send(OwnApproval(own, _said(refusal)))
    told = await guest.receive(Approvals)
    documents = dict(zip(sorted(names), told.documents, strict=False))
    refusal = refusal or _ended(guest, told.refusal) or _refusal(lambda: mandate.check(documents))
    await guest.send(Consent(_said(refusal)))
    start = await guest.receive(Start)
    return refusal or _ended(guest, start.refusal) or _refusal(lambda: mandate.begin(documents))


def _refusal(act: Callable[[], object]) -> ContractError | None:
    try:
        act()
    except ContractError as error:
        return error
    return None


def _refused(peer: Peer, why: str) -> ContractError | None:
    return ContractError(peer.name, f"refuses the run: {printable(why)[:LONGEST]}") if why else None


def _ended(guest: Peer, why: str) -> ContractError | None:
    return ContractError(guest.name, f"begins no run: {printable(why)[:LONGEST]}") if why else None


def _said(refusal: ContractError | None) -> str:
    return str(refusal) if refusal else ""
