"""The command `vfl`.

Nothing heavy is imported until a command runs, so that `vfl --help` answers at once.
"""

from parties.cli.application import main

__all__ = ["main"]
