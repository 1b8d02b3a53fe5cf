"""The one seam of modular arithmetic: batches of work over contiguous arrays of residues.

A batch of n residues modulo m is an array of n x width bytes, little-endian, which is also its
wire form.  Backends implement `Modular`; one conformance suite holds them to it.
"""

from vfl.crypto.modular.gmp import Gmp
from vfl.crypto.modular.residues import Residues, from_ints, to_ints, width_of
from vfl.crypto.modular.seam import Modular

__all__ = ["Gmp", "Modular", "Residues", "from_ints", "to_ints", "width_of"]
