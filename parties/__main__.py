"""`python -m parties`: the same as the command `vfl`."""

from parties.cli import main

main()
