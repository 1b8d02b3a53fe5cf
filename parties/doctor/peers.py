"""The way to the peers: name, port, who answers there, does it know us, what does its clock say."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from parties.config.job import Job
from parties.config.party import Party
from parties.doctor.finding import Finding, doubtful, failed, fine
from vfl import __version__
from vfl.errors import ConfigError, LostError, SecurityError, VflError
from vfl.wire.certificates import Identity, fingerprint, load_certificate, load_identity
from vfl.wire.network import Greeting, greet, presented, split_address

PATIENCE = 5.0
"""Seconds that a peer has for each answer."""

SKEW = 60.0
"""Seconds by which clocks may differ: certificates are valid from an hour before they are made."""


def peers(job: Job, party: Party) -> Iterator[Finding]:
    """Yield how the own port stands, and each peer that this party calls."""
    own = _own(party)
    if party.listen is not None:
        yield _port(party.listen, own)
    for name, link in sorted(party.peers.items()):
        if link.dial is None:
            yield fine(f"peer {name}", "calls this party")
        else:
            found = _peer(name, link.dial, own, _trusted(job, party, name))
            yield from map(_optional, found) if name in job.optional else found


def _optional(found: Finding) -> Finding:
    """Return what was found of a host without which a training may begin: it may be absent, and no other."""
    if found.code != LostError.exit_code:
        return found
    return doubtful(found.subject, f"{found.seen}; it is optional", found.mend)


def _own(party: Party) -> Identity | None:
    """Return the own identity, None where it is not what it must be: the files' findings say so."""
    try:
        return load_identity(party.party, party.identity.key, party.identity.certificate)
    except VflError:
        return None


def _trusted(job: Job, party: Party, name: str) -> bytes | None:
    """Return a peer's certificate, None where it is not the pinned one."""
    try:
        pem = load_certificate(party.peers[name].certificate)
    except VflError:
        return None
    return pem if fingerprint(pem) == job.parties[name].certificate else None


def _port(address: str, own: Identity | None) -> Finding:
    """Say whether this party can listen, or listens already."""
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return _taken(address, own, (error.strerror or str(error)).lower())
    return fine("port", f"{address} is free; the firewall must let the others in")


def _taken(address: str, own: Identity | None, why: str) -> Finding:
    """Say who listens where this party would."""
    host, port = split_address(address)
    near = f"{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{port}"
    try:
        found = presented(near, PATIENCE)
    except OSError:
        hint = f"stop what uses port {port} (`ss -ltnp`), or change `listen`"
        return failed("port", ConfigError(address, f"cannot listen here: {why}", hint))
    if own is not None and found == fingerprint(own.certificate_pem):
        return fine("port", f"{address}: this party serves here already")
    hint = f"another party listens at port {port}: change `listen`"
    return failed("port", ConfigError(address, f"is in use by {found}", hint))


def _peer(name: str, address: str, own: Identity | None, trusted: bytes | None) -> Iterator[Finding]:
    host, port = split_address(address)
    try:
        places = {str(place[4][0]) for place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        lost = LostError(name, f"nobody knows the name {host}", f"see peers.{name}.dial, and the DNS server")
        yield failed(f"name {name}", lost)
        return
    if host not in places:
        yield fine(f"name {name}", f"{host} is {', '.join(sorted(places))}")
    subject = f"peer {name}"
    try:
        found = presented(address, PATIENCE)
    except ssl.SSLError:
        what = f"what answers at {address} does not speak TLS 1.3"
        yield failed(subject, LostError(name, what, "is it another program, or a proxy that opens TLS?"))
        return
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        mend = f"does {name} serve, and does its firewall let port {port} in?"
        yield failed(subject, LostError(name, f"nobody answers at {address} ({why})", mend))
        return
    if trusted is None or own is None:
        yield doubtful(subject, f"{address} shows {found}", "mend the certificates first")
    elif found != fingerprint(trusted):
        what = f"{address} shows the certificate {found}, which is not the pinned one"
        yield failed(subject, SecurityError(name, what, f"compare fingerprints with {name}"))
    else:
        yield from _greeted(name, address, own, trusted)


def _greeted(name: str, address: str, own: Identity, trusted: bytes) -> Iterator[Finding]:
    try:
        said = greet(address, own, name, trusted, PATIENCE)
    except VflError as error:
        yield failed(f"peer {name}", error)
        return
    seen = f"{address} answers in {2000 * said.slack:.0f} ms and knows this party; vfl {said.version}"
    if said.version == __version__:
        yield fine(f"peer {name}", seen)
    else:
        yield doubtful(f"peer {name}", seen, f"here is vfl {__version__}: install one version on both sides")
    yield clock(name, said)


def clock(name: str, said: Greeting) -> Finding:
    """Say whether a peer's clock is near enough to this one's."""
    skew = f"is {abs(said.ahead):.1f} s {'ahead of' if said.ahead > 0 else 'behind'} this one's"
    if abs(said.ahead) - said.slack > SKEW:
        return doubtful(f"clock {name}", skew, "set both by NTP: certificates and approvals begin and end")
    return fine(f"clock {name}", skew)
