"""Everything that can go wrong, by whose fault it is and what the operator can do.

    VflError                    exit code
    +-- ConfigError             2   the operator's files or options
    +-- DataError               3   the operator's table
    +-- PeerError               4   the far end is absent, silent or gone
    |   +-- ProtocolError       4   the far end broke the protocol
    |   +-- LostError           4   the connection broke: it may be made again
    |   +-- RefusedError        5   the far end stopped the run: what was agreed forbids it there
    +-- ContractError           5   what was agreed forbids this (gates, policies, hashes)
    +-- SecurityError           6   a key, a certificate or a ciphertext is not what it must be
    +-- PausedError             7   the run stands still and can be resumed

Exit code 0 is success, 1 a bug of ours (any other exception).
Our own mistakes are assertions, never one of these.
"""

from __future__ import annotations


class VflError(Exception):
    """A failure with a place, a reason and a mend."""

    exit_code = 1

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.where = where
        self.what = what
        self.hint = hint


class ConfigError(VflError):
    """A configuration file or a command's options cannot be used.  `where` names file:line: key."""

    exit_code = 2


class DataError(VflError):
    """A table cannot be used.  `where` names the file, the line or the column."""

    exit_code = 3


class PeerError(VflError):
    """A peer is absent, silent for longer than agreed, or gone.  `where` names the peer."""

    exit_code = 4

    @property
    def peer(self) -> str:
        """The name of the party at fault."""
        return self.where


class ProtocolError(PeerError):
    """A peer sent what the protocol does not allow."""


class LostError(PeerError):
    """The connection to a peer broke, without a word from it."""


class RefusedError(PeerError):
    """A peer stopped the run because the contract, its policy or a gate forbids it."""

    exit_code = 5

    def __init__(self, peer: str, what: str) -> None:
        super().__init__(peer, what, "see `vfl job status`, and what was agreed: `vfl job show`")


class ContractError(VflError):
    """The contract's gates, limits or policies forbid what was asked."""

    exit_code = 5


class SecurityError(VflError):
    """A key, a certificate or an encrypted value is not what it must be."""

    exit_code = 6


class PausedError(VflError):
    """The run cannot go on now and loses nothing: it can be resumed."""

    exit_code = 7
