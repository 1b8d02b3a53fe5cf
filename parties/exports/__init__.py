"""A party's half of a regression, as other programs can run it."""
