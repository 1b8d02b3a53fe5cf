"""The ledger: every plaintext that left this party, counted by the layer that sends.

A driver calls `record` for each message before it leaves; nothing else writes here, and no
protocol can send past it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vfl.wire.message import Disclosed, Message, phase_of, reveals


@dataclass(slots=True)
class Entry:
    """All messages of one kind to one peer."""

    reveals: str
    messages: int = 0
    bytes: int = 0
    disclosed: Disclosed = field(default_factory=Disclosed)


@dataclass(slots=True)
class Ledger:
    """What this party disclosed, by receiver and message."""

    entries: dict[tuple[str, str, str], Entry] = field(default_factory=dict)

    def record(self, to: str, message: Message, size: int) -> None:
        """Count one message of `size` bytes."""
        kind = type(message)
        key = (to, phase_of(kind), kind.__name__)
        entry = self.entries.setdefault(key, Entry(reveals(kind)))
        entry.messages += 1
        entry.bytes += size
        entry.disclosed += message.disclosed()

    def as_state(self) -> list[list[Any]]:
        """Return what `restore` takes: a list for each receiver and message."""
        return [
            [*key, e.reveals, e.messages, e.bytes, e.disclosed.numbers, e.disclosed.bits, e.disclosed.sealed]
            for key, e in self.entries.items()
        ]

    def restore(self, state: list[list[Any]]) -> None:
        """Stand where another ledger stood."""
        self.entries = {
            (to, phase, name): Entry(said, messages, size, Disclosed(*disclosed))
            for to, phase, name, said, messages, size, *disclosed in state
        }

    def as_json(self) -> list[dict[str, Any]]:
        """Return one plain object per receiver and message, in the order of first sending."""
        return [
            {
                "to": to,
                "phase": phase,
                "message": name,
                "reveals": entry.reveals,
                "messages": entry.messages,
                "plain_numbers": entry.disclosed.numbers,
                "plain_bits": entry.disclosed.bits,
                "sealed_values": entry.disclosed.sealed,
                "bytes": entry.bytes,
            }
            for (to, phase, name), entry in self.entries.items()
        ]
