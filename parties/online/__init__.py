"""Scores of one customer at a time, at the moment when they are asked for."""
