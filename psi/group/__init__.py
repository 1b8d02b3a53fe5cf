"""The one seam of the group, ristretto255 (RFC 9496): elements as rows of bytes, many at a time.

Backends implement `Group`, `best` chooses one; one conformance suite holds them to it.
"""

from psi.group.choice import best
from psi.group.seam import ORDER, SIZE, UNIFORM, Group, Rows
from psi.group.sodium import Sodium
from psi.group.spread import Spread

__all__ = ["ORDER", "SIZE", "UNIFORM", "Group", "Rows", "Sodium", "Spread", "best"]
