"""Boosted trees: what the guest and the host run in place of the regression's programs."""
