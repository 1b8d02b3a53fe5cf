"""The one seam of modular arithmetic: batches of work over contiguous arrays of bytes.

`Residues` are numbers modulo n, `Pairs` numbers modulo n^2; both are also their wire form.
Backends implement `Modular`, `best` chooses one; one conformance suite holds them to it.
"""

from vfl.crypto.modular.choice import best
from vfl.crypto.modular.gmp import Gmp
from vfl.crypto.modular.pairs import Pairs, from_pairs, to_pairs
from vfl.crypto.modular.residues import Residues, all_below, from_ints, from_signed, to_ints, width_of
from vfl.crypto.modular.seam import Modular
from vfl.crypto.modular.spread import Spread

__all__ = [
    "Gmp",
    "Modular",
    "Pairs",
    "Residues",
    "Spread",
    "all_below",
    "best",
    "from_ints",
    "from_pairs",
    "from_signed",
    "to_ints",
    "to_pairs",
    "width_of",
]
