"""The two files an operator writes: the job that all parties share, and the party's own."""
