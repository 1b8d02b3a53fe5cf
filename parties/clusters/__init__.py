"""Clusters of the party's own, on which its work is done."""
