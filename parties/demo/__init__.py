"""A portfolio to try the toolkit on: a bank's and an insurer's customers, generated."""
