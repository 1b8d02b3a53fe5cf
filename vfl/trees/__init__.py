"""Boosted trees between a label holder and feature holders: the trees of the pooled table."""
