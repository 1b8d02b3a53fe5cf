"""What each party runs: its tables on one side, the protocols on the other."""
