"""A phase of a training in numbers: who works how much, what travels, who waits for whom."""

from __future__ import annotations

from dataclasses import dataclass, fields

from parties.cost.work import Rates, Work

NOTHING = Work()


@dataclass(frozen=True, slots=True)
class Link:
    """What is between two machines: bytes a second in each direction, and seconds there and back."""

    bytes_per_second: float = 125e6
    round_trip: float = 0.02


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase: the work of the guest, of each host and of the arbiter, what travels, who waits for whom."""

    name: str
    guest: Work
    hosts: tuple[Work, ...]
    arbiter: Work = NOTHING
    sent: float = 0.0
    """Bytes that travel, from all parties together."""
    widest: float = 0.0
    """Bytes on the busiest direction of the busiest link."""
    trips: float = 0.0
    """Times that somebody waits for an answer over the link."""
    waits: float = 0.0
    """Such times while other blocks of rows are worked on: felt where the line is far and work is quick."""
    ciphertexts: float = 0.0
    """Ciphertexts that travel."""
    pipelined: bool = False
    """Whether guest and hosts work at the same time, on blocks; else one after the other."""

    def __add__(self, more: Phase) -> Phase:
        """Return this phase with more of its kind, done afterwards by the same parties."""
        summed = {f.name: getattr(self, f.name) + getattr(more, f.name) for f in fields(self)}
        hosts = tuple(own + other for own, other in zip(self.hosts, more.hosts, strict=True))
        return Phase(**summed | {"name": self.name, "hosts": hosts, "pipelined": self.pipelined})

    def together(self, rates: Rates) -> float:
        """Return the seconds on one machine, of which all parties share the cores."""
        return sum(work.seconds(rates) for work in (self.guest, *self.hosts, self.arbiter))

    def apart(self, rates: Rates, link: Link) -> float:
        """Return the seconds with a machine of these rates for every party."""
        guest, arbiter = self.guest.seconds(rates), self.arbiter.seconds(rates)
        slowest = max((host.seconds(rates) for host in self.hosts), default=0.0)
        travel = max(self.widest / link.bytes_per_second, self.waits * link.round_trip)
        work = max(guest, slowest, travel) if self.pipelined else guest + slowest + travel
        return work + arbiter + self.trips * link.round_trip
