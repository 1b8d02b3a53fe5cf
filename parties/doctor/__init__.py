"""What stands in the way of a run: this machine, the party's files, its peers, one finding each."""
