"""Vertical federated learning for cross-institution risk modelling.

A customer's row walks down these folders: `table` reads it, `psi` finds it in both
institutions, `stats` and `features` bin it and give it its WOE, `linear` fits and scores it;
`crypto` hides it on the way and `wire` carries what is hidden.  `parties` are the programs
that the institutions start.
"""

__version__ = "0.1.0"
